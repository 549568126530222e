"""A transaction begins with its first statement, and a part of it with its own: no trip is made for that alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import asyncpg
import pytest

from dataflow import AsyncLocalRuntime, DataFlow, WorkflowBuilder
from dataflow.errors import ConnectionLost, DatabaseError
from dataflow.postgres import driver
from dataflow.postgres.driver import PostgresConnection
from dataflow.postgres.options import PostgresOptions
from dataflow.url import DatabaseURL

PID = "SELECT pg_backend_pid()"
OPEN = "SELECT pg_current_xact_id()::text::bigint"
"""The number of the transaction: two statements see the same one within one transaction only."""


Use = Callable[[PostgresConnection], Awaitable[None]]


class Trips:
    """Awaits something, and counts how often it had to wait."""

    def __init__(self, work: Awaitable[Any]) -> None:
        self._work = work
        self.count = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        while True:
            try:
                waits_for = next(steps)
            except StopIteration as end:
                return end.value
            self.count += 1
            yield waits_for


async def counted(work: Awaitable[Any]) -> int:
    trips = Trips(work)
    await trips
    return trips.count


@asynccontextmanager
async def opened(url: str, **options: str) -> AsyncIterator[PostgresConnection]:
    said = "".join(
        f"{'&' if number else '?'}{name}={value}" for number, (name, value) in enumerate(options.items())
    )
    connection = PostgresConnection(PostgresOptions.of(DatabaseURL.parse(url + said)))
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


def use(url: str, work: Use, **options: str) -> None:
    async def main() -> None:
        async with opened(url, **options) as connection:
            await work(connection)

    asyncio.run(main())


async def number(connection: PostgresConnection) -> int:
    return int((await connection.fetch(OPEN, ()))[0][0])


def define(db: DataFlow) -> None:
    @db.model
    class Item:
        code: int
        __dataflow__: ClassVar = {"timestamps": False}


def test_a_run_waits_for_its_statements_and_its_commit_alone(url: str) -> None:
    async def main() -> None:
        async with DataFlow(url, pool_size=1) as db:
            define(db)
            workflow = WorkflowBuilder(db)
            workflow.add_node("ItemCreateNode", "new", {"code": 1})
            workflow.add_node("ItemCreateNode", "another", {"code": 2})
            run, runtime = workflow.build(), AsyncLocalRuntime()
            await runtime.execute(run)
            assert await counted(runtime.execute(run)) == 3
            assert (await db.nodes.ItemListNode(count_only=True))["count"] == 4

    asyncio.run(main())


def test_a_call_within_a_transaction_waits_for_its_statement_alone(url: str) -> None:
    async def main() -> None:
        async with DataFlow(url, pool_size=1) as db:
            define(db)

            async def several() -> None:
                async with db.transaction():
                    await db.nodes.ItemUpdateNode(conditions={"code": 1}, updates={"code": 2}, required=False)
                    await db.nodes.ItemUpdateNode(conditions={"code": 3}, updates={"code": 4}, required=False)

            await several()
            assert await counted(several()) == 3

    asyncio.run(main())


def test_all_statements_are_in_the_transaction_that_begins_with_the_first(url: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        await number(connection)
        assert await counted(connection.execute("BEGIN")) == 0
        assert (connection.in_transaction, connection.usable) == (True, False)
        first = await number(connection)
        assert await number(connection) == first
        await connection.execute("COMMIT")
        assert (connection.in_transaction, connection.usable) == (False, True)
        assert await number(connection) != first

    use(url, work)


def test_a_transaction_without_statements_is_nothing_to_the_server(url: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        for end in (connection.execute("COMMIT"), connection.rollback()):
            await connection.execute("BEGIN")
            assert await counted(end) == 0
            assert connection.usable

    use(url, work)


@pytest.mark.parametrize(
    "first", ["SAVEPOINT a", "SET LOCAL search_path TO nowhere", "LOCK TABLE pg_catalog.pg_class"]
)
def test_it_may_begin_with_a_statement_that_brings_nothing(url: str, first: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        await connection.execute("BEGIN")
        await connection.execute(first)
        assert connection.in_transaction
        opened = await number(connection)
        assert await number(connection) == opened
        await connection.rollback()
        assert await number(connection) != opened

    use(url, work)


def test_it_may_begin_with_a_statement_that_tells_how_many_rows_it_touched(url: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        await connection.execute("CREATE TABLE counts (n bigint)")
        await connection.execute("BEGIN")
        assert await connection.execute("INSERT INTO counts VALUES ($1), (2)", [1]) == 2
        await connection.rollback()
        assert await connection.fetch("SELECT n FROM counts", ()) == []

    use(url, work)


def test_it_may_begin_with_a_statement_that_has_no_name(url: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        long = f"{OPEN} -- {'x' * 20_000}"
        await connection.execute("BEGIN")
        first = (await connection.fetch(long, ()))[0][0]
        assert await number(connection) == first
        await connection.rollback()
        assert await number(connection) != first

    use(url, work)


@pytest.mark.parametrize("options", [{"statement_cache": "0"}, {"timeout": "20"}])
def test_it_begins_by_itself_where_its_statements_need_a_message_or_a_time_of_their_own(
    url: str, options: dict[str, str]
) -> None:
    async def work(connection: PostgresConnection) -> None:
        assert await counted(connection.execute("BEGIN")) > 0
        first = await number(connection)
        assert await number(connection) == first

    use(url, work, **options)


@pytest.mark.parametrize("begins_before", [False, True])
def test_parameters_that_are_refused_before_they_are_sent_leave_the_connection_in_step(
    url: str, begins_before: bool
) -> None:
    async def work(connection: PostgresConnection) -> None:
        sql = "SELECT CAST($1 AS bigint)"
        await connection.fetch(sql, [1])
        await connection.execute("BEGIN")
        first = await number(connection) if begins_before else None
        await connection.execute("SAVEPOINT a")
        with pytest.raises(DatabaseError):
            await connection.fetch(sql, ["no number"])
        assert connection.in_transaction
        await connection.execute("ROLLBACK TO SAVEPOINT a")
        second = await number(connection)
        assert first in (None, second)
        assert await number(connection) == second
        await connection.rollback()
        assert connection.usable
        assert await number(connection) != second

    use(url, work)


def test_a_savepoint_is_there_when_the_first_statement_after_it_fails(url: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        for sql in ("SELECT 1 FROM nowhere", "SELECT 1 / (SELECT 0)", "SELECT 1 / (SELECT 0)"):
            await connection.execute("BEGIN")
            first = await number(connection)
            await connection.execute("SAVEPOINT a")
            with pytest.raises(DatabaseError):
                await connection.fetch(sql, ())
            await connection.execute("ROLLBACK TO SAVEPOINT a")
            await connection.execute("RELEASE SAVEPOINT a")
            assert await number(connection) == first
            await connection.execute("COMMIT")
            assert connection.usable

    use(url, work)


@pytest.mark.parametrize("sql", ["SELECT 1 FROM nowhere", "SELECT 1 / (SELECT 0)"])
def test_where_the_first_statement_fails_the_transaction_can_be_undone(url: str, sql: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        await connection.execute("BEGIN")
        with pytest.raises(DatabaseError):
            await connection.fetch(sql, ())
        assert connection.in_transaction
        await connection.rollback()
        assert connection.usable
        assert await number(connection)

    use(url, work)


def test_one_whose_first_statement_was_cancelled_can_be_undone(url: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        await connection.execute("BEGIN")
        async with opened(url) as observer:
            sleeping = asyncio.ensure_future(connection.fetch("SELECT pg_sleep(60)", ()))
            while not await observer.fetch(RUNNING, ()):
                await asyncio.sleep(0)
            sleeping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sleeping
            await connection.rollback()
            assert await observer.fetch(RUNNING, ()) == []
        assert connection.usable
        first = await number(connection)
        assert await number(connection) != first

    use(url, work)


RUNNING = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
    "AND query LIKE 'SELECT pg_sleep%'"
)


def test_a_first_statement_that_was_cancelled_takes_only_its_call_with_it(url: str) -> None:
    async def main() -> None:
        async with DataFlow(url) as db:
            define(db)
            await db.nodes.ItemCreateNode(code=1)
            await db.nodes.ItemUpdateNode(id=1, code=1)
            async with opened(url) as other, db.transaction():
                await other.execute("BEGIN")
                await other.execute('UPDATE "items" SET code = $1', [2])
                waiting = asyncio.ensure_future(db.nodes.ItemUpdateNode(id=1, code=3))
                while not await other.fetch(WAITING, ()):
                    await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                await other.execute("COMMIT")
                await db.nodes.ItemCreateNode(code=4)
            assert [row["code"] for row in (await db.nodes.ItemListNode())["records"]] == [2, 4]

    asyncio.run(main())


WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND query LIKE 'UPDATE%'"
)


async def end(observer: PostgresConnection, connection: PostgresConnection) -> None:
    pid = connection._raw.get_server_pid()
    await observer.fetch("SELECT pg_terminate_backend($1)", [pid])


@pytest.mark.parametrize("way", ["run", "transaction"])
def test_a_transaction_begins_elsewhere_where_the_server_has_ended_the_connection(url: str, way: str) -> None:
    async def main() -> None:
        async with DataFlow(url, pool_size=1, pool_max_overflow=0) as db, opened(url) as observer:
            define(db)
            workflow = WorkflowBuilder(db)
            workflow.add_node("ItemCreateNode", "new", {"code": 1})
            workflow.add_node("ItemCreateNode", "another", {"code": 2})
            run = workflow.build()

            async def create_two() -> None:
                if way == "run":
                    await AsyncLocalRuntime().execute(run)
                    return
                async with db.transaction():
                    await db.nodes.ItemCreateNode(code=1)
                    await db.nodes.ItemCreateNode(code=2)

            for turns in range(80):
                await create_two()
                await observer.fetch(END_OTHERS, ())
                # However much of the end has arrived by then.
                for _ in range(turns % 20):
                    await asyncio.sleep(0)
                await create_two()
            assert (await db.nodes.ItemListNode(count_only=True))["count"] == 320

    asyncio.run(main())


END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@pytest.mark.parametrize("before", ["SAVEPOINT a", "RELEASE SAVEPOINT a"])
def test_a_transaction_that_has_begun_is_lost_with_its_connection(url: str, before: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        await connection.execute("BEGIN")
        await number(connection)
        async with opened(url) as observer:
            await end(observer, connection)

            async def go_on() -> None:
                await connection.execute(before)
                await number(connection)

            with pytest.raises(ConnectionLost):
                await go_on()
        assert not connection.usable

    use(url, work)


def test_a_cursor_that_fails_leaves_the_savepoint_that_came_before_it(url: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        await connection.execute("BEGIN")
        first = await number(connection)
        await connection.execute("SAVEPOINT a")
        cursor = await connection.open_cursor("SELECT 1 / (3 - n) FROM generate_series(1, 9) AS n", ())
        assert len(await cursor.fetch(2)) == 2
        await connection.execute("RELEASE SAVEPOINT a")
        await connection.execute("SAVEPOINT b")
        with pytest.raises(DatabaseError):
            await cursor.fetch(2)
        await connection.execute("ROLLBACK TO SAVEPOINT b")
        assert await number(connection) == first
        await connection.execute("COMMIT")
        assert connection.usable

    use(url, work)


def test_a_connection_that_was_closed_begins_nothing(url: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        await connection.execute("BEGIN")
        await connection.close()
        assert not connection.in_transaction
        with pytest.raises(ConnectionLost):
            await number(connection)

    use(url, work)


def test_a_connection_that_a_server_has_lost_itself_is_no_reason_to_begin_elsewhere(url: str) -> None:
    async def work(connection: PostgresConnection) -> None:
        await connection.execute("CREATE SEQUENCE calls")
        await connection.execute(REMOTE)
        await connection.execute("BEGIN")
        with pytest.raises(ConnectionLost):
            await connection.fetch("SELECT remote()", ())
        async with opened(url) as other:
            assert tuple((await other.fetch("SELECT last_value, is_called FROM calls", ()))[0]) == (1, True)

    use(url, work)


REMOTE = """
CREATE FUNCTION remote() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('calls'); RAISE EXCEPTION 'no answer' USING ERRCODE = '08001'; END $$
"""


def test_where_the_server_is_full_by_then_the_connection_is_lost(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(**arguments: Any) -> Any:
        raise asyncpg.TooManyConnectionsError("sorry")

    async def work(connection: PostgresConnection) -> None:
        async with opened(url) as observer:
            await connection.execute("BEGIN")
            await end(observer, connection)
            monkeypatch.setattr(asyncpg, "connect", full)
            with pytest.raises(ConnectionLost):
                await number(connection)
            monkeypatch.undo()

    use(url, work)


def test_a_first_statement_that_somebody_ends_does_not_come_back(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "A_MOMENT", 0)

    async def work(connection: PostgresConnection) -> None:
        pid = (await connection.fetch(PID, ()))[0][0]
        await connection.execute("BEGIN")
        async with opened(url) as observer:
            sleeping = asyncio.ensure_future(connection.fetch("SELECT pg_sleep(60)", ()))
            while not await observer.fetch(RUNNING, ()):
                await asyncio.sleep(0)
            await observer.fetch("SELECT pg_terminate_backend($1)", [pid])
            with pytest.raises(ConnectionLost):
                await sleeping
            assert await observer.fetch(RUNNING, ()) == []

    use(url, work)
