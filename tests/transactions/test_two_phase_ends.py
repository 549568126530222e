"""Cancellations, time limits, networks and servers that come between the phases: all or nothing, or it is said."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, WorkflowBuilder
from dataflow.errors import (
    CommitUnknown,
    Deadlock,
    ScopeLost,
    StatementTimeout,
    TransactionTimeout,
    WorkflowExecutionError,
)
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision, Server
from dataflow.testing.suite import server_of
from dataflow.testing.waiting import wait_until
from dataflow.transactions import branches
from dataflow.url import DatabaseURL
from tests.integration.proxy import Proxy, proxied

from .conftest import At
from .pairs import MANAGER, Pair, define, pairs, run_here, say, sites
from .test_two_phase_crashes import AFTER, BEFORE

pytestmark = [pytest.mark.postgres, pytest.mark.mysql]


@pytest.fixture(params=pairs("postgres+mysql", "mysql+postgres", "sqlite+postgres"))
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with sites(request.param, request) as urls, DataFlow(urls[0]) as one, DataFlow(urls[1]) as two:
        yield with_balances(define(one, two))


def with_balances(pair: Pair) -> Pair:
    pair.one.run_sync(pair.one.nodes.GiverCreateNode(balance=100))
    pair.two.run_sync(pair.two.nodes.TakerCreateNode(balance=0))
    return pair


def recovered(pair: Pair) -> tuple[int, int]:
    """The balances, once recovery has ended what was left."""

    def nothing_is_left() -> bool:
        pair.recover()
        return not pair.in_doubt()

    wait_until(nothing_is_left, lambda: AssertionError("something is in doubt for ever"))
    return pair.balances()


# From the last place on nothing is asked any more before the commit, which nothing interrupts.
IN_TIME = [point for point in BEFORE if point != "two_phase.decision.before_commit"]
TOO_LATE = [point for point in (*BEFORE, *AFTER) if point not in IN_TIME]


@pytest.mark.parametrize("point", [*IN_TIME, *TOO_LATE])
def test_a_cancellation_leaves_nothing_in_doubt(pair: Pair, at: At, point: str) -> None:
    async def main() -> None:
        task = asyncio.create_task(AsyncLocalRuntime().execute(pair.transfer()))
        at(point, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())
    assert pair.in_doubt() == []
    assert pair.balances() == ((100, 0) if point in IN_TIME else (90, 10))
    run_here(pair.transfer())


def test_a_loop_that_is_closed_while_home_commits_leaves_the_decision_to_home(pair: Pair, at: At) -> None:
    """It cancels every task, those that nobody else can reach among them."""

    def cancel_all() -> None:
        for task in asyncio.all_tasks():
            task.cancel()

    async def main() -> None:
        task = asyncio.create_task(AsyncLocalRuntime().execute(pair.transfer()))
        at("two_phase.decision.before_commit", cancel_all)
        await asyncio.wait([task])
        assert isinstance(task.exception(), CommitUnknown | WorkflowExecutionError)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert recovered(pair) in ((100, 0), (90, 10))
    run_here(pair.transfer())


@pytest.mark.parametrize("point", IN_TIME)
def test_time_that_runs_out_before_the_decision_undoes_all(pair: Pair, at: At, point: str) -> None:
    at(point, lambda: time.sleep(1.1))
    with pytest.raises(WorkflowExecutionError) as caught:
        run_here(pair.transfer(timeout=1))
    assert isinstance(caught.value.cause, TransactionTimeout)
    assert pair.in_doubt() == []
    assert pair.balances() == (100, 0)


@pytest.mark.parametrize("pair", pairs("postgres+mysql"), indirect=True)
def test_time_that_runs_out_after_the_decision_undoes_nothing(pair: Pair, at: At) -> None:
    at("two_phase.decision.after_commit", lambda: time.sleep(6.1))
    run_here(pair.transfer(timeout=6))
    assert pair.in_doubt() == []
    assert pair.balances() == (90, 10)


@pytest.mark.parametrize("pair", pairs("mysql+postgres"), indirect=True)
def test_a_refusal_of_home_is_no_doubt_even_if_time_runs_out_then(pair: Pair, at: At) -> None:
    promised = "CREATE TABLE promised (id INTEGER PRIMARY KEY)"
    vows = "CREATE TABLE vows (id INTEGER REFERENCES promised DEFERRABLE INITIALLY DEFERRED)"
    asyncio.run(say(pair.two, promised, vows))

    async def vow() -> None:
        await pair.two.nodes.SQLNode(sql="INSERT INTO vows (id) VALUES (1)")

    at("two_phase.abort.before_branch", lambda: time.sleep(3.1))
    with pytest.raises(WorkflowExecutionError) as caught:
        run_here(pair.transfer(vow, timeout=3))
    assert isinstance(caught.value.cause, TransactionTimeout)
    assert pair.in_doubt() == []
    assert pair.balances() == (100, 0)


@pytest.mark.parametrize("pair", pairs("sqlite+postgres"), indirect=True)
@pytest.mark.parametrize("event", ["decision.after_commit", "commit.before_branch", "commit.after_branch"])
def test_an_interrupt_after_the_decision_undoes_nothing_and_is_heard(pair: Pair, at: At, event: str) -> None:
    def give() -> None:
        pair.two.run_sync(pair.two.nodes.TakerUpdateNode(id=1, updates={"$inc": {"balance": 10}}))

    def interrupt() -> None:
        raise KeyboardInterrupt

    run_here(pair.transfer())  # from here on home knows itself
    workflow = WorkflowBuilder()
    workflow.add_node(MANAGER, "together")
    workflow.add_node("GiverUpdateNode", "take", {"id": 1, "updates": {"$inc": {"balance": -10}}})
    workflow.add_node(give)
    at(f"two_phase.{event}", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        run_here(workflow.build())
    assert "committed already" in "".join(caught.value.__notes__)
    assert recovered(pair) == (80, 20)


@pytest.mark.parametrize("pair", pairs("sqlite+postgres"), indirect=True)
def test_a_branch_that_was_ended_by_hand_is_told(
    pair: Pair, at: At, caplog: pytest.LogCaptureFixture
) -> None:
    def by_hand() -> None:
        (gid,) = pair.in_doubt()
        asyncio.run(say(pair.two, f"ROLLBACK PREPARED '{gid}'"))

    at("two_phase.commit.before_branch", lambda: in_a_thread(by_hand))
    with caplog.at_level(logging.WARNING, "dataflow.transactions"):
        run_here(pair.transfer())
    assert "somebody ended it by hand" in caplog.text
    assert pair.decisions() == ["commit"]
    pair.recover()
    assert pair.decisions() == []


@pytest.mark.parametrize("pair", pairs("postgres+mysql", "mysql+postgres"), indirect=True)
def test_a_recovery_that_comes_too_early_is_noticed(pair: Pair, at: At) -> None:
    at("two_phase.decision.before_row", lambda: in_a_thread(pair.recover))
    if refuses_what_it_has_not_seen(pair.two):
        # There that is one of the errors after which a run is repeated, as others came in between.
        assert run_here(pair.transfer()).retries == 1
        assert (pair.balances(), pair.decisions()) == ((90, 10), ["abort"])
        return
    with pytest.raises(WorkflowExecutionError) as caught:
        run_here(pair.transfer())
    assert isinstance(caught.value.cause, ScopeLost)
    assert "older_than" in str(caught.value)
    assert pair.balances() == (100, 0)
    assert pair.decisions() == ["abort"]
    run_here(pair.transfer())


def refuses_what_it_has_not_seen(db: DataFlow) -> bool:
    """Whether a row that is newer than its snapshot fails a transaction, as with MariaDB since 11.6."""
    if db.databases()["primary"].dialect.name != "mysql":
        return False
    found = db.run_sync(db.nodes.SQLNode(sql="SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"))
    return any(row["Value"] == "ON" for row in found["records"])


def in_a_thread(action: Callable[[], object]) -> None:
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()


# ------------------------------------------------------------------ networks


class Cut:
    """Where the connections to a database lead, and may end."""

    def __init__(self, proxy: Proxy, place: DatabaseURL) -> None:
        self._proxy = proxy
        self._place = place

    def now(self) -> None:
        """End all connections; nobody gets another."""
        self._proxy.lead_to("127.0.0.1", 1)
        self._proxy.cut()

    def greeting(self, db: DataFlow) -> int:
        """How many bytes it takes to connect."""

        async def greet() -> None:
            connection = db.databases()["primary"].dialect.connection()
            await connection.open()
            await connection.close()

        before = self._proxy.passed
        asyncio.run(greet())
        return self._proxy.passed - before

    def after(self, greeting: int) -> None:
        """End all connections; another one is greeted, and nothing that it asks arrives."""
        self._proxy.cut()
        self._proxy.stall(after=greeting)

    @property
    def has_held(self) -> bool:
        """Whether something was said that does not arrive."""
        return self._proxy.holds.is_set()

    def without_an_answer(self) -> None:
        """End them when the server has answered what it is asked next."""
        self._proxy.stall(answers_only=True)

        def cut() -> None:
            self._proxy.holds.wait(60)
            self.now()

        self.thread = threading.Thread(target=cut)
        self.thread.start()

    def heal(self) -> None:
        self._proxy.go_on()
        self._proxy.lead_to(self._place.host or "", self._place.port or 0)


@pytest.fixture(params=["postgres", "mysql"])
def cut_pair(request: pytest.FixtureRequest) -> Iterator[tuple[Pair, Cut, Cut]]:
    """One database of each kind, both behind a network, that of home first; the parameter says which is home."""
    kinds = ("mysql", "postgres") if request.param == "postgres" else ("postgres", "mysql")
    with ExitStack() as stack:
        urls, cuts = [], []
        for url in stack.enter_context(sites(kinds, request)):
            place = DatabaseURL.parse(url)
            proxy = stack.enter_context(proxied(place.host or "", place.port or 0))
            through = replace(place, host="127.0.0.1", port=proxy.port)
            urls.append(through.get_connection_url())
            cuts.append(Cut(proxy, place))
        one, two = (stack.enter_context(DataFlow(url)) for url in urls)
        yield with_balances(define(one, two)), cuts[1], cuts[0]  # the node is one of the object made last


def test_a_branch_that_is_lost_while_it_is_prepared_undoes_all(
    cut_pair: tuple[Pair, Cut, Cut], at: At
) -> None:
    pair, _, branch = cut_pair
    at("two_phase.prepare.before_branch", branch.without_an_answer)
    with pytest.raises(WorkflowExecutionError) as caught:
        run_here(pair.transfer())
    branch.thread.join()
    assert "recovery" in "".join(caught.value.cause.__notes__)
    branch.heal()
    assert recovered(pair) == (100, 0)


def test_a_prepare_that_is_cut_off_leaves_nothing(request: pytest.FixtureRequest, at: At) -> None:
    """It takes longer than a statement may, and then comes to its end all the same."""
    with ExitStack() as stack:
        home, url = stack.enter_context(sites(("sqlite", "postgres"), request))
        place = DatabaseURL.parse(url)
        proxy = stack.enter_context(proxied(place.host or "", place.port or 0))
        through = replace(place, host="127.0.0.1", port=proxy.port, options={**place.options, "timeout": "2"})
        one, two = (stack.enter_context(DataFlow(url)) for url in (home, through.get_connection_url()))
        pair = with_balances(define(one, two))
        at("two_phase.prepare.before_branch", lambda: proxy.stall(answers_only=True))
        at("two_phase.abort.before_branch", proxy.go_on)
        with pytest.raises(WorkflowExecutionError) as caught:
            run_here(pair.transfer())
        assert isinstance(caught.value.cause, StatementTimeout)
        assert pair.in_doubt() == []
        assert pair.balances() == (100, 0)


def test_bad_luck_that_leaves_a_branch_is_not_tried_again(cut_pair: tuple[Pair, Cut, Cut], at: At) -> None:
    """The branch holds what another attempt would wait for."""
    pair, _, branch = cut_pair

    def misfortune() -> None:
        branch.now()
        raise Deadlock("as if another had wanted the same row")

    at("two_phase.decision.before_row", misfortune)
    with pytest.raises(WorkflowExecutionError, match="as if another had wanted the same row") as caught:
        run_here(pair.transfer())
    assert isinstance(caught.value.cause, ScopeLost)
    assert "not run again" in str(caught.value.cause)
    branch.heal()
    assert recovered(pair) == (100, 0)


def test_a_branch_that_cannot_be_undone_in_time_is_left_to_recovery(
    cut_pair: tuple[Pair, Cut, Cut], at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is lost, and another one is not answered."""
    pair, _, branch = cut_pair
    monkeypatch.setattr(branches, "PATIENCE", 1)

    greeting = branch.greeting(pair.one)

    def fail() -> None:
        branch.after(greeting)
        raise ValueError("as if home had refused")

    at("two_phase.decision.before_row", fail)
    with pytest.raises(WorkflowExecutionError, match="as if home had refused") as caught:
        run_here(pair.transfer())
    assert branch.has_held
    assert "recovery" in "".join(caught.value.cause.__notes__)
    branch.heal()
    assert recovered(pair) == (100, 0)


