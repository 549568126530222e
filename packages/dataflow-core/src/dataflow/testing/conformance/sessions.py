"""What SQL of the user's own leaves in a session: others never find it."""

import asyncio

import pytest

from dataflow import DataFlow
from dataflow.errors import QueryError
from dataflow.testing.conformance.items import define_item

__all__ = ["SessionTests"]

MAKE = "CREATE TEMPORARY TABLE notes (amount INTEGER)"
COUNT = "SELECT COUNT(*) AS number FROM notes"


def is_the_database(db: DataFlow) -> bool:
    """Whether its only connection is the database itself, so that whatever is in it stays."""
    return db.databases()["primary"].dialect.max_connections == 1


class SessionTests:
    """A session is the same for every run, whatever another one has done in it."""

    def test_a_temporary_table_serves_its_transaction_and_nobody_after_it(self, db: DataFlow) -> None:
        async def main() -> None:
            async with db.transaction():
                await db.nodes.SQLNode(sql=MAKE)
                await db.nodes.SQLNode(sql="INSERT INTO notes (amount) VALUES (7)")
                assert (await db.nodes.SQLNode(sql=COUNT))["records"] == [{"number": 1}]
            if is_the_database(db):
                assert (await db.nodes.SQLNode(sql=COUNT))["records"] == [{"number": 1}]
            else:
                with pytest.raises(QueryError):
                    await db.nodes.SQLNode(sql=COUNT)

        asyncio.run(main())

    def test_what_was_made_last_by_a_call_alone_is_gone_with_it(self, db: DataFlow) -> None:
        if is_the_database(db):
            return
        db.run_sync(db.nodes.SQLNode(sql=MAKE))
        with pytest.raises(QueryError):
            db.run_sync(db.nodes.SQLNode(sql=COUNT))

    def test_a_table_that_hides_another_one_hides_it_from_nobody_else(self, db: DataFlow) -> None:
        define_item(db)
        db.run_sync(db.nodes.ItemCreateNode(name="a"))
        if is_the_database(db):
            return

        async def main() -> None:
            async with db.transaction():
                await db.nodes.SQLNode(sql="CREATE TEMPORARY TABLE items (amount INTEGER)")
            assert (await db.nodes.ItemListNode())["count"] == 1

        asyncio.run(main())
