"""What a process leaves behind that dies in the middle of a saga: another one finishes it, each effect once."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Any

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
from dataflow.transactions.identity import identity_of
from dataflow.transactions.ledger import SAGAS
from dataflow.transactions.tables import fitting

from .conftest import define_models, rows, saga_of
from .pairs import pairs, sites
from .program import befalls, define, transfer

PROGRAM = Path(__file__).parent / "program.py"
WAY_BACK = ("saga.failure", "saga.fence", "saga.compensat")
FORWARD = [point for point in POINTS if point.startswith("saga.") and not point.startswith(WAY_BACK)]
BACK = [point for point in POINTS if point.startswith(WAY_BACK)]
KILLED = -9
STATES = ("running", "done", "compensating", "compensated", "needs_attention")


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
        return subprocess.run(
            self._command(outcome), env=environment, check=False, capture_output=True
        ).returncode

    def recover_in_processes(self, number: int) -> None:
        """Have several processes recover at once."""
        processes = [subprocess.Popen(self._command("recover")) for _ in range(number)]
        assert [process.wait() for process in processes] == [0] * number

    def _command(self, outcome: str) -> Sequence[str]:
        return [sys.executable, str(PROGRAM), *self._urls, outcome, str(self._letters)]

    def let_befall(self, what: str) -> None:
        """Have something befall the next letter."""
        befalls(self._letters).write_text(what)

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
        return [row["state"] for row in asyncio.run(_list(headers, STATES))]

    @property
    def letters(self) -> Counter[str]:
        """How often a letter was written, by its key."""
        return Counter(line.split()[0] for line in self._letters.read_text().splitlines())

    @property
    def told(self) -> Counter[str]:
        """The same for a single saga, by the step."""
        return Counter({key.partition(":")[2]: times for key, times in self.letters.items()})


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


@pytest.mark.parametrize(
    ("outcome", "point"),
    [
        ("fail", "saga.failure.after_state"),
        ("late", "saga.step.before_ledger:2"),  # whether the letter was written must be found out
        ("late", "saga.step.after_commit:1"),  # it must not be written
        ("give", "saga.step.before_work:2"),  # it goes forward
    ],
)
@pytest.mark.parametrize(
    "bank",
    [
        pytest.param(("sqlite",), id="sqlite"),
        *pairs("postgres+mysql", "mysql+postgres", "mysql+mysql"),
    ],
    indirect=True,
)
def test_several_processes_that_recover_do_each_thing_once(bank: Bank, outcome: str, point: str) -> None:
    assert bank.process(outcome, point) == KILLED
    if outcome == "late":
        change(bank, None, deadline=utcnow() - timedelta(seconds=1))
    bank.recover_in_processes(3)
    bank.recover_to_the_end()
    is_done = outcome == "give"
    assert bank.balances == ((70, 130) if is_done else (100, 100))
    assert bank.states == ["done" if is_done else "compensated"]
    assert bool(bank.told["write_letter:undo"]) == (bank.told["write_letter"] > 0 and not is_done)


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
        await NodeCall(BulkUpdateNode(home, fitting(home, SAGAS)), over)
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


def change(bank: Bank, saga: str | None, **changes: object) -> None:
    """Change what is kept of a saga, or of all."""
    home = bank.home.databases()["primary"]
    node = BulkUpdateNode(home, fitting(home, SAGAS))
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


@pytest.fixture
def sent(db: DataFlow, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Takes up what connections to the database are asked for: the statement, or the head of one of many rows."""
    texts: list[str] = []
    connection = type(db.databases()["primary"].dialect.connection())
    asked = ContextVar("asked", default=False)

    def listen(name: str) -> None:
        send = getattr(connection, name)

        async def listening(self: object, what: Any, *rest: Any) -> Any:
            if asked.get():  # a driver may do one thing by means of another
                return await send(self, what, *rest)
            texts.append(what if isinstance(what, str) else what.head)
            token = asked.set(True)
            try:
                return await send(self, what, *rest)
            finally:
                asked.reset(token)

        monkeypatch.setattr(connection, name, listening)

    for name in ("fetch", "execute", "run", "insert", "update", "upsert"):
        listen(name)
    return texts


def test_each_step_costs_one_insert_into_the_ledger(db: DataFlow, sent: list[str]) -> None:
    def step(number: int) -> dict[str, Any]:
        id = f"order {number}"
        return {"id": id, "node": "OrderCreateNode", "compensation": None, "parameters": {"item": "x"}}

    workflow = saga_of(db, *map(step, range(3)))
    LocalRuntime().execute(workflow)
    sent.clear()
    LocalRuntime().execute(workflow)
    of_steps = [text for text in sent if "dataflow_saga_steps" in text]
    assert len(of_steps) == 3
    assert all(text.startswith("INSERT") for text in of_steps)
    # It begins, in a transaction of its own, and it ends.
    assert sum("dataflow_sagas" in text for text in sent) == 2
    assert not [text for text in sent if "dataflow_identity" in text]


def test_a_step_outside_that_can_be_undone_costs_another_one(db: DataFlow, sent: list[str]) -> None:
    @db.node(outside=True)
    def charge() -> None:
        pass

    @db.node(outside=True)
    def refund() -> None:
        pass

    workflow = saga_of(db, {"node": "charge", "compensation": "refund"})
    LocalRuntime().execute(workflow)
    sent.clear()
    LocalRuntime().execute(workflow)
    assert sum("dataflow_saga_steps" in text for text in sent) == 2


def test_sagas_are_forgotten_long_after_their_end(small_bank: Bank) -> None:
    bank = small_bank
    workflow = transfer(bank.home, bank.other, fails=False)
    kept, old = (LocalRuntime().execute(workflow)[0]["transfer"]["saga_id"] for _ in range(2))
    change(bank, old, updated_at=utcnow() - timedelta(days=8))
    bank.recover()
    assert [len(asyncio.run(entries(bank.home, saga))) for saga in (kept, old)] == [4, 0]
    assert bank.states == ["done"]


def test_sagas_are_kept_as_long_as_not_all_databases_of_their_steps_are_open(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("home", "other")]
    with ExitStack() as stack:
        bank = Bank(urls, tmp_path, stack)
        saga = LocalRuntime().execute(transfer(bank.home, bank.other, fails=False))[0]["transfer"]["saga_id"]
        change(bank, saga, updated_at=utcnow() - timedelta(days=8))
    with DataFlow(urls[0]) as home:
        asyncio.run(recover(home))
        assert len(asyncio.run(entries(home, saga))) == 3
    (tmp_path / "other.db").rename(tmp_path / "moved.db")
    with DataFlow(urls[0]) as home, DataFlow(f"sqlite:///{tmp_path}/moved.db") as other:
        asyncio.run(recover(home))
        assert asyncio.run(entries(home, saga)) == asyncio.run(entries(other, saga)) == {}


async def entries(db: DataFlow, saga: str) -> dict[tuple[str, str], Any]:
    """What the ledger of a database tells of a saga."""
    database = db.databases()["primary"]
    return dict(await Entries(database, await identity_of(database)).of(saga))
