"""Rows that are bound as a driver asks for them."""

from collections.abc import Sequence
from typing import Any

from dataflow.execution.bound_rows import BoundRows


class Binder:
    """Adds the constants to rows, and notes how many it was given each time."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, rows: Sequence[Sequence[Any]], constants: Sequence[Any]) -> list[tuple[Any, ...]]:
        self.sizes.append(len(rows))
        return [(*row, *constants) for row in rows]


def test_only_what_is_asked_for_is_bound() -> None:
    bind = Binder()
    rows = BoundRows(bind, [(1,), (2,), (3,)], ("now",))
    assert len(rows) == 3
    assert bind.sizes == []
    assert rows[1:] == [(2, "now"), (3, "now")]
    assert bind.sizes == [2]


def test_they_are_a_sequence_like_any_other() -> None:
    rows = BoundRows(Binder(), [(1,), (2,)], ("now",))
    assert list(rows) == [(1, "now"), (2, "now")]
    assert rows[-1] == (2, "now")
    assert [*zip(*rows, strict=True)] == [(1, 2), ("now", "now")]
