"""Sessions: what is left in one, what outlasts a cancellation, where its tables are."""

import asyncio
from typing import Any, ClassVar

import asyncpg
import pytest
from asyncpg.prepared_stmt import PreparedStatement

from dataflow import DataFlow
from dataflow.errors import ConnectionLost, StatementTimeout
from dataflow.postgres.driver import PostgresConnection
from dataflow.postgres.options import PostgresOptions
from dataflow.url import DatabaseURL

PID = "SELECT pg_backend_pid() AS pid"
SLEEP = "SELECT pg_sleep(60)"


def define(db: DataFlow) -> DataFlow:
    @db.model
    class Item:
        name: str
        __dataflow__: ClassVar = {"timestamps": False}

    return db


def ask(db: DataFlow, sql: str) -> Any:
    return db.run_sync(db.nodes.SQLNode(sql=sql))["records"]


def last_words(observer: DataFlow) -> list[str]:
    """The last statement of each other session."""
    sql = (
        "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend' AND application_name = 'dataflow'"
    )
    return [row["query"] for row in ask(observer, sql)]


def test_nothing_is_sent_when_a_connection_is_given_back(url: str) -> None:
    with DataFlow(url, pool_size=1) as db, DataFlow(url) as observer:
        define(db)
        db.run_sync(db.nodes.ItemCreateNode(name="a"))
        db.run_sync(db.nodes.ItemListNode())
        assert [words.startswith("SELECT") for words in last_words(observer)] == [True]
        db.run_sync(db.nodes.ItemBulkCreateNode(data=[{"name": "b"}] * 300))
        assert last_words(observer) == ["COMMIT"]


def test_what_is_set_for_a_transaction_ends_with_it(url: str) -> None:
    async def main(db: DataFlow) -> None:
        async with db.transaction():
            await db.nodes.SQLNode(sql="SELECT set_config('search_path', 'nowhere', true)")
        found = await db.nodes.SQLNode(sql="SELECT current_setting('search_path') AS path")
        assert found["records"][0]["path"] != "nowhere"

    with DataFlow(url, pool_size=1) as db:
        asyncio.run(main(db))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_advisory_lock(7)",
        "SELECT set_config('search_path', 'nowhere', false)",
        "LISTEN news",
        "DO $$ BEGIN SET work_mem = '1MB'; END $$",
        "CREATE TEMPORARY TABLE notes (amount integer)",
    ],
)
def test_what_outlasts_a_transaction_is_left_to_nobody(db: DataFlow, sql: str) -> None:
    async def main() -> None:
        async with db.transaction():
            before = await db.nodes.SQLNode(sql=PID)
            await db.nodes.SQLNode(sql=sql)
            assert (await db.nodes.SQLNode(sql=PID))["records"] == before["records"]
        assert (await db.nodes.SQLNode(sql=PID))["records"] != before["records"]
        # Here it would wait for ever if that lock were held.
        await asyncio.wait_for(db.nodes.SQLNode(sql="SELECT pg_advisory_xact_lock(7)"), 60)

    asyncio.run(main())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_advisory_xact_lock(7)",
        "SELECT set_config('lock_timeout', '2s', true)",
        "CREATE TEMPORARY TABLE notes ON COMMIT DROP AS SELECT 1 AS amount",
    ],
)
def test_what_ends_with_its_transaction_keeps_the_connection(db: DataFlow, sql: str) -> None:
    before = ask(db, PID)
    ask(db, sql)
    assert ask(db, PID) == before


def test_a_session_lives_in_utc_and_has_a_name(db: DataFlow) -> None:
    sql = "SELECT current_setting('TimeZone') AS zone, current_setting('application_name') AS name"
    assert ask(db, sql) == [{"zone": "UTC", "name": "dataflow"}]


def test_texts_in_filters_mean_themselves_however_the_server_is_set_up(url: str) -> None:
    with DataFlow(url) as db:
        name = url.rpartition("/")[2]
        ask(db, f'ALTER DATABASE "{name}" SET standard_conforming_strings = off')
    with DataFlow(url) as db:
        assert ask(db, "SELECT 'a\\\\b' AS text") == [{"text": "a\\\\b"}]


def test_a_session_may_have_another_name(url: str) -> None:
    with DataFlow(f"{url}?application_name=till%203") as db:
        assert ask(db, "SELECT current_setting('application_name') AS name") == [{"name": "till 3"}]


def test_the_connection_of_a_statement_that_was_cancelled_serves_the_next(url: str) -> None:
    async def main(db: DataFlow) -> None:
        before = (await db.nodes.SQLNode(sql=PID))["records"]
        sleeping = asyncio.ensure_future(db.nodes.SQLNode(sql=SLEEP))
        async with DataFlow(url) as observer:
            while not (await observer.nodes.SQLNode(sql=RUNNING))["records"][0]["n"]:
                await asyncio.sleep(0)
            sleeping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sleeping
            assert (await observer.nodes.SQLNode(sql=RUNNING))["records"][0]["n"] == 0
        assert (await db.nodes.SQLNode(sql=PID))["records"] == before

    with DataFlow(url, pool_size=1) as db:
        asyncio.run(main(db))


