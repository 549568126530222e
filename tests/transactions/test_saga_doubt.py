"""Steps outside of any transaction: whether they were done must be known before they are undone."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from dataflow import DataFlow, utcnow
from dataflow.errors import InvalidValue

from .conftest import saga_of
from .test_saga_recovery import KILLED, Bank, change, small_bank  # noqa: F401
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


def test_one_that_fails_the_second_time_was_not_done(file_db: DataFlow, calls: list[str]) -> None:
    @file_db.node(outside=True)
    async def charge() -> Any:
        calls.append("charge")
        if len(calls) == 1:
            await asyncio.Event().wait()
        raise ValueError("this order is not known")

    error = failure(saga_of(file_db, CHARGE, timeout=2))
    assert error.state == "compensated"
    assert "refund" not in str(calls)


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
    assert [(key.partition(":")[2], times) for key, times in small_bank.letters.items()] == [
        ("write_letter", 2),
        ("write_letter:undo", 1),
    ]
