"""Poolers that hand each transaction to another session: nothing in a session is relied upon."""

import asyncio
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import QueryError
from dataflow.testing.local_server import Launch, LocalServer, Site
from dataflow.url import DatabaseURL

PREPARED = "SELECT count(*) AS n FROM pg_prepared_statements"
LISTEN = """
CREATE TABLE heard (sql text);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO heard VALUES (current_query()); RETURN NULL; END
$$;
CREATE TRIGGER hear AFTER INSERT ON items FOR EACH STATEMENT EXECUTE FUNCTION hear()
"""
HEARD = "SELECT count(*) FILTER (WHERE sql LIKE 'COPY %'), count(*) FILTER (WHERE sql LIKE '%pg_temp.%') FROM heard"


def define(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        number: int = 0
        tags: list[str] | None = None
        __dataflow__: ClassVar = {"timestamps": False}


async def every_kind_of_work(db: DataFlow, name: str) -> None:
    """Statements of every kind, on a table that others write to as well."""
    nodes = db.nodes
    id = (await nodes.ItemCreateNode(name=name, tags=["x"]))["id"]
    assert (await nodes.ItemReadNode(id=id))["name"] == name
    await nodes.ItemUpdateNode(id=id, updates={"$inc": {"number": 1}})
    data = [{"name": name, "number": 2, "tags": ["a", "b"]} for _ in range(300)]
    rows = (await nodes.ItemBulkCreateNode(data=data, return_rows=True))["result"]
    await nodes.ItemBulkCreateNode(data=data)
    await nodes.ItemBulkUpdateNode(data=[{"id": row["id"], "number": 3} for row in rows])
    await nodes.ItemBulkUpsertNode(data=[{"id": row["id"], "name": name, "number": 4} for row in rows])
    assert (await nodes.ItemListNode(filter={"name": name, "tags.1": "b"}, count_only=True))["count"] == 600
    async with db.transaction():
        found = await nodes.SQLNode(
            sql="SELECT sum(number)::bigint AS n FROM items WHERE name = :name", name=name
        )
        assert found["records"] == [{"n": 300 * 4 + 300 * 2 + 1}]
    streamed = [row async for row in db.stream("ItemListNode", filter={"name": name})]
    assert len(streamed) == 601
    await nodes.ItemBulkDeleteNode(filter={"name": name})


def raw_of(db: DataFlow) -> Any:
    """The only connection of the driver."""
    pool: Any = db.databases()["primary"].pool
    (home,) = pool._homes.values()
    (connection,) = home.pool._idle
    return connection._raw


@pytest.mark.parametrize("cache", [0, 500])
def test_without_the_cache_no_statement_is_left_in_a_session(url: str, cache: int) -> None:
    async def main(db: DataFlow) -> None:
        await every_kind_of_work(db, "a")
        left = (await db.nodes.SQLNode(sql=PREPARED))["records"][0]["n"]
        assert (left == 0) is (cache == 0)

    with DataFlow(f"{url}?statement_cache={cache}", pool_size=1) as db:
        define(db)
        asyncio.run(main(db))


def test_without_the_cache_a_session_may_be_emptied_between_any_two_runs(url: str) -> None:
    async def main(db: DataFlow) -> None:
        for _ in range(2):
            await every_kind_of_work(db, "a")
            await raw_of(db).execute("DISCARD ALL")

    with DataFlow(f"{url}?statement_cache=0", pool_size=1) as db:
        define(db)
        asyncio.run(main(db))


def test_with_the_cache_an_emptied_session_says_what_to_do(url: str) -> None:
    async def main(db: DataFlow) -> None:
        await db.nodes.ItemReadNode(id=1)
        await raw_of(db).execute("DEALLOCATE ALL")
        await db.nodes.ItemReadNode(id=1)

    with DataFlow(url, pool_size=1) as db:
        define(db)
        with pytest.raises(QueryError, match="statement_cache=0"):
            asyncio.run(main(db))


@pytest.mark.parametrize("cache", [0, 500])
def test_without_the_cache_no_rows_travel_by_copy(url: str, cache: int) -> None:
    """PgBouncer 1.26 does not get over a COPY whose rows come before the server has asked for them."""

    async def main(db: DataFlow) -> None:
        nodes = db.nodes
        await nodes.ItemCreateNode(name="a")
        await raw_of(db).execute(LISTEN)
        data = [{"name": "b"} for _ in range(300)]
        await nodes.ItemBulkCreateNode(data=data)
        rows = (await nodes.ItemBulkCreateNode(data=data, return_rows=True))["result"]
        await nodes.ItemBulkUpsertNode(data=[{"id": row["id"] + 1000, "name": "c"} for row in rows])
        by_copy, through_table = await raw_of(db).fetchrow(HEARD)
        assert (by_copy > 0, through_table > 0) == ((False, False) if cache == 0 else (True, True))

    with DataFlow(f"{url}?statement_cache={cache}", pool_size=1) as db:
        define(db)
        asyncio.run(main(db))


@pytest.fixture
def pooled(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of the same database behind PgBouncer, with fewer sessions than there are connections."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    place = DatabaseURL.parse(url)

    def set_up(site: Site) -> Launch:
        server = f"host={place.host} port={place.port} user={place.username}"
        server += f" password={place.password}" if place.password else ""
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": site.port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": 3,
            "ignore_startup_parameters": "extra_float_digits",
        }
        lines = ["[databases]", f"* = {server}", "[pgbouncer]", *(f"{k} = {v}" for k, v in settings.items())]
        file = site.folder / "pgbouncer.ini"
        file.write_text("\n".join(lines))
        behind = replace(place, host="127.0.0.1", port=site.port, password=None)
        return Launch((program, file), behind.get_connection_url(), signal.SIGTERM, signal.SIGTERM)

    server = LocalServer.share(tmp_path, "pgbouncer", "postgres", set_up, answers)
    yield server.url
    server.stop()


def answers(url: str) -> bool:
    try:
        with DataFlow(f"{url}?statement_cache=0") as db:
            db.run_sync(db.nodes.SQLNode(sql="SELECT 1"))
    except Exception:
        return False
    return True


def test_many_tasks_share_few_sessions_behind_pgbouncer(pooled: str) -> None:
    async def main(db: DataFlow) -> None:
        await asyncio.gather(*(every_kind_of_work(db, f"task {number}") for number in range(6)))

    with DataFlow(f"{pooled}?statement_cache=0", pool_size=6) as db:
        define(db)
        asyncio.run(main(db))


def test_a_run_behind_pgbouncer_is_one_transaction(pooled: str) -> None:
    with DataFlow(f"{pooled}?statement_cache=0") as db:
        define(db)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "a"})
        builder.add_node("SQLNode", "two", {"sql": "SELECT count(*) AS n FROM items"})
        results, _ = LocalRuntime().execute(builder.build())
        assert results["two"]["records"] == [{"n": 1}]
