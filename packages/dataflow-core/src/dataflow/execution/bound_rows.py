"""Rows of a batch as the driver takes them, made as it goes: a server works on some while the next are made."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

from dataflow.sql.compiled import BindRows

__all__ = ["BoundRows"]

Row = Sequence[Any]


class BoundRows(Sequence[Row]):
    """Rows, each bound when it is asked for: best asked for by slices, which are lists.

    :param bind: binds some of them.
    :param constants: the values that all rows share.
    """

    __slots__ = ("_bind", "_constants", "_rows")

    def __init__(self, bind: BindRows, rows: Sequence[Row], constants: Row) -> None:
        self._bind = bind
        self._rows = rows
        self._constants = constants

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return self._bind(self._rows[index], self._constants)
        return self._bind((self._rows[index],), self._constants)[0]

    def __iter__(self) -> Iterator[Row]:
        return iter(self[:])
