"""Functions as steps: where they run, what they are given, and what becomes of what they return."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from time import time
from typing import Any
from uuid import UUID

import pytest

from dataflow import DataFlow, LocalRuntime
from dataflow.errors import ConnectionLost, InvalidValue, TransactionTimeout, WorkflowExecutionError

from .conftest import rows, saga_of
from .test_sagas import FAILING, failure, refusal


def function(name: str, compensation: str | None = None, **more: Any) -> dict[str, Any]:
    return {"node": name, "compensation": compensation, **more}


def test_what_a_function_does_in_the_database_is_one_with_its_entry(file_db: DataFlow) -> None:
    db, tried = file_db, []

    @db.node
    def open_account(owner: str) -> dict[str, Any]:
        tried.append(owner)
        return {"account": db.run_sync(db.nodes.AccountCreateNode(owner=owner))["id"]}

    @db.node
    def close_account(account: int) -> None:
        db.run_sync(db.nodes.AccountDeleteNode(id=account))

    step = function("open_account", "close_account", parameters={"owner": "Ann"})
    results, _ = LocalRuntime().execute(saga_of(db, step))
    assert results["saga"]["steps"]["open_account"]["account"] == 1
    failure(saga_of(db, step, FAILING))
    assert tried == ["Ann", "Ann"]
    assert [row["id"] for row in rows(db, "Account")] == [1]


def test_an_asynchronous_function_is_awaited(db: DataFlow) -> None:
    @db.node
    async def open_account(owner: str) -> Any:
        await asyncio.sleep(0)
        return (await db.nodes.AccountCreateNode(owner=owner))["id"]

    results, _ = LocalRuntime().execute(saga_of(db, function("open_account", parameters={"owner": "Ann"})))
    assert results["saga"]["steps"]["open_account"] == {"result": 1}
    assert len(rows(db, "Account")) == 1


def test_a_function_that_fails_leaves_nothing_in_the_database(db: DataFlow) -> None:
    @db.node
    def open_account() -> None:
        db.run_sync(db.nodes.AccountCreateNode(owner="Ann"))
        raise ValueError("no")

    error = failure(saga_of(db, function("open_account")))
    assert isinstance(error.cause, ValueError)
    assert rows(db, "Account") == []


def test_a_key_tells_a_step_from_others_and_is_the_same_each_time(file_db: DataFlow) -> None:
    keys: list[str] = []

    @file_db.node(outside=True)
    def charge(idempotency_key: str) -> None:
        keys.append(idempotency_key)

    @file_db.node(outside=True)
    def refund(idempotency_key: str) -> None:
        keys.append(idempotency_key)

    error = failure(saga_of(file_db, function("charge", "refund"), FAILING))
    assert keys == [f"{error.saga}:charge", f"{error.saga}:charge:undo"]


def test_a_function_that_takes_anything_else_is_given_the_key_that_it_names(file_db: DataFlow) -> None:
    given: list[dict[str, Any]] = []

    @file_db.node(outside=True)
    def charge(idempotency_key: str, **rest: Any) -> None:
        given.append({"key": idempotency_key, **rest})

    @file_db.node(outside=True)
    def note(**rest: Any) -> None:
        given.append(rest)

    steps = [function("charge", parameters={"amount": 7}), function("note", parameters={"text": "x"})]
    results, _ = LocalRuntime().execute(saga_of(file_db, *steps))
    assert given == [{"key": f"{results['saga']['saga_id']}:charge", "amount": 7}, {"text": "x"}]


def test_a_compensation_has_a_key_of_its_own_whatever_its_step_gives_back(file_db: DataFlow) -> None:
    keys: list[str] = []

    @file_db.node(outside=True)
    def charge(idempotency_key: str) -> dict[str, Any]:
        return {"receipt": 7, "idempotency_key": idempotency_key}

    @file_db.node(outside=True)
    def refund(receipt: int, idempotency_key: str) -> None:
        keys.append(idempotency_key)

    error = failure(saga_of(file_db, function("charge", "refund"), FAILING))
    assert keys == [f"{error.saga}:charge:undo"]


def test_a_field_of_that_name_is_no_key_and_is_missed_before_anything_is_done(file_db: DataFlow) -> None:
    @file_db.model
    class Payment:
        idempotency_key: str

    order = {"node": "OrderCreateNode", "compensation": "OrderDeleteNode", "parameters": {"item": "x"}}
    payment = {"node": "PaymentCreateNode", "compensation": None}
    with pytest.raises(WorkflowExecutionError, match=r"step 'PaymentCreateNode'.*'idempotency_key'"):
        LocalRuntime().execute(saga_of(file_db, order, payment))
    assert rows(file_db, "Order") == []


def test_a_step_that_is_tried_again_has_the_time_that_is_left(
    file_db: DataFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, clock = [], [time()]
    monkeypatch.setattr("dataflow.transactions.saga.time", lambda: clock[0])

    @file_db.node(repeatable=True)
    def slow() -> None:
        calls.append("slow")
        clock[0] += 60
        raise ConnectionLost("the server was away for a minute")

    error = failure(saga_of(file_db, function("slow"), timeout=30))
    assert isinstance(error.cause, TransactionTimeout)
    assert calls == ["slow"]


def test_a_step_for_which_no_time_is_left_does_not_begin(
    file_db: DataFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, clock = [], [time()]
    monkeypatch.setattr("dataflow.transactions.saga.time", lambda: clock[0])

    @file_db.node
    def slow() -> None:
        clock[0] += 60

    @file_db.node(outside=True)
    def charge() -> None:
        calls.append("charge")

    @file_db.node(outside=True)
    def refund() -> None:
        calls.append("refund")

    error = failure(saga_of(file_db, function("slow"), function("charge", "refund"), timeout=30))
    assert (error.step, error.state) == ("charge", "compensated")
    assert calls == []


@pytest.mark.parametrize(("kind", "outside"), [(ValueError, False), (ValueError, True), (TimeoutError, True)])
def test_an_error_keeps_what_it_came_from(file_db: DataFlow, kind: type[Exception], outside: bool) -> None:
    calls: list[str] = []

    @file_db.node(outside=outside)
    def charge() -> None:
        calls.append("charge")
        if len(calls) == 1:
            raise kind("no") from KeyError("the reason")

    @file_db.node
    def refund() -> None:
        pass

    error = failure(saga_of(file_db, function("charge", "refund")))
    assert isinstance(error.cause, kind)
    assert isinstance(error.cause.__cause__, KeyError)


def test_a_function_outside_keeps_nobody_waiting(file_db: DataFlow) -> None:
    db = file_db

    @db.node(outside=True)
    def charge() -> dict[str, Any]:
        # A transaction that was open would keep SQLite's only writer from this.
        db.run_sync(db.nodes.AccountCreateNode(owner="meanwhile"))
        return {"receipt": 7}

    order = {"node": "OrderCreateNode", "compensation": None, "inputs": {"amount": "charge.receipt"}}
    LocalRuntime().execute(saga_of(db, function("charge"), {**order, "parameters": {"item": "a book"}}))
    assert [row["amount"] for row in rows(db, "Order")] == [7]


def test_values_come_back_as_they_were(file_db: DataFlow) -> None:
    value = {
        "total": Decimal("1.20"),
        "at": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "id": UUID(int=7),
        "raw": b"\x00\xff",
        "text": "naïve \U0001f600 \x00",
        "nested": [{"$odd": 1, 2: [None, True, float("inf")]}],
        "large": 2**200,
    }
    taken: list[object] = []

    @file_db.node
    def make() -> Any:
        return value

    @file_db.node
    def take(given: object) -> None:
        taken.append(given)

    steps = [function("make"), function("take", inputs={"given": "make.result"})]
    results, _ = LocalRuntime().execute(saga_of(file_db, *steps))
    assert results["saga"]["steps"]["make"]["result"] == value
    assert taken == [value]


def test_an_output_that_cannot_be_kept_is_refused_before_the_step_is_committed(db: DataFlow) -> None:
    @db.node
    def make() -> Any:
        db.run_sync(db.nodes.AccountCreateNode(owner="Ann"))
        return {"lock": object()}

    error = failure(saga_of(db, function("make")))
    assert isinstance(error.cause, InvalidValue)
    assert "lock cannot be kept" in str(error)
    assert rows(db, "Account") == []


def test_a_large_output_is_kept(db: DataFlow) -> None:
    @db.node
    def make() -> str:
        return "ä" * 1_000_000

    results, _ = LocalRuntime().execute(saga_of(db, function("make")))
    assert len(results["saga"]["steps"]["make"]["result"]) == 1_000_000


def test_a_function_without_a_name_is_refused(file_db: DataFlow) -> None:
    assert "a function gets a name by @db.node" in refusal(file_db, {"node": lambda: 1, "compensation": None})


def test_a_compensation_that_lacks_something_is_refused(file_db: DataFlow) -> None:
    @file_db.node
    def refund(receipt: int) -> None:
        pass

    order = {"node": "OrderCreateNode", "compensation": "refund", "parameters": {"item": "x"}}
    assert "refund needs a value for 'receipt'" in refusal(file_db, order)


@pytest.mark.parametrize("failures", [2, 3])
def test_a_compensation_is_tried_three_times(file_db: DataFlow, failures: int) -> None:
    tried: list[int] = []

    @file_db.node
    def charge() -> dict[str, Any]:
        return {"receipt": 7}

    @file_db.node
    def refund(receipt: int) -> None:
        tried.append(receipt)
        if len(tried) <= failures:
            raise ValueError("the secret of the bank")

    order = {"node": "OrderCreateNode", "compensation": "OrderDeleteNode", "parameters": {"item": "x"}}
    error = failure(saga_of(file_db, order, function("charge", "refund"), FAILING))
    assert len(tried) == 3
    assert error.state == ("compensated" if failures == 2 else "needs_attention")
    # Those before it wait for the person who looks at it.
    assert len(rows(file_db, "Order")) == (0 if failures == 2 else 1)


def test_time_that_is_over_sends_it_back(file_db: DataFlow) -> None:
    db, done, undone = file_db, list[int](), list[int]()

    @db.node
    def charge() -> dict[str, Any]:
        done.append(7)
        return {"receipt": 7}

    @db.node
    def refund(receipt: int) -> None:
        undone.append(receipt)

    @db.node(outside=True)
    async def wait_long() -> None:
        await asyncio.sleep(60)

    error = failure(saga_of(db, function("charge", "refund"), function("wait_long"), timeout=0.2))
    assert type(error.cause).__name__ == "TransactionTimeout"
    assert (error.state, undone) == ("compensated", done)
