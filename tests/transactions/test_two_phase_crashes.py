"""A process that dies at any instant of a two-phase commit, and what recovery makes of what it leaves."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import pytest

from dataflow import DataFlow
from dataflow.testing.waiting import wait_until
from dataflow.transactions.crash import POINTS
from dataflow.transactions.in_doubt import Outcome

from .conftest import At
from .pairs import Pair, define, pairs, sites

PROGRAM = """
import sys
from dataflow import DataFlow
from tests.transactions.pairs import define, run_here

with DataFlow(sys.argv[1]) as one, DataFlow(sys.argv[2]) as two:
    run_here(define(one, two).transfer())
"""
UNDECIDED = ("prepare.before_branch", "prepare.after_branch", "decision.before_row", "decision.after_row")
BEFORE = [f"two_phase.{event}" for event in (*UNDECIDED, "decision.before_commit")]
"""Dying here, nothing has happened."""
AFTER = [
    point
    for point in POINTS
    if point.startswith(("two_phase.decision", "two_phase.commit", "two_phase.forget"))
    and point not in BEFORE
]
"""Dying here, all of it has."""


@pytest.fixture(params=pairs("postgres+mysql", "sqlite+postgres", "mysql+postgres"))
def urls(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    with sites(request.param, request) as (one, two):
        yield one, two


@pytest.fixture
def pair(urls: tuple[str, str]) -> Iterator[Pair]:
    with DataFlow(urls[0], pool_timeout=20) as one, DataFlow(urls[1], pool_timeout=20) as two:
        pair = define(one, two)
        one.run_sync(one.nodes.GiverCreateNode(balance=100))
        two.run_sync(two.nodes.TakerCreateNode(balance=0))
        yield pair


def die(urls: tuple[str, str], point: str) -> None:
    """Transfer in a process that dies at a place."""
    environment = {**os.environ, "DATAFLOW_CRASH_AT": point, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *urls], env=environment, capture_output=True, text=True
    )
    assert done.returncode == -9, done.stdout + done.stderr


def recover(pair: Pair) -> None:
    """Until nothing is in doubt: a session of MariaDB needs a moment to notice that its client is gone."""

    def nothing_is_left() -> bool:
        pair.recover()
        return not pair.in_doubt()

    wait_until(nothing_is_left, lambda: AssertionError("something is in doubt for ever"))


@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_a_process_that_dies_leaves_all_or_nothing(urls: tuple[str, str], pair: Pair, point: str) -> None:
    die(urls, point)
    recover(pair)
    assert pair.balances() == ((100, 0) if point in BEFORE else (90, 10))
    assert "commit" not in pair.decisions()


def test_what_may_be_under_way_is_left_alone(urls: tuple[str, str], pair: Pair) -> None:
    die(urls, "two_phase.commit.before_branch")
    (gid,) = pair.in_doubt()
    outcome = pair.recover(older_than=600)[0]
    assert (outcome.gid, outcome.action) == (gid, "left")
    assert pair.in_doubt() == [gid]
    assert pair.decisions() == ["commit"]
    recover(pair)
    assert pair.balances() == (90, 10)


def test_a_recovery_that_dies_is_done_again(urls: tuple[str, str], pair: Pair) -> None:
    die(urls, "two_phase.decision.before_row")
    program = PROGRAM.replace("run_here(define(one, two).transfer())", "define(one, two).recover()")
    for point in (
        "two_phase.fence.before_row",
        "two_phase.fence.after_row",
        "two_phase.recovery.before_branch",
    ):
        environment = {**os.environ, "DATAFLOW_CRASH_AT": point, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", program, *urls], env=environment, capture_output=True, text=True
        )
        assert done.returncode == -9, done.stdout + done.stderr
        assert len(pair.in_doubt()) == 1
    recover(pair)
    assert pair.balances() == (100, 0)
    assert pair.decisions() == ["abort"]


def test_who_comes_second_says_so(urls: tuple[str, str], pair: Pair, at: At) -> None:
    die(urls, "two_phase.decision.before_row")
    (gid,) = pair.in_doubt()

    def be_faster() -> None:
        thread = Thread(target=recover, args=(pair,))
        thread.start()
        thread.join()

    at("two_phase.recovery.before_branch", be_faster)
    (outcome,) = pair.recover()
    assert (outcome.gid, outcome.action) == (gid, "ended")


@pytest.mark.parametrize(
    ("point", "action", "balances"),
    [
        ("two_phase.commit.before_branch", "committed", (90, 10)),
        ("two_phase.decision.before_row", "rolled back", (100, 0)),
    ],
)
def test_several_may_recover_at_once(
    urls: tuple[str, str], pair: Pair, point: str, action: str, balances: tuple[int, int]
) -> None:
    die(urls, point)
    start = Barrier(2)

    def work(pair: Pair) -> list[Outcome]:
        outcomes: list[Outcome] = []

        def nothing_is_left() -> bool:
            outcomes.extend(pair.recover())
            return not pair.in_doubt()

        start.wait()
        wait_until(nothing_is_left, lambda: AssertionError("something is in doubt for ever"))
        return outcomes

    with DataFlow(urls[0]) as one, DataFlow(urls[1]) as two, ThreadPoolExecutor(2) as threads:
        found = [*threads.map(work, (pair, define(one, two)))]
    actions = [outcome.action for outcomes in found for outcome in outcomes if outcome.action != "left"]
    assert actions.count(action) == 1
    assert {*actions} <= {action, "ended"}
    assert pair.balances() == balances
    pair.recover()
    assert "commit" not in pair.decisions()


def test_without_its_home_nothing_is_decided(urls: tuple[str, str], pair: Pair) -> None:
    die(urls, "two_phase.commit.before_branch")
    (gid,) = pair.in_doubt()
    for db in pair:
        alone = Pair(db, db)
        for outcome in alone.recover():
            assert outcome.action == "left"
            assert "decides" in outcome.reason
    assert pair.in_doubt() == [gid]
    recover(pair)
    assert pair.balances() == (90, 10)
