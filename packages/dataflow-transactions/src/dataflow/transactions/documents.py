"""Values as JSON that can be read back as they were: what a saga keeps of its inputs and outputs.

What JSON has no word for is an object of one key that begins with ``$``.

>>> from decimal import Decimal
>>> write_document({"total": Decimal("1.20"), "tags": ["a"]})
'{"total":{"$decimal":"1.20"},"tags":["a"]}'
>>> read_document('{"total":{"$decimal":"1.20"},"tags":["a"]}')
{'total': Decimal('1.20'), 'tags': ['a']}
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final
from uuid import UUID

from dataflow.errors import InvalidValue

__all__ = ["read_document", "write_document"]

MARK: Final = "$"


def write_document(value: object) -> str:
    """The text of a value. A member of an Enum becomes its value, a tuple a list.

    :raises InvalidValue: for a value that could not be read back; the message names its place and its type.
    """
    try:
        return json.dumps(_plain(value, "it"), separators=(",", ":"), check_circular=False)
    except RecursionError:
        raise InvalidValue("it cannot be kept: it is nested too deeply, or holds itself") from None
    except ValueError:
        raise InvalidValue("it cannot be kept: a whole number in it has too many digits") from None


def read_document(text: str) -> Any:
    """The value of a text."""
    return json.loads(text, object_hook=_restored)


def _plain(value: object, place: str) -> object:
    """The value by the means of JSON alone."""
    if value is None or (isinstance(value, str | bool) and not isinstance(value, Enum)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Enum):
        return _plain(value.value, place)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Mapping):
        return _plain_mapping(value, place)
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}.{number}") for number, item in enumerate(value)]
    for type, name, write, _ in TAGS:
        if isinstance(value, type):
            return {name: write(value)}
    kind = value.__class__.__name__
    raise InvalidValue(
        f"{place} cannot be kept: a {kind} has no place in a document; return numbers, texts, bytes, dates, UUIDs, "
        "lists and dicts of such"
    )


def _plain_mapping(value: Mapping[Any, object], place: str) -> object:
    is_plain = all(type(key) is str and not key.startswith(MARK) for key in value)
    if is_plain:
        return {key: _plain(item, f"{place}.{key}") for key, item in value.items()}
    return {
        "$dict": [
            [_plain(key, f"a key of {place}"), _plain(item, f"{place}.{key}")] for key, item in value.items()
        ]
    }


def _restored(found: dict[str, Any]) -> Any:
    if len(found) == 1:
        ((name, content),) = found.items()
        if name.startswith(MARK):
            return READERS[name](content)
    return found


def _seconds(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


TAGS: Final[
    tuple[tuple[type | tuple[type, ...], str, Callable[[Any], object], Callable[[Any], object]], ...]
] = (
    (Decimal, "$decimal", str, Decimal),
    (datetime, "$datetime", datetime.isoformat, datetime.fromisoformat),
    (date, "$date", date.isoformat, date.fromisoformat),
    (time, "$time", time.isoformat, time.fromisoformat),
    (timedelta, "$timedelta", _seconds, lambda parts: timedelta(*parts)),
    (UUID, "$uuid", str, UUID),
    (
        (bytes, bytearray, memoryview),
        "$bytes",
        lambda value: b64encode(bytes(value)).decode(),
        b64decode,
    ),
)
"""What JSON has no word for: the type, its tag, how it is written and read. A datetime is a date, so it is first."""

READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "$float": float,
    "$dict": dict,
    **{name: read for _, name, _, read in TAGS},
}
