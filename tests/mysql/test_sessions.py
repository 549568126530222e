"""Sessions: what is left in one by SQL of the user's own is left to nobody else."""

import asyncio

import pytest

from dataflow import DataFlow

NUMBER = "SELECT CONNECTION_ID() AS number"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT GET_LOCK('till', 0)",
        "DO GET_LOCK('till', 0)",
        "CREATE TEMPORARY TABLE notes (amount INTEGER)",
    ],
)
def test_what_outlasts_a_transaction_is_left_to_nobody(db: DataFlow, sql: str) -> None:
    async def main() -> None:
        async with db.transaction():
            before = await db.nodes.SQLNode(sql=NUMBER)
            await db.nodes.SQLNode(sql=sql)
            assert (await db.nodes.SQLNode(sql=NUMBER))["records"] == before["records"]
        assert (await db.nodes.SQLNode(sql=NUMBER))["records"] != before["records"]
        # Here it would wait in vain if that lock were held.
        got = await db.nodes.SQLNode(sql="SELECT GET_LOCK('till', 60) AS got")
        assert got["records"] == [{"got": 1}]

    asyncio.run(main())


def test_a_call_alone_leaves_nothing_either(db: DataFlow) -> None:
    async def main() -> None:
        await db.nodes.SQLNode(sql="SELECT GET_LOCK('till', 0)")
        got = await db.nodes.SQLNode(sql="SELECT GET_LOCK('till', 60) AS got")
        assert got["records"] == [{"got": 1}]

    asyncio.run(main())


def test_other_sql_keeps_the_connection(db: DataFlow) -> None:
    async def main() -> None:
        before = (await db.nodes.SQLNode(sql=NUMBER))["records"]
        await db.nodes.SQLNode(sql="SELECT IS_FREE_LOCK('till') AS free")
        assert (await db.nodes.SQLNode(sql=NUMBER))["records"] == before

    asyncio.run(main())
