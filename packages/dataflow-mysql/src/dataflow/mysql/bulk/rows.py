"""Rows as the text of a list ``VALUES``, by a function that is written for their columns.

A look into a table of types and a call for each value would take longer than the server needs for the row.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from dataflow.abc import BatchInsert, BatchUpdate
from dataflow.mysql.literals import LITERALS
from dataflow.types import Kind

__all__ = ["WriteRows", "row_writer"]

WriteRows: TypeAlias = Callable[[Sequence[Sequence[Any]]], list[str]]

# None of them takes a value that is not what the field holds: it would stand in the statement as it is.
CELLS: Mapping[Kind, str] = {
    Kind.INTEGER: "{{'NULL' if {0} is None else {0}.__index__()}}",
    Kind.TEXT: "{{'NULL' if {0} is None else text({0})}}",
    Kind.JSON: "{{'NULL' if {0} is None else text({0})}}",
    Kind.FLOAT: "{{'NULL' if {0} is None else number({0})}}",
}
OTHER = "{{literals[type({0})]({0})}}"


def row_writer(batch: BatchInsert | BatchUpdate) -> WriteRows:
    """The function for the rows of a batch, each with its parentheses."""
    return _writer(tuple(field.type.kind for field in batch.fields))


@lru_cache(maxsize=256)
def _writer(kinds: tuple[Kind, ...]) -> WriteRows:
    names = [f"cell_{index}" for index in range(len(kinds))]
    cells = ",".join(CELLS.get(kind, OTHER).format(name) for name, kind in zip(names, kinds, strict=True))
    space: dict[str, Any] = {"literals": LITERALS, "text": LITERALS[str], "number": LITERALS[float]}
    unpacked = "".join(f"{name}, " for name in names)
    exec(f'def write(rows):\n    return [f"({cells})" for {unpacked}in rows]', space)
    write: WriteRows = space["write"]
    return write
