"""Dotted paths into the output of a node, such as ``result.0.id``.

A part of digits is a position in a list, counted from 0, and a key in a mapping. The dot always separates:
a key that holds a dot itself cannot be reached.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

from dataflow.errors import RecordNotFound, WorkflowError, nearest

__all__ = ["MissingOutput", "Path", "parse_path"]

_POSITION: Final = re.compile("0|[1-9][0-9]{0,17}")
_ABSENT: Final = object()
_MAPPINGS: Final = (dict, Mapping)  # the plain type first: it spares the slower abstract one
_TEXTS: Final = (str, bytes, bytearray, memoryview)


class MissingOutput(WorkflowError, LookupError):
    """An output that the source does not have."""


@dataclass(frozen=True, slots=True)
class Path:
    """The way to a value in an output: the name of the output, then keys and positions.

    :param root: the name of the output.
    :param rest: what follows it; an int is a position in a list.
    """

    root: str
    rest: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return ".".join(map(str, (self.root, *self.rest)))

    def find(self, output: Mapping[str, object], default: object = None) -> object:
        """Return the value, or the default where the path leads nowhere."""
        value = output.get(self.root, _ABSENT)
        for part in self.rest:
            value = _step(value, part)
        return default if value is _ABSENT else value

    def read(self, output: Mapping[str, object]) -> object:
        """Return the value.

        :raises MissingOutput: where the path leads nowhere; the message says how far it led.

        >>> parse_path("result.0.id").read({"result": [{"id": 7}]})
        7
        """
        value = output.get(self.root, _ABSENT)
        if value is _ABSENT:
            raise MissingOutput(f"there is no output {str(self)!r}{_nearest_key(self.root, output)}")
        for depth, part in enumerate(self.rest, start=1):
            following = _step(value, part)
            if following is _ABSENT:
                raise MissingOutput(f"there is no output {str(self)!r}: {self._obstacle(value, depth)}")
            value = following
        return value

    def read_of(self, output: Mapping[str, object], kind: str, id: str) -> object:
        """Return the value out of the output of a node or a step, which an error names.

        :param kind: the word for what gave the output.
        :param id: its id.
        :raises RecordNotFound: where it found no row.
        :raises MissingOutput: where the path leads nowhere.
        """
        if output.get("found") is False and self.root != "found":
            raise RecordNotFound(f"{kind} {id!r} found no row, so that it has no {str(self)!r}")
        try:
            return self.read(output)
        except MissingOutput as error:
            raise MissingOutput(f"{kind} {id!r}: {error}") from None

    def _obstacle(self, value: object, depth: int) -> str:
        """Say what stands in the way after so many parts, without showing any value."""
        part = self.rest[depth - 1]
        place = str(Path(self.root, self.rest[: depth - 1]))
        if isinstance(value, _MAPPINGS):
            return f"{place!r} has no {str(part)!r}{_nearest_key(str(part), value)}"
        if not _is_list(value):
            return f"{place!r} is {'null' if value is None else 'a single ' + type(value).__name__}"
        if isinstance(part, int):
            return f"the list {place!r} has {len(value)} items, so none at position {part}"
        return f"{place!r} is a list, which takes a position, such as '{place}.0'"


def parse_path(text: str) -> Path:
    """Read a dotted path.

    :raises WorkflowError: where a part is empty.

    >>> parse_path("result.0.id")
    Path(root='result', rest=(0, 'id'))
    """
    root, *rest = text.split(".")
    if not root or not all(rest):
        raise WorkflowError(
            f"{text!r} is no path to an output: write names and positions with one dot between them, "
            "such as 'result.0.id'"
        )
    return Path(root, tuple(int(part) if _POSITION.fullmatch(part) else part for part in rest))


def _step(value: object, part: str | int) -> object:
    if isinstance(value, _MAPPINGS):
        return value.get(str(part), _ABSENT)
    if isinstance(part, int) and _is_list(value) and part < len(value):
        return value[part]
    return _ABSENT


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list) or (isinstance(value, Sequence) and not isinstance(value, _TEXTS))


def _nearest_key(name: str, mapping: Mapping[object, object] | Mapping[str, object]) -> str:
    return nearest(name, (key for key in mapping if isinstance(key, str)))
