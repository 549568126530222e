"""Rows whose values stand in one list."""

import gc

import pytest

from dataflow.nodes.flat_rows import FlatRows, Values

ROWS: list[Values] = [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


def test_they_are_a_sequence_like_any_other() -> None:
    rows = FlatRows.of(2, ROWS)
    assert len(rows) == 4
    assert list(rows) == ROWS
    assert rows[0] == (1, "a")
    assert rows[-1] == (4, "d")
    for part in (slice(None), slice(1, 3), slice(2, 99), slice(3, 1), slice(-2, None), slice(None, None, -1)):
        assert rows[part] == ROWS[part]
    with pytest.raises(IndexError):
        _ = rows[4]


def test_columns() -> None:
    assert FlatRows.of(2, ROWS).column(1) == ["a", "b", "c", "d"]


def test_others_can_be_added() -> None:
    rows = FlatRows.of(2, ROWS[:1])
    rows.extend(FlatRows.of(2, ROWS[1:3]))
    rows.add(ROWS[3])
    assert list(rows) == ROWS


def test_rows_without_values_are_counted() -> None:
    rows = FlatRows.of(0, [(), ()])
    rows.add((None,))
    assert len(rows) == 3
    assert list(rows) == [(), (), ()]
    assert rows[1:] == [(), ()]
    assert rows[0] == ()


def test_they_keep_nothing_for_the_garbage_collector_but_a_list() -> None:
    rows = FlatRows(2)
    for number in range(100):
        rows.add((number, "a"))
    (cells,) = (held for held in gc.get_referents(rows) if isinstance(held, list))
    assert not any(map(gc.is_tracked, cells))