def test_a_branch_that_is_lost_after_the_decision_is_recovered(
    cut_pair: tuple[Pair, Cut, Cut], at: At, caplog: pytest.LogCaptureFixture
) -> None:
    pair, _, branch = cut_pair
    at("two_phase.commit.before_branch", branch.now)
    with caplog.at_level(logging.WARNING, "dataflow.transactions"):
        run_here(pair.transfer())
    branch.heal()
    (gid,) = pair.in_doubt()
    assert gid in caplog.text
    assert "dataflow transactions recover" in caplog.text
    assert pair.decisions() == ["commit"]
    assert recovered(pair) == (90, 10)
    pair.recover()
    assert pair.decisions() == []


@pytest.mark.parametrize("has_committed", [False, True])
def test_a_home_that_does_not_answer_the_commit_leaves_it_to_recovery(
    cut_pair: tuple[Pair, Cut, Cut], at: At, has_committed: bool
) -> None:
    pair, home, _ = cut_pair
    at("two_phase.decision.before_commit", home.without_an_answer if has_committed else home.now)
    with pytest.raises(WorkflowExecutionError) as caught:
        run_here(pair.transfer())
    assert isinstance(caught.value.cause, CommitUnknown)
    home.heal()
    (gid,) = pair.in_doubt()
    assert gid in str(caught.value)
    assert recovered(pair) == ((90, 10) if has_committed else (100, 0))


