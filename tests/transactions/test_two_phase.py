"""Units of work on several databases: all of it happens, on all of them, or nothing does."""

import asyncio
from collections.abc import Iterator

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, node
from dataflow.errors import Deadlock, WorkflowExecutionError

from .pairs import RUNS, Pair, Run, define, pairs, run_here, sites


@pytest.fixture(params=pairs())
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two databases of two objects."""
    with (
        sites(request.param, request) as (one_url, two_url),
        DataFlow(one_url, pool_timeout=10) as one,
        DataFlow(two_url, pool_timeout=10) as two,
    ):
        pair = define(one, two)
        one.run_sync(one.nodes.GiverCreateNode(balance=100))
        two.run_sync(two.nodes.TakerCreateNode(balance=0))
        yield pair


def fails() -> None:
    raise ValueError("on purpose")


@pytest.mark.parametrize("run", RUNS)
def test_what_succeeds_happens_on_both(pair: Pair, run: Run) -> None:
    run(pair.transfer())
    assert pair.balances() == (90, 10)
    assert pair.in_doubt() == []
    assert pair.decisions() == []


@pytest.mark.parametrize("run", RUNS)
def test_what_fails_happens_on_none(pair: Pair, run: Run) -> None:
    with pytest.raises(WorkflowExecutionError, match="rolled back: take, give"):
        run(pair.transfer(fails))
    assert pair.balances() == (100, 0)
    assert pair.in_doubt() == []


def test_a_later_run_uses_the_same_connections(pair: Pair) -> None:
    for number in range(1, 4):
        run_here(pair.transfer())
        with pytest.raises(WorkflowExecutionError):
            run_here(pair.transfer(fails))
        assert pair.balances() == (100 - 10 * number, 10 * number)


@pytest.mark.parametrize("isolation", ["READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"])
def test_it_runs_on_its_terms(pair: Pair, isolation: str) -> None:
    run_here(pair.transfer(isolation_level=isolation, timeout=30))
    assert pair.balances() == (90, 10)
    assert pair.in_doubt() == []


def test_a_failure_that_an_edge_takes_up_undoes_its_part(pair: Pair) -> None:
    workflow = pair.workflow(pattern="two_phase")
    workflow.add_node("TakerUpdateNode", "give", {"id": 1, "updates": {"$inc": {"balance": 10}}})
    workflow.add_node("TakerUpdateNode", "missing", {"id": 77, "updates": {"balance": 0}})
    workflow.add_node("GiverUpdateNode", "note", {"id": 1, "updates": {"balance": 55}})
    workflow.add_connection("together", "give")
    workflow.add_connection("give", "missing")
    workflow.add_connection("missing", "note", condition="status == 'failed'")
    run_here(workflow.build())
    assert pair.balances() == (55, 10)
    assert pair.in_doubt() == []


def test_bad_luck_before_the_decision_repeats_the_run(pair: Pair) -> None:
    attempts = []

    @node(repeatable=True)
    def unlucky() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise Deadlock("as if another had wanted the same row")

    assert run_here(pair.transfer(unlucky))["retries"] == 2
    assert pair.balances() == (90, 10)


def test_a_run_that_only_reads_prepares_nothing(pair: Pair) -> None:
    workflow = pair.workflow(pattern="two_phase")
    workflow.add_node("GiverReadNode", "one", {"id": 1})
    workflow.add_node("TakerReadNode", "two", {"id": 1})
    results = run_here(workflow.build())
    assert (results["one"]["balance"], results["two"]["balance"]) == (100, 0)


def test_a_database_that_was_not_needed_is_left_out(pair: Pair) -> None:
    for balance, name in ((1, "Giver"), (2, "Taker")):
        workflow = pair.workflow(pattern="two_phase")
        workflow.add_node("GiverReadNode" if name == "Taker" else "TakerReadNode", "missing", {"id": 77})
        workflow.add_node(f"{name}UpdateNode", "only", {"id": 1, "updates": {"balance": balance}})
        workflow.add_node("GiverUpdateNode" if name == "Taker" else "TakerUpdateNode", "other", {"id": 1})
        workflow.add_connection("missing", "other", condition="found == True")
        workflow.add_connection("only", "balance", "other", "balance")
        run_here(workflow.build())
    assert pair.balances() == (1, 2)
    assert pair.decisions() == []


def test_explain_tells_how_it_ends(pair: Pair) -> None:
    told = str(pair.transfer().explain())
    assert "commit together" in told
    assert "two-phase" in told
    assert "do not commit together" not in told


@pytest.mark.parametrize("isolation", [None, "SERIALIZABLE"])
def test_many_at_once_add_up(pair: Pair, isolation: str | None) -> None:
    """Each reads, computes and writes, so that at the higher level those that meet are run again."""

    @node(repeatable=True, outputs=["balance"])
    def less(balance: int) -> dict[str, int]:
        return {"balance": balance - 1}

    workflow = pair.workflow(retries=200, **({} if isolation is None else {"isolation_level": isolation}))
    if isolation is None:
        workflow.add_node("GiverUpdateNode", "take", {"id": 1, "updates": {"$inc": {"balance": -1}}})
    else:
        workflow.add_node("GiverReadNode", "read", {"id": 1})
        workflow.add_node(less, "less")
        workflow.add_node("GiverUpdateNode", "take", {"id": 1})
        workflow.add_connection("read", "less", "balance")
        workflow.add_connection("less", "balance", "take", "balance")
    workflow.add_node("TakerUpdateNode", "give", {"id": 1, "updates": {"$inc": {"balance": 1}}})
    built = workflow.build()

    async def main() -> None:
        runtime = AsyncLocalRuntime()
        await asyncio.gather(*(runtime.execute(built) for _ in range(8)))

    asyncio.run(main())
    assert pair.balances() == (92, 8)
    assert (pair.in_doubt(), pair.decisions()) == ([], [])
