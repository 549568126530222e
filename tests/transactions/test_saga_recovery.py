"""What a process leaves behind that dies in the middle of a saga: another one finishes it, each effect once."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, utcnow
from dataflow.errors import WorkflowExecutionError
from dataflow.nodes.bulk_update import BulkUpdateNode
from dataflow.runtime.calls import NodeCall
from dataflow.testing.waiting import wait_until
from dataflow.transactions import Recovered, SagaFailed, recover
from dataflow.transactions.crash import POINTS
from dataflow.transactions.entries import Entries
from dataflow.transactions.headers import Headers
from dataflow.transactions.ledger import SAGAS, ledger_model

from .conftest import define_models, rows, saga_of
from .pairs import pairs, sites
from .program import define, transfer

PROGRAM = Path(__file__).parent / "program.py"
WAY_BACK = ("saga.failure", "saga.fence", "saga.compensat")
FORWARD = [point for point in POINTS if point.startswith("saga.") and not point.startswith(WAY_BACK)]
BACK = [point for point in POINTS if point.startswith(WAY_BACK)]
KILLED = -9


class Bank:
    """Two accounts, perhaps in two databases, and processes that transfer money between them."""

    def __init__(self, urls: Sequence[str], folder: Path, stack: ExitStack) -> None:
        self._urls = (urls[0], urls[-1])
        self._letters = folder / "letters"
        self._letters.touch()
        self.engines = {url: stack.enter_context(DataFlow(url, pool_timeout=20)) for url in self._urls}
        self.home, self.other = (self.engines[url] for url in self._urls)
        for db in self.engines.values():
            define(db, self._letters)
        for id, db in ((1, self.home), (2, self.other)):
            db.run_sync(db.nodes.AccountCreateNode(id=id, owner=f"owner {id}", balance=100))

    def process(self, outcome: str, crash_at: str = "") -> int:
        """Transfer in a process of its own, and tell how it ended."""
        environment = {**os.environ, "DATAFLOW_CRASH_AT": crash_at}
        command = [sys.executable, str(PROGRAM), *self._urls, outcome, str(self._letters)]
        return subprocess.run(command, env=environment, check=False, capture_output=True).returncode

    def recover(self) -> list[Recovered]:
        return asyncio.run(recover(self.home, older_than=0))

    def recover_to_the_end(self) -> None:
        """A server may need a moment to notice that a client is gone that had locked something."""

        def nothing_is_left() -> bool:
            self.recover()
            return not {"running", "compensating"}.intersection(self.states)

        wait_until(nothing_is_left, lambda: AssertionError(f"a saga is left: {self.states}"))

    @property
    def balances(self) -> tuple[int, int]:
        (first,) = [row["balance"] for row in rows(self.home, "Account") if row["id"] == 1]
        (second,) = [row["balance"] for row in rows(self.other, "Account") if row["id"] == 2]
        return first, second

    @property
    def states(self) -> list[str]:
        """Those of all sagas."""
        headers = Headers(self.home.databases()["primary"])
        states = ["running", "done", "compensating", "compensated", "needs_attention"]
        return [row["state"] for row in asyncio.run(_list(headers, states))]

    @property
    def letters(self) -> Counter[str]:
        """How often a letter was written, by its key."""
        return Counter(line.split()[0] for line in self._letters.read_text().splitlines())


async def _list(headers: Headers, states: Sequence[str]) -> Sequence[dict[str, str]]:
    return [dict(row) for row in await headers.list(states)]


@pytest.fixture(params=[pytest.param(("sqlite",), id="sqlite"), *pairs("sqlite+postgres", "postgres+mysql")])
def bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bank]:
    with sites(request.param, request) as urls, ExitStack() as stack:
        yield Bank(urls, tmp_path, stack)


@pytest.fixture
def small_bank(tmp_path: Path) -> Iterator[Bank]:
    """All in one file."""
    with ExitStack() as stack:
        yield Bank([f"sqlite:///{tmp_path}/bank.db"], tmp_path, stack)


@pytest.mark.parametrize("point", FORWARD)
def test_a_saga_that_a_process_has_left_is_finished(bank: Bank, point: str) -> None:
    assert bank.process("give", point) == KILLED
    bank.recover_to_the_end()
    began = point != "saga.begin.before_header"
    assert bank.balances == ((70, 130) if began else (100, 100))
    assert bank.states == (["done"] if began else [])
    assert len(bank.letters) == (1 if began else 0)


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("point", [point for point in FORWARD if ".step." in point])
def test_each_step_is_done_once_wherever_the_process_died(small_bank: Bank, point: str, number: int) -> None:
    assert small_bank.process("give", f"{point}:{number}") == KILLED
    small_bank.recover_to_the_end()
    assert small_bank.balances == (70, 130)
    assert small_bank.states == ["done"]
    # What is outside of any database is done again where it was not entered, with the same key.
    is_again = number == 2 and point.endswith("_ledger")
    assert list(small_bank.letters.values()) == [2 if is_again else 1]


@pytest.mark.parametrize("point", BACK)
def test_a_saga_that_a_process_has_left_on_its_way_back_is_undone(bank: Bank, point: str) -> None:
    assert bank.process("fail", point) == KILLED
    bank.recover_to_the_end()
    assert bank.balances == (100, 100)
    assert bank.states == ["compensated"]
    assert [key.partition(":")[2] for key in bank.letters] == ["write_letter", "write_letter:undo"]


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("point", [point for point in BACK if ".compensation." in point])
def test_each_compensation_is_done_once_wherever_the_process_died(
    small_bank: Bank, point: str, number: int
) -> None:
    assert small_bank.process("fail", f"{point}:{number}") == KILLED
    small_bank.recover_to_the_end()
    assert small_bank.balances == (100, 100)
    assert small_bank.states == ["compensated"]


def test_a_saga_whose_process_is_alive_is_left_alone(file_db: DataFlow) -> None:
    recovered: list[Recovered] = []

    @file_db.node(outside=True)
    async def meanwhile() -> None:
        recovered.extend(await recover(file_db, older_than=0))

    LocalRuntime().execute(saga_of(file_db, {"node": "meanwhile", "compensation": None}))
    assert recovered == []


def test_several_processes_that_recover_do_each_thing_once(bank: Bank) -> None:
    assert bank.process("fail", "saga.failure.after_state") == KILLED

    async def main() -> None:
        await asyncio.gather(*(recover(bank.home, older_than=0) for _ in range(4)))

    asyncio.run(main())
    bank.recover_to_the_end()
    assert bank.balances == (100, 100)
    assert bank.states == ["compensated"]


def test_a_step_that_is_slow_finds_that_it_must_not_be_done_any_more(db: DataFlow) -> None:
    order = {"node": "OrderCreateNode", "compensation": "OrderDeleteNode", "parameters": {"item": "a book"}}
    home = db.databases()["primary"]

    async def main() -> None:
        reached, go = asyncio.Event(), asyncio.Event()

        @db.node
        async def open_account() -> None:
            reached.set()
            await go.wait()
            await db.nodes.AccountCreateNode(owner="Ann")

        workflow = saga_of(db, order, {"node": "open_account", "compensation": None}, timeout=3600)
        running = asyncio.ensure_future(AsyncLocalRuntime().execute(workflow))
        await reached.wait()
        over = {"filter": {"name": "saga"}, "update": {"deadline": utcnow() - timedelta(seconds=1)}}
        await NodeCall(BulkUpdateNode(home, ledger_model(home, SAGAS)), over)
        assert [one.state for one in await recover(db)] == ["compensated"]
        go.set()
        with pytest.raises(WorkflowExecutionError) as caught:
            await running
        error = caught.value.cause
        assert isinstance(error, SagaFailed)
        assert error.state == "compensated"
        await db.close()

    with DataFlow(str(db.config.database.get_connection_url())) as after:
        asyncio.run(main())
        define_models(after)
        assert rows(after, "Account") == rows(after, "Order") == []


def test_a_cancelled_saga_is_undone_by_recovery(file_db: DataFlow) -> None:
    db = file_db
    order = {"node": "OrderCreateNode", "compensation": "OrderDeleteNode", "parameters": {"item": "a book"}}

    async def main() -> list[Recovered]:
        reached = asyncio.Event()

        @db.node(outside=True)
        async def wait() -> None:
            reached.set()
            await asyncio.Event().wait()

        workflow = saga_of(db, order, {"node": "wait", "compensation": None})
        running = asyncio.ensure_future(AsyncLocalRuntime().execute(workflow))
        await reached.wait()
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        return await recover(db)

    assert [one.state for one in asyncio.run(main())] == ["compensated"]
    assert rows(db, "Order") == []


def test_names_that_this_program_does_not_define_are_left_and_told(small_bank: Bank, tmp_path: Path) -> None:
    assert small_bank.process("give", "saga.step.before_work:2") == KILLED
    with DataFlow(f"sqlite:///{tmp_path}/bank.db") as stranger:
        for db in small_bank.engines.values():
            with db:
                pass
        (left,) = asyncio.run(recover(stranger, older_than=0))
    assert left.state == "running"
    assert "does not define AccountUpdateNode" in str(left.problem)


def test_a_database_that_has_moved_is_not_taken_for_another(small_bank: Bank, tmp_path: Path) -> None:
    assert small_bank.process("give", "saga.step.after_commit") == KILLED
    for db in small_bank.engines.values():
        with db:
            pass
    (tmp_path / "bank.db").rename(tmp_path / "moved.db")
    with DataFlow(f"sqlite:///{tmp_path}/moved.db") as moved:
        define(moved, tmp_path / "letters")
        (left,) = asyncio.run(recover(moved, older_than=0))
    assert left.state == "running"
    assert "belongs to another database" in str(left.problem)


def change(bank: Bank, saga: str | None, **changes: object) -> None:
    """Change what is kept of a saga, or of all."""
    home = bank.home.databases()["primary"]
    node = BulkUpdateNode(home, ledger_model(home, SAGAS))
    found = {"confirmed": True, "filter": {}} if saga is None else {"filter": {"id": saga}}
    asyncio.run(_awaited(NodeCall(node, {**found, "update": changes})))


async def _awaited(call: NodeCall) -> None:
    await call


def test_a_saga_whose_time_is_over_goes_back(bank: Bank) -> None:
    assert bank.process("late", "saga.step.after_commit:2") == KILLED
    change(bank, None, deadline=utcnow() - timedelta(seconds=1))
    bank.recover_to_the_end()
    assert bank.balances == (100, 100)
    assert bank.states == ["compensated"]


def test_each_step_costs_one_insert_into_the_ledger(file_db: DataFlow) -> None:
    steps = [
        {
            "node": "OrderCreateNode",
            "id": f"order {number}",
            "compensation": None,
            "parameters": {"item": "x"},
        }
        for number in range(3)
    ]
    workflow = saga_of(file_db, *steps)
    LocalRuntime().execute(workflow)
    database = file_db.databases()["primary"]
    connection = database.take("a test", writes=False)
    assert connection is not None
    sent: list[str] = []
    raw: Any = cast("Any", connection)._raw  # the driver's own
    raw.set_trace_callback(sent.append)
    database.give_back(connection, writes=False)
    LocalRuntime().execute(workflow)
    raw.set_trace_callback(None)
    assert sum("dataflow_saga_steps" in statement for statement in sent) == 3
    # It begins, in a transaction of its own, and it ends.
    assert sum('"dataflow_sagas"' in statement for statement in sent) == 2
    assert sum(statement.startswith("BEGIN") for statement in sent) == 4


def test_sagas_are_forgotten_long_after_their_end(small_bank: Bank) -> None:
    bank, home = small_bank, small_bank.home.databases()["primary"]
    workflow = transfer(bank.home, bank.other, fails=False)
    kept, old = (LocalRuntime().execute(workflow)[0]["transfer"]["saga_id"] for _ in range(2))
    change(bank, old, updated_at=utcnow() - timedelta(days=8))
    bank.recover()

    async def entries(saga: str) -> int:
        return len(await Entries(home).of(saga))

    assert (asyncio.run(entries(kept)), asyncio.run(entries(old))) == (4, 0)
    assert bank.states == ["done"]