def test_a_home_that_is_lost_before_the_decision_undoes_all(cut_pair: tuple[Pair, Cut, Cut], at: At) -> None:
    pair, home, _ = cut_pair
    at("two_phase.decision.before_row", home.now)
    with pytest.raises(WorkflowExecutionError):
        run_here(pair.transfer())
    home.heal()
    assert pair.in_doubt() == []
    assert pair.balances() == (100, 0)


# ------------------------------------------------------------------ servers


OWN: dict[str, Provision] = {"postgres": Postgres(own=True), "mysql": MySQL(own=True)}


@pytest.fixture(params=["postgres", "mysql"])
def killable(request: pytest.FixtureRequest) -> Iterator[tuple[str, Server, str]]:
    """A server of its own, and an empty database on it."""
    server = server_of(OWN[request.param], request)
    with server.database() as url:
        yield request.param, server, url


@pytest.fixture
def other(killable: tuple[str, Server, str], request: pytest.FixtureRequest) -> Iterator[str]:
    """A database on a server of the other kind, which goes on."""
    with sites(("mysql" if killable[0] == "postgres" else "postgres",), request) as (url,):
        yield url


def test_a_server_that_is_killed_before_its_branch_is_committed_commits_it_later(
    killable: tuple[str, Server, str], other: str, at: At
) -> None:
    _, server, url = killable
    with DataFlow(url) as one, DataFlow(other) as two:
        pair = with_balances(define(one, two))
        at("two_phase.commit.before_branch", server.kill)
        run_here(pair.transfer())
        server.restart()
        assert len(pair.in_doubt()) == 1
        assert recovered(pair) == (90, 10)


