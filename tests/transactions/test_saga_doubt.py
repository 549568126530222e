"""Steps outside of any transaction: whether they were done must be known before they are undone."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, utcnow
from dataflow.errors import ConnectionLost, InvalidValue, WorkflowExecutionError
from dataflow.nodes.bulk_update import BulkUpdateNode
from dataflow.runtime.calls import NodeCall
from dataflow.transactions import NotDone, SagaFailed, crash, recover
from dataflow.transactions.headers import Headers
from dataflow.transactions.ledger import SAGAS
from dataflow.transactions.tables import fitting
from dataflow.transactions.unfinished import resolve

from .conftest import saga_of
from .program import ERROR, OVERTAKEN
from .test_saga_recovery import BACK, KILLED, STATES, Bank, change, small_bank  # noqa: F401
from .test_sagas import FAILING, failure

CHARGE = {"node": "charge", "compensation": "refund"}


@pytest.fixture
def calls(file_db: DataFlow) -> list[str]:
    """Takes up what is refunded."""
    refunds: list[str] = []

    @file_db.node(outside=True)
    def refund(receipt: str) -> None:
        refunds.append(f"refund {receipt}")

    return refunds


def test_a_function_that_fails_has_done_nothing(file_db: DataFlow, calls: list[str]) -> None:
    @file_db.node(outside=True)
    def charge() -> Any:
        calls.append("charge")
        raise ValueError("the card was refused")

    error = failure(saga_of(file_db, CHARGE))
    assert isinstance(error.cause, ValueError)
    assert error.state == "compensated"
    assert calls == ["charge"]


def test_one_that_was_interrupted_is_done_again_by_the_same_key_to_be_undone(
    file_db: DataFlow, calls: list[str]
) -> None:
    @file_db.node(outside=True)
    async def charge(idempotency_key: str) -> Any:
        is_first = not calls
        calls.append(idempotency_key)
        if is_first:
            await asyncio.Event().wait()
        return {"receipt": "7"}

    error = failure(saga_of(file_db, CHARGE, timeout=2))
    key = f"{error.saga}:charge"
    assert error.state == "compensated"
    assert calls == [key, key, "refund 7"]


@pytest.mark.parametrize(
    ("said", "state", "most"),
    [(NotDone("there is no such order"), "compensated", 2), (ValueError("I know it"), "needs_attention", 4)],
)
def test_one_that_was_interrupted_may_say_the_second_time_that_nothing_was_done(
    file_db: DataFlow, calls: list[str], said: Exception, state: str, most: int
) -> None:
    @file_db.node(outside=True)
    async def charge() -> Any:
        calls.append("charge")
        if len(calls) == 1:
            await asyncio.Event().wait()
        raise said

    error = failure(saga_of(file_db, CHARGE, timeout=2))
    assert error.state == state
    assert calls == ["charge"] * most
    (row,) = headers(file_db)
    assert row["state"] == state
    assert (row["problem"] == "whether step 'charge' was done is not known: ValueError") == (most == 4)


def test_one_that_needs_attention_is_asked_again_where_a_person_says_so(
    file_db: DataFlow, calls: list[str]
) -> None:
    answers: list[Exception] = [*[TimeoutError()] * 4, NotDone()]

    @file_db.node(outside=True)
    def charge() -> Any:
        raise answers.pop(0)

    error = failure(saga_of(file_db, CHARGE))
    assert (error.state, len(answers)) == ("needs_attention", 1)
    asyncio.run(resolve(file_db, str(error.saga), "retry"))
    assert [one.state for one in asyncio.run(recover(file_db))] == ["compensated"]
    assert not answers
    assert not calls


@pytest.mark.parametrize("error", [TimeoutError, ConnectionResetError, ConnectionLost("no answer")])
def test_one_that_got_no_answer_is_called_again_before_it_is_undone(
    file_db: DataFlow, calls: list[str], error: Any
) -> None:
    @file_db.node(outside=True)
    def charge() -> Any:
        calls.append("charge")
        if len(calls) == 1:
            raise error
        return {"receipt": "7"}

    assert failure(saga_of(file_db, CHARGE)).state == "compensated"
    assert calls == ["charge", "charge", "refund 7"]


def test_one_that_is_called_for_the_second_time_going_forward_proves_nothing_by_its_error(
    small_bank: Bank,  # noqa: F811
) -> None:
    assert small_bank.process("late", "saga.step.before_ledger:2") == KILLED
    small_bank.let_befall(ERROR)
    small_bank.recover_to_the_end()
    assert small_bank.balances == (100, 100)
    assert small_bank.states == ["compensated"]
    assert small_bank.told == {"write_letter": 2, "write_letter:undo": 1}


@pytest.mark.parametrize("point", [point for point in BACK if "failure" in point or "fence" in point])
def test_one_that_failed_before_its_process_died_never_acts_without_being_undone(
    small_bank: Bank,  # noqa: F811
    point: str,
) -> None:
    """It acts when it is called again, if it is."""
    small_bank.let_befall(ERROR)
    assert small_bank.process("give", point) == KILLED
    small_bank.recover_to_the_end()
    (state,) = small_bank.states
    assert small_bank.balances == ((70, 130) if state == "done" else (100, 100))
    acted, undone = (small_bank.told[key] for key in ("write_letter", "write_letter:undo"))
    assert (acted, undone) == (1, 0) if state == "done" else acted == undone


def test_one_that_comes_late_is_undone_by_its_own_process(db: DataFlow) -> None:
    """Its call stands still until another process has been told that nothing was done, and has undone all else."""
    calls: list[str] = []

    async def main() -> list[str]:
        reached, go = asyncio.Event(), asyncio.Event()

        @db.node(outside=True)
        async def charge() -> Any:
            if reached.is_set():
                raise NotDone("nobody has charged anything")
            reached.set()
            await go.wait()
            calls.append("charge")
            return {"receipt": "7"}

        @db.node(outside=True)
        async def refund(receipt: str) -> None:
            calls.append(f"refund {receipt}")

        running = asyncio.ensure_future(AsyncLocalRuntime().execute(saga_of(db, CHARGE, timeout=3600)))
        await reached.wait()
        over = {"filter": {"name": "saga"}, "update": {"deadline": utcnow() - timedelta(seconds=1)}}
        home = db.databases()["primary"]
        await NodeCall(BulkUpdateNode(home, fitting(home, SAGAS)), over)
        assert [one.state for one in await recover(db)] == ["compensated"]
        assert calls == []
        go.set()
        with pytest.raises(WorkflowExecutionError) as caught:
            await running
        error = caught.value.cause
        assert isinstance(error, SagaFailed)
        states = [error.state, *(row["state"] for row in await Headers(home).list(STATES))]
        await db.close()
        return states

    assert asyncio.run(main()) == ["compensated", "compensated"]
    assert calls == ["charge", "refund 7"]


def test_one_that_comes_late_and_dies_while_another_one_comes_to_the_end_is_undone_by_that(
    file_db: DataFlow, calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @file_db.node(outside=True)
    async def charge() -> Any:
        calls.append("charge")
        if len(calls) == 1:
            await asyncio.Event().wait()
        raise NotDone

    def come_late() -> None:
        output = """UPDATE dataflow_saga_steps SET output = '{"receipt":"7"}' WHERE direction = 'do'"""
        with sqlite3.connect(tmp_path / "shop.db", isolation_level=None) as connection:
            connection.execute(output)
        connection.close()

    monkeypatch.setattr(crash, "_place", "saga.compensated.before_state")
    monkeypatch.setattr(crash, "_die_at_last_pass", come_late)
    error = failure(saga_of(file_db, CHARGE, timeout=2))
    assert error.state == "compensated"
    assert calls == ["charge", "charge", "refund 7"]


def test_one_that_comes_late_and_dies_before_it_is_undone_is_undone_by_recovery(
    small_bank: Bank,  # noqa: F811
) -> None:
    """Another one has begun to undo the saga while the letter was written."""
    small_bank.let_befall(OVERTAKEN)
    assert small_bank.process("late", "saga.failure.before_state") == KILLED
    assert small_bank.states == ["compensating"]
    small_bank.recover_to_the_end()
    assert small_bank.balances == (100, 100)
    assert small_bank.told == {"write_letter": 1, "write_letter:undo": 1}


def test_one_of_which_nothing_can_be_known_needs_attention(file_db: DataFlow, calls: list[str]) -> None:
    @file_db.node(outside=True)
    def charge() -> Any:
        calls.append("charge")
        return {"receipt": object()}

    error = failure(saga_of(file_db, CHARGE))
    assert isinstance(error.cause, InvalidValue)
    assert error.state == "needs_attention"
    assert set(calls) == {"charge"}


def test_one_that_never_began_is_not_done_to_be_undone(file_db: DataFlow, calls: list[str]) -> None:
    @file_db.node(outside=True)
    def charge() -> Any:
        calls.append("charge")

    failure(saga_of(file_db, FAILING, CHARGE))
    assert calls == []


def test_a_process_that_died_after_it_has_it_undone(small_bank: Bank) -> None:  # noqa: F811
    assert small_bank.process("late", "saga.step.before_ledger:2") == KILLED
    change(small_bank, None, deadline=utcnow() - timedelta(seconds=1))
    small_bank.recover_to_the_end()
    assert small_bank.balances == (100, 100)
    assert small_bank.told == {"write_letter": 2, "write_letter:undo": 1}


def headers(db: DataFlow) -> Sequence[Mapping[str, Any]]:
    """What is kept of all sagas."""

    async def read() -> Sequence[Mapping[str, Any]]:
        return await Headers(db.databases()["primary"]).list(STATES)

    return asyncio.run(read())
