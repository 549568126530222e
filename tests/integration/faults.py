"""What tests of faults share: ways to use a database, and administrators and networks that get between."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import DatabaseError, QueryError
from dataflow.testing import Suite
from dataflow.url import DatabaseURL
from dataflow.workflow.graph import Workflow

from .proxy import Proxy, proxied

__all__ = [
    "LOADS",
    "STREAMS",
    "TRANSACTIONS",
    "USES",
    "OnMySQL",
    "OnPostgres",
    "ProxiedSuite",
    "Use",
    "asked",
    "counted",
    "define_item",
    "end_others",
    "names",
    "rows",
    "two_nodes",
]

CANNOT_CONVERT_STRING = 3854
"""MySQL's number for text that its character set for names and statements does not hold."""
MANY = 3000
"""Rows that are copied on PostgreSQL, and more than one statement holds."""


def define_item(db: DataFlow) -> DataFlow:
    @db.model
    class Item:
        name: str
        note: str | None = None
        __dataflow__: ClassVar = {"timestamps": False}

    return db


async def names(db: DataFlow) -> list[str]:
    return [row["name"] for row in (await db.nodes.ItemListNode(order_by=["id"]))["records"]]


async def counted(db: DataFlow) -> dict[str, int]:
    """How many items there are of each name."""
    by_name = [{"$group": {"_id": "$name", "count": {"$count": {}}}}]
    groups = (await db.nodes.ItemListNode(aggregate=by_name))["records"]
    return {group["_id"]: group["count"] for group in groups}


def two_nodes(db: DataFlow, name: str) -> Workflow:
    """A run of one transaction, which writes a name twice."""
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": name})
    builder.add_node("ItemCreateNode", "two", {"name": name})
    return builder.build()


# ------------------------------------------------------------------ uses


async def call(db: DataFlow, name: str) -> None:
    await db.nodes.ItemBulkCreateNode(data=[{"name": name}] * 2)


async def call_in_a_thread(db: DataFlow, name: str) -> None:
    await asyncio.to_thread(db.run_sync, db.nodes.ItemBulkCreateNode(data=[{"name": name}] * 2))


async def run(db: DataFlow, name: str) -> None:
    await AsyncLocalRuntime().execute(two_nodes(db, name))


async def run_in_a_thread(db: DataFlow, name: str) -> None:
    await asyncio.to_thread(LocalRuntime().execute, two_nodes(db, name))


async def transaction(db: DataFlow, name: str) -> None:
    async with db.transaction():
        await db.nodes.ItemCreateNode(name=name)
        async with db.transaction():
            await db.nodes.ItemCreateNode(name=name)


async def stream(db: DataFlow, _: str) -> None:
    seen = [row["name"] async for row in db.stream("ItemListNode", limit=MANY)]
    assert len(seen) % 2 == 0


async def stream_in_a_thread(db: DataFlow, _: str) -> None:
    assert await asyncio.to_thread(lambda: sum(1 for _ in db.stream("ItemListNode", limit=MANY))) % 2 == 0


def rows(name: str) -> list[dict[str, Any]]:
    return [{"name": name, "note": "x" * 100}] * MANY


async def load(db: DataFlow, name: str) -> None:
    await db.nodes.ItemBulkCreateNode(data=rows(name))


async def load_in_a_thread(db: DataFlow, name: str) -> None:
    await asyncio.to_thread(db.run_sync, db.nodes.ItemBulkCreateNode(data=rows(name)))


async def load_from_a_source(db: DataFlow, name: str) -> None:
    async def source() -> AsyncIterator[dict[str, Any]]:
        for row in rows(name):
            yield row

    builder = WorkflowBuilder(db)
    builder.add_node("ItemBulkCreateNode", "many", {"batch_size": MANY // 2})
    await AsyncLocalRuntime().execute(builder.build(), {"many": {"data": source()}})


class Use(NamedTuple):
    """A way to use a database.

    :param begin: does it; what it writes bears the name.
    :param writes: how many rows of the name there are afterwards, or none.
    :param said: so many bytes are on their way, to the server or from it, when it is in the middle.
    """

    begin: Callable[[DataFlow, str], Coroutine[Any, Any, None]]
    writes: int = 2
    said: int = 0

    def __repr__(self) -> str:
        return self.begin.__name__


TRANSACTIONS = [Use(begin, said=60) for begin in (run, run_in_a_thread, transaction)]
USES = [*(Use(begin, said=60) for begin in (call, call_in_a_thread)), *TRANSACTIONS]
STREAMS = [Use(begin, writes=0, said=100_000) for begin in (stream, stream_in_a_thread)]
LOADS = [Use(begin, writes=MANY, said=200_000) for begin in (load, load_in_a_thread, load_from_a_source)]


# ------------------------------------------------------------------ what gets between


class OnPostgres:
    others = (
        "SELECT 'SELECT pg_terminate_backend(' || pid || ')' AS statement FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    sleep = "SELECT pg_sleep(30)"


class OnMySQL:
    others = (
        "SELECT CONCAT('KILL ', id) AS statement FROM information_schema.processlist "
        "WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    )
    sleep = "SELECT SLEEP(30)"


async def asked(db: DataFlow, sql: str) -> list[dict[str, Any]]:
    """What a view of the server's sessions brings.

    Those of MySQL fail at the very moment in which a statement of anybody there has letters beyond U+FFFF. Other tests
    share the server and send such, so then they are asked again.
    """
    while True:
        try:
            records: list[dict[str, Any]] = (await db.nodes.SQLNode(sql=sql))["records"]
            return records
        except QueryError as error:
            if error.__cause__ is None or error.__cause__.args[:1] != (CANNOT_CONVERT_STRING,):
                raise
            await asyncio.sleep(0)


async def end_others(url: str, others: str) -> int:
    """As an administrator: end all other sessions on the database.

    :param others: brings the statements that do it.
    """
    async with DataFlow(url) as administrator:
        found = await asked(administrator, others)
        for row in found:
            with suppress(DatabaseError):  # one that has just ended by itself
                await administrator.nodes.SQLNode(sql=row["statement"])
        return len(found)


class ProxiedSuite(Suite):
    """Databases behind a network that can be stalled and cut."""

    @pytest.fixture
    def proxy(self, url: str) -> Iterator[Proxy]:
        place = DatabaseURL.parse(url)
        with proxied(place.host or "127.0.0.1", place.port or 0) as proxy:
            yield proxy

    @pytest.fixture
    def stalling(self, url: str, proxy: Proxy) -> Iterator[Callable[..., DataFlow]]:
        """Makes databases behind the proxy; options belong into the URL, others to the database."""
        made: list[DataFlow] = []

        def make(pool_size: int = 2, pool_timeout: float = 10, **options: str) -> DataFlow:
            place = DatabaseURL.parse(url)
            place = replace(place, host="127.0.0.1", port=proxy.port, options={**place.options, **options})
            db = DataFlow(place.get_connection_url(), pool_size=pool_size, pool_timeout=pool_timeout)
            made.append(db)
            return define_item(db)

        yield make
        proxy.cut()
        for db in made:
            with db:
                pass