def test_a_server_that_is_killed_after_it_has_prepared_rolls_back_later(
    killable: tuple[str, Server, str], other: str, at: At
) -> None:
    _, server, url = killable

    def die() -> None:
        server.kill()
        raise ValueError("nothing is decided")

    with DataFlow(url) as one, DataFlow(other) as two:
        pair = with_balances(define(one, two))
        at("two_phase.decision.before_row", die)
        with pytest.raises(WorkflowExecutionError, match="nothing is decided"):
            run_here(pair.transfer())
        server.restart()
        assert len(pair.in_doubt()) == 1
        assert recovered(pair) == (100, 0)


@pytest.mark.parametrize(
    ("point", "balances"),
    [("two_phase.decision.before_commit", (100, 0)), ("two_phase.decision.after_commit", (90, 10))],
)
def test_a_home_that_is_killed_has_decided_or_not(
    killable: tuple[str, Server, str], other: str, at: At, point: str, balances: tuple[int, int]
) -> None:
    _, server, url = killable
    with DataFlow(other) as one, DataFlow(url) as two:
        pair = with_balances(define(one, two))
        at(point, server.kill)
        if balances == (100, 0):
            with pytest.raises(WorkflowExecutionError) as caught:
                run_here(pair.transfer())
            assert isinstance(caught.value.cause, CommitUnknown)
        else:
            run_here(pair.transfer())
        server.restart()
        assert recovered(pair) == balances