RUNNING = (
    "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
    "AND query LIKE 'SELECT pg_sleep%'"
)


def test_a_statement_that_takes_longer_than_it_may_is_ended_on_the_server(url: str) -> None:
    with DataFlow(f"{url}?timeout=0.3", pool_size=1) as db, DataFlow(url) as observer:
        before = ask(db, PID)
        with pytest.raises(StatementTimeout, match="timeout in the URL"):
            ask(db, SLEEP)
        assert ask(observer, RUNNING) == [{"n": 0}]
        assert ask(db, PID) == before


async def opened(url: str) -> PostgresConnection:
    connection = PostgresConnection(PostgresOptions.of(DatabaseURL.parse(url)))
    await connection.open()
    return connection


def test_the_time_of_a_statement_begins_with_its_first_message(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = asyncpg.Connection._get_statement
    times: list[float | None] = []

    async def prepare_in_time(raw: Any, query: str, timeout: float | None, **named: Any) -> Any:
        times.append(timeout)
        return await prepare(raw, query, timeout, **named)

    with DataFlow(f"{url}?timeout=20") as db:
        define(db)
        db.run_sync(db.nodes.ItemCreateNode(name="a"))
        monkeypatch.setattr(asyncpg.Connection, "_get_statement", prepare_in_time)
        assert db.run_sync(db.nodes.ItemListNode())["count"] == 1
        assert db.run_sync(db.nodes.ItemDeleteNode(id=1))["deleted"] == 1
        monkeypatch.undo()
    # What the first message takes is taken off the time of the second, which a message without a time cannot do.
    assert times
    assert all(time is not None and time <= 20 for time in times)


def test_a_statement_of_the_users_own_has_one_time_for_all_its_messages(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = PreparedStatement.fetch
    times: list[float | None] = []

    async def fetch_in_time(
        statement: Any, *parameters: Any, timeout: float | None = None, **named: Any
    ) -> Any:
        times.append(timeout)
        return await fetch(statement, *parameters, timeout=timeout, **named)

    monkeypatch.setattr(PreparedStatement, "fetch", fetch_in_time)
    with DataFlow(f"{url}?timeout=20") as db:
        assert ask(db, "SELECT 1 AS n") == [{"n": 1}]
    (time,) = times
    assert time is not None
    assert 0 < time < 20


@pytest.mark.parametrize("way", ["fetch", "execute"])
def test_a_connection_that_ends_once_a_statement_is_prepared_is_lost_before_it_ran(
    url: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = asyncpg.Connection._get_statement

    async def prepare_and_end(raw: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return await prepare(raw, *arguments, **named)
        finally:
            raw.terminate()

    async def main() -> bool:
        connection = await opened(url)
        monkeypatch.setattr(asyncpg.Connection, "_get_statement", prepare_and_end)
        with pytest.raises(ConnectionLost) as caught:
            await getattr(connection, way)("SELECT $1::bigint AS n", (1,))
        await connection.close()
        return caught.value.may_have_run

    assert not asyncio.run(main())


def test_tables_are_where_the_url_says(url: str) -> None:
    with DataFlow(url) as db:
        ask(db, 'CREATE SCHEMA "Odd ""Name"""')
    with DataFlow(f"{url}?schema=Odd%20%22Name%22") as there, DataFlow(url) as here:
        define(there)
        define(here)
        there.run_sync(there.nodes.ItemBulkCreateNode(data=[{"name": "there"}] * 300))
        here.run_sync(here.nodes.ItemCreateNode(name="here"))
        assert there.run_sync(there.nodes.ItemListNode())["count"] == 300
        assert here.run_sync(here.nodes.ItemListNode())["count"] == 1
        found = ask(here, "SELECT schemaname FROM pg_tables WHERE tablename = 'items' ORDER BY 1")
    assert [row["schemaname"] for row in found] == ['Odd "Name"', "public"]


def test_a_table_is_found_along_the_search_path(url: str) -> None:
    with DataFlow(url) as db:
        ask(db, "CREATE SCHEMA shop")
        ask(
            db,
            "CREATE TABLE shop.items (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text NOT NULL)",
        )
        name = url.rpartition("/")[2]
        ask(db, f'ALTER DATABASE "{name}" SET search_path = shop, public')
    with DataFlow(url) as db:
        define(db)
        db.run_sync(db.nodes.ItemBulkCreateNode(data=[{"name": "a"}] * 100))
        assert ask(db, "SELECT count(*) AS n FROM shop.items") == [{"n": 100}]
