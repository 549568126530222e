"""Rows as text, by functions that are written for their columns: for a list ``VALUES``, or as the lines of a file.

A look into a table of types and a call for each value would take longer than the server needs for the row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

from dataflow.abc import BatchInsert, BatchUpdate
from dataflow.mysql.literals import LITERALS, datetime_text
from dataflow.types import Kind

__all__ = ["UNDECODED", "WriteRows", "line_writer", "row_writer"]

WriteRows: TypeAlias = Callable[[Sequence[Sequence[Any]]], list[str]]

UNDECODED = "surrogateescape"
"""How bytes stand among the letters of a line: by letters that no text holds, and that become the bytes again."""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _bytes(value: bytes) -> str:
    return _escaped(value.decode(errors=UNDECODED))


NULL_IN_LINES = "\\N"
IN_LINES: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda value: NULL_IN_LINES,
    bool: LITERALS[bool],
    bytes: _bytes,
    Decimal: lambda value: format(value, "f"),
    datetime: datetime_text,
    date: date.isoformat,
    time: lambda value: value.isoformat("microseconds"),
    timedelta: LITERALS[timedelta],
    UUID: lambda value: _bytes(value.bytes),
}


@dataclass(frozen=True, eq=False)
class Form:
    """How rows are written.

    :param null: what stands for None.
    :param row: what stands around the values of a row, in the place of ``{}``.
    :param between: what stands between two of them.
    :param others: writes a value of each type that has no way of its own.
    """

    null: str
    row: str
    between: str
    text: Callable[[str], str]
    number: Callable[[float], str]
    others: Mapping[type, Callable[[Any], str]]


VALUES = Form("NULL", "({})", ",", LITERALS[str], LITERALS[float], LITERALS)
LINES = Form(NULL_IN_LINES, "{}", "\t", _escaped, repr, IN_LINES)

# None of them takes a value that is not what the field holds: it would stand in the statement as it is.
CELLS: Mapping[Kind, str] = {
    Kind.INTEGER: "{{null if {0} is None else {0}.__index__()}}",
    Kind.TEXT: "{{null if {0} is None else text({0})}}",
    Kind.JSON: "{{null if {0} is None else text({0})}}",
    Kind.FLOAT: "{{null if {0} is None else number({0})}}",
}
OTHER = "{{others[type({0})]({0})}}"


def row_writer(batch: BatchInsert | BatchUpdate) -> WriteRows:
    """The function for the rows of a batch as they stand in a statement, each with its parentheses."""
    return _writer(tuple(field.type.kind for field in batch.fields), VALUES)


def line_writer(batch: BatchInsert) -> WriteRows:
    """The function for the rows of a batch as they stand in a file, each without the end of its line."""
    return _writer(tuple(field.type.kind for field in batch.fields), LINES)


@lru_cache(maxsize=256)
def _writer(kinds: tuple[Kind, ...], form: Form) -> WriteRows:
    names = [f"cell_{index}" for index in range(len(kinds))]
    cells = [CELLS.get(kind, OTHER).format(name) for name, kind in zip(names, kinds, strict=True)]
    space = dict(vars(form))
    row = form.row.format(repr(form.between)[1:-1].join(cells))
    unpacked = "".join(f"{name}, " for name in names)
    exec(f'def write(rows):\n    return [f"{row}" for {unpacked}in rows]', space)
    write: WriteRows = space["write"]
    return write
