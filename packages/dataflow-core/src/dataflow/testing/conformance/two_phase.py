"""Transactions that are prepared, and then end on whichever connection that is; for dialects that have such."""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.abc import Connection, InDoubt, TwoPhase
from dataflow.errors import DatabaseBusy, UniqueViolation
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database
from dataflow.execution.scope import Scope, current_scope
from dataflow.execution.transaction import Transaction
from dataflow.terms import USUAL, Isolation, Terms
from dataflow.testing.conformance.items import define_item, names

__all__ = ["TwoPhaseTests"]

# A server has them for all of its databases, and another process may be at the same test.
PREFIX = f"df:{secrets.token_hex(3)}"
GID = f"{PREFIX}00:18f2:1"
OTHER = f"{PREFIX}01:18f2:1"
ATTEMPTS = 2000


class Prepares:
    """An agreement to prepare, and to leave it at that."""

    def __init__(self, two_phase: TwoPhase, gid: str = GID) -> None:
        self._two_phase = two_phase
        self._gid = gid

    def problems(self, databases: Sequence[Database]) -> Iterable[str]:
        return ()

    def explain(self, databases: Sequence[Database]) -> str:
        return ""

    async def open(self, databases: Sequence[Database], *, blocking: bool) -> "Prepares":
        return self

    async def begin(self, database: Database, connection: Connection, terms: Terms) -> None:
        await self._two_phase.begin(connection, self._gid, terms=terms)

    async def commit(self, transaction: Transaction, *, blocking: bool) -> None:
        for held in transaction.held.values():
            await self._two_phase.prepare(held.connection, self._gid)
            await held.connection.close()
            held.begun = False


class CommitsAtOnce(Prepares):
    async def commit(self, transaction: Transaction, *, blocking: bool) -> None:
        for held in transaction.held.values():
            await self._two_phase.commit_unprepared(held.connection, self._gid)
            held.begun = False


class EndsHere(Prepares):
    """Ends it on the connection that prepared it, which then serves others."""

    def __init__(self, two_phase: TwoPhase, end: str) -> None:
        super().__init__(two_phase)
        self._end = end

    async def commit(self, transaction: Transaction, *, blocking: bool) -> None:
        for held in transaction.held.values():
            await self._two_phase.prepare(held.connection, self._gid)
            assert await getattr(self._two_phase, self._end)(held.connection, self._gid)
            held.begun = False


class Within(AbstractAsyncContextManager[None]):
    """``async with Within(db, agreement):`` a unit of work that begins and ends as the agreement says."""

    def __init__(self, db: DataFlow, agreement: Prepares, terms: Terms = USUAL) -> None:
        self._agreement = agreement
        self._databases = tuple(db.databases().values())
        self._scope = Scope("a test", writes=True, loop=running_loop(), terms=terms)

    async def __aenter__(self) -> None:
        await self._scope.agree(self._agreement, self._databases, blocking=False)
        self._token = current_scope.set(self._scope)

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        current_scope.reset(self._token)
        try:
            if error is None:
                await self._scope.commit(blocking=False)
        finally:
            await self._scope.close(blocking=False)


async def on_another(db: DataFlow, action: str, *arguments: Any) -> Any:
    """Do something of two-phase commit on a connection of its own, once a session that was closed has ended."""
    database = db.databases()["primary"]
    connection = database.dialect.connection()
    await connection.open()
    try:
        for _ in range(ATTEMPTS):
            try:
                return await getattr(database.dialect.two_phase, action)(connection, *arguments)
            except DatabaseBusy:
                await asyncio.sleep(0.01)
        raise AssertionError("the session that had prepared it does not end")
    finally:
        await connection.close()


async def listed(db: DataFlow, prefix: str = PREFIX) -> list[str]:
    found: Sequence[InDoubt] = await on_another(db, "in_doubt", prefix)
    return [one.gid for one in found]


async def two_phase_of(db: DataFlow) -> TwoPhase | None:
    """None where the dialect has none; a server that was told to prepare nothing is not for these tests."""
    two_phase = db.databases()["primary"].dialect.two_phase
    if two_phase is not None:
        problem: str | None = await on_another(db, "problem")
        if problem is not None:
            pytest.skip(problem)
        define_item(db)
        await db.start()
    return two_phase


