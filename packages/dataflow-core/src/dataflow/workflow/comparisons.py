"""The tests that a condition is made of: values, their comparison, and the logic that joins them.

A test holds or not for an outcome and an output, and may be known from the outcome alone.
"""

import operator
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from dataflow.workflow.paths import Path

__all__ = [
    "COMPARISONS",
    "Chain",
    "Compare",
    "Literal",
    "Member",
    "Not",
    "Operand",
    "Output",
    "Status",
    "Test",
    "Truth",
    "Unlike",
    "as_written",
]

COMPARISONS: Final[dict[str, Callable[[Any, Any], object]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_DIRECT: Final = frozenset({str, int, float, bool})
_LISTS: Final = (tuple, list, Collection)  # the plain types first: they spare the slower abstract one
_TEXTS: Final = (str, bytes, bytearray, memoryview)


class Unlike(TypeError):
    """Two values that cannot be compared as the condition asks; the text is ours and shows no value."""


class Literal(NamedTuple):
    """A value that stands in the condition itself."""

    content: object

    def value(self, status: str, output: Mapping[str, object]) -> object:
        return self.content


class Status(NamedTuple):
    """The outcome of the source."""

    def value(self, status: str, output: Mapping[str, object]) -> object:
        return status


class Output(NamedTuple):
    """What a path finds in the output of the source."""

    path: Path

    def value(self, status: str, output: Mapping[str, object]) -> object:
        return self.path.find(output)


Operand: TypeAlias = Literal | Status | Output


class Truth(NamedTuple):
    """A value alone, which holds unless it is null, false, zero or empty."""

    operand: Operand

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        return bool(_plain(self.operand.value(status, output)))

    def known(self, status: str) -> bool | None:
        return None if isinstance(self.operand, Output) else self.holds(status, {})


class Compare(NamedTuple):
    """Two values that are equal, unequal or in an order."""

    left: Operand
    sign: str
    compare: Callable[[Any, Any], object]
    right: Operand

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        left, right = _alike(self.left.value(status, output), self.right.value(status, output))
        if (left is None or right is None) and self.sign in _ORDER:
            return False
        try:
            return bool(self.compare(left, right))
        except TypeError:
            raise Unlike(f"{self.sign} cannot compare {_kind(left)} with {_kind(right)}") from None

    def known(self, status: str) -> bool | None:
        return _known(self, status)


class Member(NamedTuple):
    """A value that is in a list, a text or the keys of a mapping."""

    left: Operand
    right: Operand

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        item, container = _plain(self.left.value(status, output)), _plain(self.right.value(status, output))
        if isinstance(container, _LISTS) and not isinstance(container, _TEXTS):
            return any(_equal(item, other) for other in container)
        if container is None or (item is None and isinstance(container, str)):
            return False
        if isinstance(item, str) and isinstance(container, str):
            return item in container
        raise Unlike(f"in cannot look for {_kind(item)} inside {_kind(container)}")

    def known(self, status: str) -> bool | None:
        return _known(self, status)


class Not(NamedTuple):
    """A test that holds where another does not."""

    test: "Test"

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        return not self.test.holds(status, output)

    def known(self, status: str) -> bool | None:
        inner = self.test.known(status)
        return None if inner is None else not inner


class Chain(NamedTuple):
    """Tests joined by ``and``, which one false test decides, or by ``or``, which one true test decides."""

    tests: "tuple[Test, ...]"
    decisive: bool

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        decisive = self.decisive
        for test in self.tests:
            if test.holds(status, output) is decisive:
                return decisive
        return not decisive

    def known(self, status: str) -> bool | None:
        answers = {test.known(status) for test in self.tests}
        if self.decisive in answers:
            return self.decisive
        return None if None in answers else not self.decisive


Test: TypeAlias = Truth | Compare | Member | Not | Chain


def _known(test: Compare | Member, status: str) -> bool | None:
    """Answer a comparison that does not depend on the output."""
    if isinstance(test.left, Output) or isinstance(test.right, Output):
        return None
    return test.holds(status, {})


def _equal(left: object, right: object) -> bool:
    left, right = _alike(left, right)
    return bool(left == right)


def _alike(left: object, right: object) -> tuple[object, object]:
    """Bring two values to one type, where there is one sensible reading."""
    if type(left) is type(right) and type(left) in _DIRECT:
        return left, right
    left, right = _plain(left), _plain(right)
    if left is None or right is None:
        return left, right
    if isinstance(left, str) and not isinstance(right, str):
        return _read_as(right, left), right
    if isinstance(right, str) and not isinstance(left, str):
        return left, _read_as(left, right)
    if isinstance(left, Decimal) and isinstance(right, float):
        return left, as_written(right)
    if isinstance(left, float) and isinstance(right, Decimal):
        return as_written(left), right
    return left, right


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def as_written(number: float) -> Decimal:
    """Read a float as its digits say: 10.1 equals Decimal("10.1"), though not in binary."""
    return Decimal(float.__repr__(number))


def _read_as(other: object, text: str) -> object:
    kind: type = type(other)
    return _parse(kind, text) if len(text) <= 64 else text  # only short ones are worth remembering


@lru_cache(maxsize=256)
def _parse(kind: type, text: str) -> object:
    """Read a text as this type; where it cannot be, it stays a text and equals nothing of that type."""
    from uuid import UUID

    try:
        if issubclass(kind, datetime):
            return _plain(datetime.fromisoformat(text))
        if issubclass(kind, date):
            return date.fromisoformat(text)
        if issubclass(kind, time):
            return time.fromisoformat(text)
        if issubclass(kind, UUID):
            return UUID(text)
    except ValueError:
        pass
    return text


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__
