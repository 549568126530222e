"""Keeping the good rows: what it costs, and which errors end it."""

from collections.abc import Iterator, Sequence
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.errors import CheckViolation, DatabaseBusy, ScopeLost
from dataflow.execution.salvage import salvage
from dataflow.execution.stepping import step
from dataflow.execution.workers import Workers
from dataflow.sqlite.driver import SQLiteConnection
from dataflow.sqlite.options import SQLiteOptions


@pytest.fixture(scope="module")
def connection() -> Iterator[SQLiteConnection]:
    connection = SQLiteConnection(
        SQLiteOptions(":memory:", mode="memory", wal=False), Workers("dataflow-sqlite")
    )
    step(connection.open())
    step(connection.execute("CREATE TABLE numbers (number INTEGER CHECK (number >= 0))"))
    yield connection
    step(connection.close())


class Table:
    """Stores numbers one by one and counts how often it was asked to."""

    def __init__(self, connection: SQLiteConnection) -> None:
        self.connection = connection
        self.calls = 0

    async def store(self, numbers: Sequence[int]) -> None:
        self.calls += 1
        for number in numbers:
            await self.connection.execute("INSERT INTO numbers VALUES (?)", (number,))

    def stored(self) -> list[int]:
        return [number for (number,) in step(self.connection.fetch("SELECT number FROM numbers", ()))]


@settings.get_profile("few")
@given(st.lists(st.integers(-3, 40), max_size=60))
def test_good_rows_stay_and_the_cost_grows_with_the_bad_ones(
    connection: SQLiteConnection, numbers: list[int]
) -> None:
    table = Table(connection)
    step(connection.execute("BEGIN"))
    refused = step(salvage(connection, numbers, table.store))
    bad = [position for position, number in enumerate(numbers) if number < 0]
    assert [position for position, _ in refused] == bad
    assert all(type(error) is CheckViolation for _, error in refused)
    assert table.stored() == [number for number in numbers if number >= 0]
    assert table.calls <= 1 + 2 * len(bad) * (1 + log2(max(len(numbers), 1)))
    step(connection.rollback())


def test_an_error_that_is_not_about_a_row_ends_it_at_once(connection: SQLiteConnection) -> None:
    calls = 0

    async def store(numbers: Sequence[int]) -> None:
        nonlocal calls
        calls += 1
        raise DatabaseBusy("locked")

    step(connection.execute("BEGIN"))
    with pytest.raises(DatabaseBusy):
        step(salvage(connection, [1, 2, 3], store))
    assert calls == 1
    step(connection.rollback())


def test_a_transaction_that_the_database_has_ended_is_lost(connection: SQLiteConnection) -> None:
    async def store(numbers: Sequence[int]) -> None:
        await connection.execute("INSERT OR ROLLBACK INTO numbers VALUES (-1)")

    step(connection.execute("BEGIN"))
    with pytest.raises(ScopeLost, match="has ended the transaction"):
        step(salvage(connection, [1, 2, 3], store))
    assert not connection.in_transaction
