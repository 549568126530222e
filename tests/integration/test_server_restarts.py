"""Servers that go down under load and come back: what was in flight is told, and the next ones need no new process."""

import asyncio
from collections import Counter
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow
from dataflow.errors import CommitUnknown, ConnectionLost, WorkflowExecutionError
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision, Suite
from dataflow.testing.suite import server_of

from .faults import LOADS, STREAMS, USES, Use, counted, define_item

PATIENCE = 60
ALL = (*USES, *STREAMS, *LOADS)
LOST = {ConnectionLost, CommitUnknown}


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


class Load:
    """Every use of a database, each again and again in a task of its own, and what came of it."""

    def __init__(self, db: DataFlow) -> None:
        self._db = db
        self._stop = asyncio.Event()
        self._tasks = [asyncio.ensure_future(self._repeat(use)) for use in ALL]
        self.done: Counter[Use] = Counter()
        self.kept: dict[str, int] = {}
        """How many rows there must be of each name."""
        self.unknown: dict[str, int] = {}
        """How many there are, or none."""
        self.errors: list[BaseException] = []

    async def _repeat(self, use: Use) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            name = f"{use} {number}"
            try:
                await use.begin(self._db, name)
            except (WorkflowExecutionError, ConnectionLost) as error:
                cause = getattr(error, "cause", error)
                self.errors.append(cause)
                if isinstance(cause, CommitUnknown):
                    self.unknown[name] = use.writes
                await asyncio.sleep(0.01)
            else:
                self.done[use] += 1
                self.kept[name] = use.writes

    async def until_all_got_on(self) -> None:
        """Wait until each use has ended well twice more: one that began before now may have been the first."""
        before = self.done.copy()
        while not all(self.done[use] >= before[use] + 2 for use in ALL):
            await asyncio.sleep(0.01)
            for task in self._tasks:
                if task.done():
                    task.result()

    async def until_one_fails(self) -> None:
        before = len(self.errors)
        while len(self.errors) == before:
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.wait_for(asyncio.gather(*self._tasks), PATIENCE)


class RestartTests(Suite):
    """What must hold on a server of one's own, which is ended and started again."""

    @pytest.fixture
    def server(self, request: pytest.FixtureRequest) -> Any:
        return server_of(self.provision, request)

    @pytest.mark.parametrize("ending", ["kill", "shut_down"])
    def test_a_server_that_ends_under_load_loses_nothing_that_was_committed(
        self, server: Any, url: str, ending: str
    ) -> None:
        async def main(db: DataFlow) -> None:
            load = Load(db)
            for _ in range(2):
                await load.until_all_got_on()
                fails = asyncio.ensure_future(load.until_one_fails())
                await asyncio.to_thread(getattr(server, ending))
                await fails
                await asyncio.to_thread(server.restart)
                await load.until_all_got_on()
            await load.stop()
            assert {type(error) for error in load.errors} <= LOST
            # From here on nothing fails any more.
            await asyncio.gather(*(use.begin(db, "after") for use in ALL))
            there = await counted(db)
            assert there.pop("after") == sum(use.writes for use in ALL)
            assert {name: there.pop(name, 0) for name in load.kept} == load.kept
            assert {name: load.unknown.get(name) for name in there} == there
            assert db.databases()["primary"].pool.in_use == 0

        with DataFlow(url, pool_size=5, pool_timeout=30) as db:
            asyncio.run(asyncio.wait_for(main(define_item(db)), PATIENCE))

    def test_who_idles_while_the_server_dies_and_comes_back_hears_nothing_of_it(
        self, server: Any, url: str
    ) -> None:
        with DataFlow(url) as db:
            define_item(db)
            for name in ("a", "b", "c"):
                db.run_sync(db.nodes.ItemCreateNode(name=name))
                server.kill()
                server.restart()
            assert db.run_sync(db.nodes.ItemListNode(count_only=True))["count"] == 3

    @pytest.mark.parametrize("ending", ["kill", "shut_down"])
    def test_synchronous_callers_go_on_after_a_restart(self, server: Any, url: str, ending: str) -> None:
        with DataFlow(url) as db:
            define_item(db)
            db.run_sync(db.nodes.ItemCreateNode(name="a"))
            getattr(server, ending)()
            with pytest.raises(ConnectionLost):
                db.run_sync(db.nodes.ItemCreateNode(name="b"))
            server.restart()
            db.run_sync(db.nodes.ItemCreateNode(name="c"))
            assert db.run_sync(db.nodes.ItemListNode())["count"] == 2


class TestPostgres(RestartTests):
    provision: ClassVar[Provision] = Postgres(own=True)


class TestMySQL(RestartTests):
    provision: ClassVar[Provision] = MySQL(own=True)
