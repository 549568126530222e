"""Rows of one width, one after the other in a single list.

A tuple for each of 100,000 rows would keep the garbage collector as busy as all that is done with them: it goes through
what there is again and again while more is made. Here tuples are made of what is asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import TypeAlias, overload

__all__ = ["FlatRows", "Values"]

Values: TypeAlias = tuple[object, ...]


class FlatRows(Sequence[Values]):
    """Rows; best asked for by slices, or by columns.

    :param width: how many values each has; a row without any takes the place of one, and is added as ``(None,)``.
    """

    __slots__ = ("_cells", "_width")

    def __init__(self, width: int) -> None:
        self._width = width
        self._cells: list[object] = []

    @classmethod
    def of(cls, width: int, rows: Iterable[Values]) -> "FlatRows":
        """Take up rows that there are."""
        taken = cls(width)
        for row in rows:
            taken.add(row if width else (None,))
        return taken

    @property
    def add(self) -> Callable[[Values], None]:
        """A function that adds a row."""
        return self._cells.extend

    def extend(self, other: "FlatRows") -> None:
        """Add rows of the same width."""
        self._cells += other._cells

    def column(self, position: int) -> list[object]:
        """A value of each row."""
        return self._cells[position :: self._width]

    def __len__(self) -> int:
        return len(self._cells) // (self._width or 1)

    @overload
    def __getitem__(self, index: int) -> Values: ...

    @overload
    def __getitem__(self, index: slice) -> list[Values]: ...

    def __getitem__(self, index: int | slice) -> Values | list[Values]:
        if not isinstance(index, slice):
            position = range(len(self))[index]
            return self._rows(position, position + 1)[0]
        start, stop, step = index.indices(len(self))
        return self._rows(start, stop) if step == 1 else self._rows(0, len(self))[index]

    def __iter__(self) -> Iterator[Values]:
        return self._tuples(self._cells)

    def _rows(self, start: int, stop: int) -> list[Values]:
        width = self._width or 1
        return list(self._tuples(self._cells[start * width : stop * width]))

    def _tuples(self, cells: list[object]) -> Iterator[Values]:
        if not self._width:
            return repeat((), len(cells))
        # The same iterator as often as a row is wide: each tuple takes that many values.
        return zip(*[iter(cells)] * self._width, strict=True)
