"""Connections: what their contract asks for and no node shows."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from dataflow import DataFlow, Field
from dataflow.abc import Connection
from dataflow.capabilities import Capability
from dataflow.testing.conformance.items import define_item, names
from dataflow.testing.conformance.sessions import is_the_database
from dataflow.testing.suite import requires

__all__ = ["DriverTests"]

FIVE_ROWS = " UNION ALL ".join(f"SELECT {number} AS n" for number in range(5))
PATIENCE = 120  # seconds for a process to begin, to be interrupted and to end
# In a process of its own, as nothing else ends a statement that is not interrupted: it would take years.
INTERRUPTED = """
import asyncio
import sys

from dataflow import DataFlow
from dataflow.testing.conformance.items import define_item

LONG = "SELECT SUM(a.amount * b.amount + c.amount * d.amount + e.amount * f.amount) AS n FROM "
LONG += ", ".join(f"items {name}" for name in "abcdef")

async def alone(db):
    await db.nodes.SQLNode(sql=LONG)

async def within(db):
    async with db.transaction():
        await db.nodes.ItemCreateNode(name="undone")
        await db.nodes.SQLNode(sql=LONG)

async def main():
    async with DataFlow(sys.argv[1]) as db:
        define_item(db)
        await db.nodes.ItemBulkCreateNode(data=[{"name": str(n), "amount": n % 2} for n in range(1000)])
        for work in (alone, within):
            try:
                async with asyncio.timeout(0.2):
                    await work(db)
            except TimeoutError:
                print("interrupted")
        await db.nodes.ItemCreateNode(name="after")
        print((await db.nodes.ItemListNode(count_only=True))["count"])

asyncio.run(main())
"""


@asynccontextmanager
async def connected(db: DataFlow) -> AsyncIterator[Connection]:
    """A connection of the dialect that no pool knows."""
    connection = db.databases()["primary"].dialect.connection()
    await connection.open()
    try:
        yield connection
    finally:
        await connection.rollback()
        await connection.close()


def open_things() -> tuple[int, int]:
    """How many files and sockets, where the system tells, and how many threads this process has."""
    files = len(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else 0
    return files, threading.active_count()


class DriverTests:
    """A connection tells the truth about itself, can be interrupted, and leaves nothing behind."""

    def test_what_is_declared_is_there(self, db: DataFlow) -> None:
        dialect = db.databases()["primary"].dialect
        members = {
            Capability.ARRAYS: "document",
            Capability.DISCOVERY: "discover",
            Capability.REPLICAS: "replication",
        }
        for capability, member in members.items():
            assert capability not in dialect.capabilities or hasattr(dialect, member), capability.name

    def test_a_connection_knows_its_transaction_and_serves_nobody_else_meanwhile(self, db: DataFlow) -> None:
        begin = db.databases()["primary"].dialect.begin(writes=False)

        async def main() -> None:
            async with connected(db) as connection:
                assert (connection.usable, connection.in_transaction) == (True, False)
                await connection.execute(begin)
                await connection.fetch(FIVE_ROWS, ())
                assert (connection.usable, connection.in_transaction) == (False, True)
                await connection.rollback()
                assert (connection.usable, connection.in_transaction) == (True, False)
                await connection.close()
                await connection.close()
                assert (connection.usable, connection.in_transaction) == (False, False)

        asyncio.run(main())

    def test_a_cursor_brings_as_many_rows_as_are_asked_for(self, db: DataFlow) -> None:
        begin = db.databases()["primary"].dialect.begin(writes=False)

        async def main() -> None:
            async with connected(db) as connection:
                await connection.execute(begin)
                cursor = await connection.open_cursor(FIVE_ROWS, ())
                assert [len(await cursor.fetch(count)) for count in (2, 1, 9, 9)] == [2, 1, 2, 0]
                await cursor.close()
                await cursor.close()

        asyncio.run(main())

    def test_sql_of_ones_own_tells_how_many_rows_it_touched(self, db: DataFlow) -> None:
        define_item(db)
        db.run_sync(db.nodes.ItemListNode())

        def affected(sql: str) -> int:
            count: int = db.run_sync(db.nodes.SQLNode(sql=sql))["affected"]
            return count

        assert affected("INSERT INTO items (name, amount) VALUES ('a', 1), ('b', 1), ('c', 2)") == 3
        assert affected("CREATE TABLE notes (amount INTEGER)") == 0
        assert affected("UPDATE items SET amount = 3 WHERE amount = 1") == 2
        assert affected("DELETE FROM items WHERE amount = 9") == 0
        assert affected("DELETE FROM items") == 3

    def test_a_statement_that_takes_too_long_is_interrupted(self, url: str) -> None:
        command = [sys.executable, "-c", INTERRUPTED, url]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(
                "a statement whose task was cancelled went on: interrupt() or offload() does not end it"
            )
        assert run.stdout.split() == ["interrupted", "interrupted", "1001"], run.stderr

    def test_databases_that_were_closed_leave_nothing_behind(self, url: str) -> None:
        async def use() -> None:
            async with DataFlow(url) as db:
                define_item(db)
                await asyncio.gather(*(db.nodes.ItemListNode() for _ in range(3)))

        def use_each_way() -> None:
            asyncio.run(use())
            with DataFlow(url) as db:
                define_item(db)
                names(db)

        use_each_way()
        files, threads = open_things()
        for _ in range(5):
            use_each_way()
        files_after, threads_after = open_things()
        assert files_after <= files
        assert threads_after <= threads

    def test_two_objects_write_to_one_database(self, db: DataFlow, url: str) -> None:
        if is_the_database(db):
            return
        define_item(db)
        names(db)
        with DataFlow(url) as other, ThreadPoolExecutor(4) as threads:
            define_item(other)
            each = [(one, f"n{number}") for number in range(50) for one in (db, other)]
            list(threads.map(lambda item: item[0].run_sync(item[0].nodes.ItemCreateNode(name=item[1])), each))
        assert sorted(names(db)) == sorted(name for _, name in each)

    @requires(Capability.DISCOVERY)
    def test_a_table_that_a_model_made_is_discovered_as_it_is(self, db: DataFlow, url: str) -> None:
        @db.model
        class Thing:
            name: str = Field(unique=True, max_length=40)
            number: int
            weight: float | None
            raw: bytes
            at: datetime
            __dataflow__: ClassVar = {"timestamps": False}

        row = {"name": "größe", "number": 2**40, "weight": None, "raw": b"\0\xff", "at": datetime.now(UTC)}
        made = db.run_sync(db.nodes.ThingCreateNode(**row))
        table = db.discover_schema()["things"]
        columns = table["columns"]
        assert table["primary_key"] == ["id"]
        assert {name: column["python"] for name, column in columns.items()} == {
            "id": "int",
            "name": "str",
            "number": "int",
            "weight": "float",
            "raw": "bytes",
            "at": "datetime",
        }
        assert [name for name, column in columns.items() if column["nullable"]] == ["weight"]
        if is_the_database(db):
            return
        with DataFlow(url) as other:
            other.register_schema_as_models(tables=["things"])
            read = other.run_sync(other.nodes.ThingReadNode(id=made["id"]))
            assert {name: read[name] for name in row} == row