class TwoPhaseTests:
    """What is prepared outlasts whoever did it, until somebody says how it ends."""

    @pytest.mark.parametrize(("end", "stored"), [("commit", ["a"]), ("roll_back", [])])
    def test_what_was_prepared_ends_on_another_connection(
        self, db: DataFlow, end: str, stored: list[str]
    ) -> None:
        async def main() -> None:
            two_phase = await two_phase_of(db)
            if two_phase is None:
                return
            async with Within(db, Prepares(two_phase)):
                await db.nodes.ItemCreateNode(name="a")
            assert await listed(db) == [GID]
            assert await on_another(db, end, GID)
            assert await listed(db) == []
            assert [row["name"] for row in (await db.nodes.ItemListNode())["records"]] == stored

        asyncio.run(main())

    @pytest.mark.parametrize(("end", "stored"), [("commit", ["a"]), ("roll_back", [])])
    def test_what_was_prepared_ends_on_its_connection_which_then_serves_others(
        self, db: DataFlow, end: str, stored: list[str]
    ) -> None:
        async def main() -> None:
            two_phase = await two_phase_of(db)
            if two_phase is None:
                return
            async with Within(db, EndsHere(two_phase, end)):
                await db.nodes.ItemCreateNode(name="a")
            assert await listed(db) == []
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="b")
            stored_now = {row["name"] for row in (await db.nodes.ItemListNode())["records"]}
            assert stored_now == {*stored, "b"}

        asyncio.run(main())

    def test_a_gid_that_nobody_knows_is_told(self, db: DataFlow) -> None:
        async def main() -> None:
            if await two_phase_of(db) is not None:
                assert not await on_another(db, "commit", GID)
                assert not await on_another(db, "roll_back", GID)

        asyncio.run(main())

    def test_only_what_begins_alike_is_listed(self, db: DataFlow) -> None:
        async def main() -> None:
            two_phase = await two_phase_of(db)
            if two_phase is None:
                return
            for gid in (GID, OTHER):
                async with Within(db, Prepares(two_phase, gid)):
                    await db.nodes.ItemCreateNode(name=gid)
            try:
                assert await listed(db, f"{PREFIX}00:") == [GID]
                assert await listed(db, f"{PREFIX}01:") == [OTHER]
                assert await listed(db, f"{PREFIX}%") == []
                assert sorted(await listed(db)) == [GID, OTHER]
            finally:
                for gid in (GID, OTHER):
                    await on_another(db, "roll_back", gid)

        asyncio.run(main())

    def test_what_needs_not_be_prepared_is_committed_at_once(self, db: DataFlow) -> None:
        async def main() -> None:
            two_phase = await two_phase_of(db)
            if two_phase is None:
                return
            async with Within(db, CommitsAtOnce(two_phase)):
                await db.nodes.ItemCreateNode(name="a")
            assert await listed(db) == []
            async with db.transaction():  # the connection serves others
                await db.nodes.ItemCreateNode(name="b")

        asyncio.run(main())
        if db.databases()["primary"].dialect.two_phase is not None:
            assert sorted(names(db)) == ["a", "b"]

    def test_what_fails_before_it_is_prepared_leaves_nothing(self, db: DataFlow) -> None:
        async def main() -> None:
            two_phase = await two_phase_of(db)
            if two_phase is None:
                return
            with pytest.raises(UniqueViolation):
                await self._twice(db, Within(db, Prepares(two_phase)))
            assert await listed(db) == []
            await db.nodes.ItemCreateNode(name="d")
            assert [row["name"] for row in (await db.nodes.ItemListNode())["records"]] == ["d"]

        asyncio.run(main())

    def test_a_part_of_it_can_be_undone(self, db: DataFlow) -> None:
        async def main() -> None:
            two_phase = await two_phase_of(db)
            if two_phase is None:
                return
            async with Within(db, Prepares(two_phase)):
                await db.nodes.ItemCreateNode(name="a")
                with pytest.raises(UniqueViolation):
                    await self._twice(db, db.transaction())
                await db.nodes.ItemCreateNode(name="d")
            assert await on_another(db, "commit", GID)

        asyncio.run(main())
        if db.databases()["primary"].dialect.two_phase is not None:
            assert names(db) == ["a", "d"]

    def test_many_rows_can_be_prepared(self, db: DataFlow) -> None:
        async def main() -> None:
            two_phase = await two_phase_of(db)
            if two_phase is None:
                return
            rows = [{"name": str(number), "amount": 0} for number in range(1000)]
            for _ in range(2):  # the second time on a connection that knows the table
                async with Within(db, Prepares(two_phase)):
                    made = await db.nodes.ItemBulkCreateNode(data=rows, return_rows=True)
                    changed = [{"id": row["id"], "name": row["name"], "amount": 1} for row in made["result"]]
                    await db.nodes.ItemBulkUpsertNode(data=changed, match_fields=["id"])
                    await db.nodes.ItemBulkUpdateNode(data=[{**row, "amount": 2} for row in changed])
                assert await on_another(db, "commit", GID)
            assert (await db.nodes.ItemListNode(filter={"amount": 2}, count_only=True))["count"] == 2000

        asyncio.run(main())

    @pytest.mark.parametrize("isolation", Isolation)
    def test_it_begins_on_its_terms(self, db: DataFlow, isolation: Isolation) -> None:
        async def main() -> None:
            two_phase = await two_phase_of(db)
            if two_phase is None or isolation not in db.databases()["primary"].dialect.isolations:
                return
            async with Within(db, EndsHere(two_phase, "commit"), Terms(isolation=isolation, timeout=30)):
                await db.nodes.ItemCreateNode(name="a")
            async with Within(db, EndsHere(two_phase, "roll_back"), Terms(isolation=isolation)):
                await db.nodes.ItemCreateNode(name="b")
            assert [row["name"] for row in (await db.nodes.ItemListNode())["records"]] == ["a"]

        asyncio.run(main())

    @staticmethod
    async def _twice(db: DataFlow, within: AbstractAsyncContextManager[object]) -> None:
        """Fails, after it has written."""
        async with within:
            await db.nodes.ItemCreateNode(name="b", code="x")
            await db.nodes.ItemCreateNode(name="c", code="x")
