"""What is in doubt is judged by servers that are written to: a replica may not know yet what was decided and done."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dataflow import DataFlow, utcnow
from dataflow.transactions import recover
from dataflow.transactions.abilities import IsReplica
from dataflow.transactions.borrowing import on_a_connection
from dataflow.transactions.decisions import COMMIT, Decisions
from dataflow.transactions.entries import Entries
from dataflow.transactions.identity import identity_of
from dataflow.transactions.ledger import ensure_ledger
from dataflow.transactions.unfinished import unfinished

from .streaming import Pair, catch_up, value

ENTER = "INSERT INTO dataflow_saga_steps (saga, step, direction, done_at) VALUES ('a', 'one', 'do', $1)"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_replica_is_refused(pair: Pair, stack: ExitStack) -> None:
    replica = stack.enter_context(DataFlow(pair.replica))
    for judging in (recover, unfinished):
        with pytest.raises(IsReplica, match="Have recovery connect to the server that is written to"):
            asyncio.run(judging(replica))


def test_a_replica_does_not_tell_that_all_was_committed(
    pair: Pair, tmp_path: Path, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """It knows of nothing that is prepared, not even where that was so for long."""
    db = stack.enter_context(DataFlow(f"sqlite:///{tmp_path}/home.db"))
    decisions = Decisions(home := db.databases()["primary"])

    async def prepare() -> None:
        with DataFlow(pair.primary) as other:
            identity = await identity_of(other.databases()["primary"])
            await other.close()
        await identity_of(home)
        await decisions.make_ready()
        await on_a_connection(home, "a test", lambda one: decisions.enter(one, "unit", COMMIT, [identity]))

    def kept() -> int:
        return len(asyncio.run(on_a_connection(home, "a test", decisions.all)))

    asyncio.run(prepare())
    asyncio.run(catch_up(pair))
    with DataFlow(pair.replica):
        asyncio.run(recover(db, older_than=0))
    assert kept() == 1
    assert "is a replica" in caplog.text
    with DataFlow(pair.primary):
        asyncio.run(recover(db, older_than=0))
    assert kept() == 0


def test_the_ledger_is_not_read_from_a_replica(pair: Pair, db: DataFlow) -> None:
    primary = db.databases()["primary"]

    async def read() -> int:
        identities = await ensure_ledger(primary, [primary])
        entries = Entries(primary, identities[primary])
        assert not await entries.of("a")
        await pair.hold_back()
        await value(pair.primary, ENTER, utcnow())
        found = await entries.of("a")
        await db.close()
        return len(found)

    assert asyncio.run(read()) == 1
