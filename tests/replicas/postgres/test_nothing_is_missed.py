"""Reads see what was done before, however far behind the replica is."""

import asyncio
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.execution import replica as replicas
from dataflow.url import DatabaseURL

from ..suite import define_item, names, until
from .streaming import Pair, is_there, pair_of, value


@pytest.mark.usefixtures("patient")
def test_a_commit_that_is_not_on_the_disk_yet_is_seen(pair: Pair, db: DataFlow) -> None:
    async def main() -> None:
        name = DatabaseURL.parse(pair.primary).database
        await value(pair.primary, f"ALTER DATABASE {name} SET synchronous_commit = off")
        await db.start()
        for number in range(1, 11):
            await db.nodes.ItemCreateNode(name=str(number))
            assert len(await names(db)) == number

    asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_a_replica_that_is_behind_is_waited_for(pair: Pair, db: DataFlow) -> None:
    asked = "SELECT max(query_start) FROM pg_stat_activity WHERE application_name = 'dataflow'"

    async def main() -> None:
        await db.start()
        await pair.hold_back()
        before = await value(pair.replica, asked)
        await db.nodes.SQLNode(sql="CREATE TABLE late (id int)")
        reading = asyncio.ensure_future(
            is_there(db, "SELECT pg_is_in_recovery() AS there, count(*) FROM late")
        )
        await until(lambda: value(pair.replica, f"SELECT ({asked}) > $1", before))
        assert not reading.done()
        await pair.let_go()
        assert await reading

    asyncio.run(main())


def test_a_log_that_begins_a_new_segment_holds_nobody_up(
    pair: Pair, db: DataFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        await db.start()
        monkeypatch.setattr(replicas, "PATIENCE", 10.0)
        for _ in range(3):
            await db.nodes.ItemCreateNode(name="one")
            await value(pair.primary, "SELECT pg_switch_wal()")
            assert await is_there(db)

    asyncio.run(main())


@pytest.mark.parametrize("position", ["1:0/0", "{cluster}:FFFFFFFF/FFFFFFFF"])
@pytest.mark.usefixtures("patient")
def test_a_position_that_somebody_made_up_leads_no_others_to_the_primary(
    db: DataFlow, position: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        await db.nodes.ItemCreateNode(name="one")
        assert await is_there(db)
        cluster = (await db.position()).partition(":")[0]
        monkeypatch.setattr(replicas, "PATIENCE", 0.1)
        with db.after(position.format(cluster=cluster)):
            assert not await is_there(db)
            assert await names(db) == ["one"]
        monkeypatch.setattr(replicas, "PATIENCE", 60.0)
        assert await is_there(db)

    asyncio.run(main())


def test_no_read_is_stale_among_many_writers_and_readers(
    request: pytest.FixtureRequest, record_property: Any
) -> None:
    """Each writes a number and reads it back, while the replica replays each commit late; who asks nobody is stale."""
    writers, rounds = 8, 25
    stale = naive = there = 0

    async def main(pair: Pair) -> None:
        nonlocal stale, naive, there
        async with (
            DataFlow(pair.primary, read_replica=pair.replica, pool_size=writers) as db,
            DataFlow(pair.replica, existing_schema_mode=True, pool_size=writers) as unaware,
        ):
            define_item(db)
            await db.nodes.ItemBulkCreateNode(data=[{"name": str(n)} for n in range(writers)])
            await until(lambda: is_there(db, "SELECT pg_is_in_recovery() AS there FROM items LIMIT 1"))

            async def write_and_read(writer: int) -> None:
                nonlocal stale, naive, there
                sql = "SELECT amount, pg_is_in_recovery() AS there FROM items WHERE name = :name"
                for number in range(1, rounds + 1):
                    await db.nodes.ItemUpdateNode(
                        conditions={"name": str(writer)}, updates={"amount": number}
                    )
                    guess = await unaware.nodes.SQLNode(sql=sql, name=str(writer))
                    row = (await db.nodes.SQLNode(sql=sql, name=str(writer)))["records"][0]
                    naive += guess["records"][0]["amount"] != number
                    stale += row["amount"] != number
                    there += row["there"]

            await asyncio.gather(*(write_and_read(writer) for writer in range(writers)))

    with pair_of(request, "recovery_min_apply_delay=20ms") as pair:
        asyncio.run(main(pair))
    print(f"stale reads: {stale} of {writers * rounds}, {there} of them from the replica; unaware: {naive}")
    assert stale == 0
    assert naive > 0
    assert there > 0
