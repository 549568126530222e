"""Rows in the binary format of COPY, by functions that are written for their columns.

A function call per value would cost more than the server does. So the lengths and the values of fixed size that follow
each other are packed in one call, and only what may be null is looked at for itself.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from dataflow.model.schema import ModelField
from dataflow.types import ColumnType, Kind

__all__ = ["FOOT", "HEAD", "Cell", "EncodeRows", "encoder", "held"]

EncodeRows = Callable[[Sequence[Sequence[Any]]], bytes]

HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
FOOT = b"\xff\xff"

TYPES: Mapping[Kind, frozenset[int]] = {
    Kind.INTEGER: frozenset({20}),
    Kind.FLOAT: frozenset({701}),
    Kind.BOOLEAN: frozenset({16}),
    Kind.TEXT: frozenset({25, 1043}),
    Kind.BINARY: frozenset({17}),
    Kind.DECIMAL: frozenset({1700}),
    Kind.DATETIME: frozenset({1184}),
    Kind.DATE: frozenset({1082}),
    Kind.TIME: frozenset({1083}),
    Kind.INTERVAL: frozenset({1186}),
    Kind.UUID: frozenset({2950}),
    Kind.JSON: frozenset({3802}),
}
"""The object identifiers of the types whose binary form is that of a kind: each type is read in its own form only."""

ARRAYS: Mapping[Kind, tuple[int, int]] = {
    Kind.INTEGER: (1016, 20),
    Kind.FLOAT: (1022, 701),
    Kind.BOOLEAN: (1000, 16),
    Kind.TEXT: (1009, 25),
    Kind.DATETIME: (1185, 1184),
    Kind.DATE: (1182, 1082),
    Kind.UUID: (2951, 2950),
}
"""The same for the arrays of a kind, and for their elements."""


class Cell(NamedTuple):
    """What a value of a row may be."""

    kind: Kind
    element: Kind | None
    nullable: bool

    @classmethod
    def of(cls, field: ModelField) -> "Cell":
        element = field.type.element
        return cls(field.type.kind, None if element is None else element.kind, field.nullable)


class Fixed(NamedTuple):
    """A type of values of one size: how ``struct`` packs them, and the expressions for what is packed."""

    format: str
    size: int
    expressions: tuple[str, ...] = ("{value}",)


FIXED: Mapping[Kind, Fixed] = {
    Kind.INTEGER: Fixed("q", 8),
    Kind.FLOAT: Fixed("d", 8),
    Kind.BOOLEAN: Fixed("?", 1),
    Kind.DATETIME: Fixed("q", 8, ("moment({value})",)),
    Kind.DATE: Fixed("i", 4, ("day({value})",)),
    Kind.TIME: Fixed("q", 8, ("clock({value})",)),
    Kind.INTERVAL: Fixed(
        "qii", 16, ("{value}.seconds * 1000000 + {value}.microseconds", "{value}.days", "0")
    ),
    Kind.UUID: Fixed("16s", 16, ("{value}.bytes",)),
}
VARYING: Mapping[Kind, str] = {
    Kind.TEXT: "{value}.encode()",
    Kind.BINARY: "{value}",
    Kind.DECIMAL: "number(str({value}))",
    Kind.JSON: 'b"\\1" + {value}.encode()',
}
ARRAY_HEAD = Struct(">iiiii")
"""The number of dimensions, whether there are nulls, the type, and of the one dimension its length and its start."""
NULL = b"\xff\xff\xff\xff"
LENGTH = Struct(">i")
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
# What asyncpg takes for the ends of time, as it reads and writes single values.
LAST_MOMENT, FIRST_MOMENT = 252_455_615_999_999_999, -63_082_281_600_000_000
_last_moment: list[tuple[datetime, int]] = [(EPOCH, 0)]


def held(type: ColumnType) -> frozenset[int]:
    """The types of columns that read the binary form of a type."""
    return TYPES[type.kind] if type.element is None else frozenset({ARRAYS[type.element.kind][0]})


@lru_cache(maxsize=256)
def encoder(columns: tuple[Cell, ...]) -> EncodeRows:
    """A function that writes rows; between :data:`HEAD` and :data:`FOOT` they are what COPY reads.

    :param columns: what each of them holds.
    """
    space: dict[str, Any] = {
        "NULL": NULL,
        "array_head": ARRAY_HEAD.pack,
        "clock": _clock,
        "day": _day,
        "join": b"".join,
        "length": LENGTH.pack,
        "moment": _moment,
        "number": _number,
    }
    body = _Body(space, len(columns))
    for index, cell in enumerate(columns):
        body.add(f"cell_{index}", cell)
    body.end_segment()
    cells = "".join(f"cell_{index}, " for index in range(len(columns)))
    lines = [
        "def encode(rows):",
        "    out = []",
        "    add = out.extend",
        f"    for {cells}in rows:",
        *(f"        {line}" for line in body.lines),
        f"        add(({', '.join(body.pieces)},))",
        "    return join(out)",
    ]
    exec("\n".join(lines), space)
    encode: EncodeRows = space["encode"]
    return encode


class _Body:
    """The lines of the loop in the making: pieces of bytes, of which neighbours of fixed size are packed together."""

    def __init__(self, space: dict[str, Any], width: int) -> None:
        self._space = space
        self.lines: list[str] = []
        self.pieces: list[str] = []
        self._format = ">h"
        self._arguments = [str(width)]

    def add(self, name: str, cell: Cell) -> None:
        fixed = FIXED.get(cell.kind)
        varying = "" if fixed else self._array(cell.element) if cell.element else VARYING[cell.kind]
        if cell.nullable:
            self.end_segment()
            self.pieces.append(f"NULL if {name} is None else {self._alone(name, fixed, varying)}")
        elif fixed is not None:
            self._format += f"i{fixed.format}"
            self._arguments += [str(fixed.size), *(text.format(value=name) for text in fixed.expressions)]
        else:
            self.lines.append(f"{name} = {varying.format(value=name)}")
            self._format += "i"
            self._arguments.append(f"len({name})")
            self.end_segment()
            self.pieces.append(name)

    def end_segment(self) -> None:
        if self._arguments:
            self.pieces.append(f"{self._packer(self._format)}({', '.join(self._arguments)})")
            self._format, self._arguments = ">", []

    def _array(self, element: Kind) -> str:
        """The call of a function that writes an array."""
        _, type_ = ARRAYS[element]
        item = self._alone("item", FIXED.get(element), VARYING.get(element, ""))
        name = f"array_of_{element.value}"
        head = f"array_head(1, 0, {type_}, len(items), 1)"
        self._space[name] = eval(f"lambda items: {head} + join([{item} for item in items])", self._space)
        return f"{name}({{value}})"

    def _alone(self, name: str, fixed: Fixed | None, varying: str) -> str:
        """A value with its length before it."""
        if fixed is not None:
            values = ", ".join(text.format(value=name) for text in fixed.expressions)
            return f"{self._packer(f'>i{fixed.format}')}({fixed.size}, {values})"
        return f"length(len(bytes_ := {varying.format(value=name)})) + bytes_"

    def _packer(self, format: str) -> str:
        name = f"pack_{format[1:].replace('?', 'b')}"
        self._space[name] = Struct(format).pack
        return name


def _moment(value: datetime) -> int:
    """Microseconds since 2000."""
    # The time of a change goes into several columns and many rows.
    known, count = _last_moment[0]
    if known is value:
        return count
    since = value - EPOCH
    count = since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds
    if count >= LAST_MOMENT:
        count = 2**63 - 1
    elif count <= FIRST_MOMENT:
        count = -(2**63)
    _last_moment[0] = (value, count)
    return count


def _day(value: date) -> int:
    """Days since 2000."""
    if value == date.max:
        return 2**31 - 1
    return -(2**31) if value == date.min else value.toordinal() - EPOCH_DAY


def _clock(value: time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


@lru_cache(maxsize=4096)
def _number(text: str) -> bytes:
    """A decimal in groups of four digits, as ``numeric`` has it.

    >>> _number("-1.50").hex(" ", 2)
    '0002 0000 4000 0002 0001 1388'
    """
    value = Decimal(text)
    # abs() would round to the precision of the caller's context.
    whole, _, fraction = f"{value.copy_abs():f}".partition(".")
    digits = whole.rjust(-(-len(whole) // 4) * 4, "0") + fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    groups = [int(digits[start : start + 4]) for start in range(0, len(digits), 4)]
    weight = -(-len(whole) // 4) - 1
    first = next((index for index, group in enumerate(groups) if group), len(groups))
    last = next((index for index in range(len(groups), first, -1) if groups[index - 1]), first)
    groups = groups[first:last]
    sign = 0x4000 if value < 0 else 0
    head = (len(groups), weight - first if groups else 0, sign, len(fraction))
    return Struct(f">HhHH{len(groups)}h").pack(*head, *groups)
