"""One run of a workflow, by both runtimes: order, conditions, failures, parameters, results."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    DataFlowError,
    InvalidValue,
    MissingValue,
    UniqueViolation,
    UnknownName,
    WorkflowError,
    WorkflowExecutionError,
)

from .conftest import ON_POSTGRES, ON_SQLITE, on
from .running import Execute, Names, fail, run_sql

# Order and results


def test_nodes_run_in_the_order_of_the_workflow(execute: Execute) -> None:
    ran: list[str] = []

    async def note_async(id: str) -> None:
        await asyncio.sleep(0)
        ran.append(id)

    builder = WorkflowBuilder()
    for id in "dbcae":
        builder.add_node(
            note_async if id == "c" else ran.append if id == "?" else _noting(ran), id, {"id": id}
        )
    for source, target in [("c", "b"), ("a", "d"), ("b", "a"), ("d", "e")]:
        builder.add_connection(source, target)
    workflow = builder.build()
    results, _ = execute(workflow)
    assert ran == [step.id for step in workflow] == list("cbade")
    assert list(results) == ran


def _noting(ran: list[str]) -> Callable[[str], None]:
    def note(id: str) -> None:
        ran.append(id)

    return note


def test_the_outputs_are_the_results(execute: Execute, db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "make", {"name": "a", "amount": 5})
    builder.add_node(lambda amount: amount * 2, "double")
    builder.add_node("ItemUpdateNode", "change")
    builder.add_connection("make", "double", "amount")
    builder.add_connection("make", "change", "id")
    builder.add_connection("double", "result", "change", "amount")
    results, run_id = execute(builder.build())
    assert isinstance(run_id, str)
    assert run_id
    assert set(results) == {"make", "double", "change"}
    assert results["make"]["id"] == 1
    assert results["make"]["amount"] == 5
    assert results["double"] == {"result": 10}
    assert results["change"]["record"] == {"id": 1, "name": "a", "amount": 10, "code": None}
    assert names() == ["a"]


def test_every_run_has_an_id_of_its_own(execute: Execute) -> None:
    builder = WorkflowBuilder()
    builder.add_node(lambda: 1, "one")
    workflow = builder.build()
    assert len({execute(workflow)[1] for _ in range(20)}) == 20


def test_the_time_is_there_without_being_an_item(execute: Execute) -> None:
    builder = WorkflowBuilder()
    builder.add_node(lambda: time.sleep(0.02), "sleep")
    started = time.perf_counter()
    results, _ = execute(builder.build())
    assert 0.015 < results["execution_time"] <= time.perf_counter() - started
    assert list(results) == ["sleep"]
    assert "execution_time" not in results
    assert len(results) == 1
    assert dict(results) == {"sleep": {"result": None}}
    with pytest.raises(KeyError, match="slepe"):
        results["slepe"]


def test_a_builder_must_be_built(execute: Execute) -> None:
    builder = WorkflowBuilder()
    builder.add_node(lambda: 1, "one")
    with pytest.raises(WorkflowError, match=r"build\(\)"):
        execute(builder)  # type: ignore[arg-type]
    nothing: Any = None
    with pytest.raises(WorkflowError, match="workflow"):
        execute(nothing)


@pytest.mark.parametrize("concurrency", [0, -1, True, "2", 1.5, None])
def test_concurrency_is_a_number_of_functions(concurrency: Any) -> None:
    for runtime in (LocalRuntime, AsyncLocalRuntime):
        with pytest.raises(DataFlowError, match="concurrency"):
            runtime(concurrency=concurrency)


# Conditions and skipping


@pytest.mark.parametrize(("amount", "ran"), [(150, {"check", "big", "end"}), (50, {"check", "small", "end"})])
def test_alternatives_feed_one_input_and_the_one_not_taken_is_absent(
    amount: int, ran: set[str], execute: Execute
) -> None:
    builder = WorkflowBuilder()
    builder.add_node(lambda amount: {"amount": amount}, "check", {"amount": amount})
    builder.add_node(lambda amount: f"big {amount}", "big")
    builder.add_node(lambda amount: f"small {amount}", "small")
    builder.add_node(lambda text: text, "end")
    builder.add_connection("check", "big", "amount", condition="amount > 100")
    builder.add_connection("check", "small", "amount", condition="amount <= 100")
    builder.add_connection("big", "result", "end", "text")
    builder.add_connection("small", "result", "end", "text")
    results, _ = execute(builder.build())
    assert set(results) == ran
    assert results["end"]["result"] == f"{'big' if amount > 100 else 'small'} {amount}"


def test_skipping_goes_on_down_the_line(execute: Execute) -> None:
    builder = WorkflowBuilder()
    for id in "abcde":
        builder.add_node(lambda x=None: {"x": 1}, id)
    builder.add_connection("a", "b", condition="x > 1")
    builder.add_connection("b", "c")
    builder.add_connection("c", "x", "d", "x")
    builder.add_connection("a", "e")
    builder.add_connection("d", "e")
    results, _ = execute(builder.build())
    assert set(results) == {"a", "e"}


def test_each_input_needs_a_source_that_ran(execute: Execute) -> None:
    builder = WorkflowBuilder()
    builder.add_node(lambda: {"x": 1}, "a")
    builder.add_node(lambda: {"y": 1}, "b")
    builder.add_node(lambda x, y: x + y, "sum")
    builder.add_connection("a", "b", condition="x == 2")
    builder.add_connection("a", "sum", "x")
    builder.add_connection("b", "sum", "y")
    results, _ = execute(builder.build())
    assert set(results) == {"a"}


def test_of_several_order_edges_one_that_is_live_is_enough(execute: Execute) -> None:
    builder = WorkflowBuilder()
    builder.add_node(lambda: {"x": 1}, "a")
    builder.add_node(lambda: None, "skipped")
    builder.add_node(lambda: None, "either")
    builder.add_node(lambda: None, "neither")
    builder.add_connection("a", "skipped", condition="x == 2")
    builder.add_connection("skipped", "either")
    builder.add_connection("a", "either", condition="x == 1")
    builder.add_connection("skipped", "neither")
    builder.add_connection("a", "neither", condition="x == 3")
    results, _ = execute(builder.build())
    assert set(results) == {"a", "either"}


def test_status_is_the_outcome_and_a_column_of_that_name_is_in_the_record(execute: Execute) -> None:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Payment:
            status: str

        builder = WorkflowBuilder(db)
        builder.add_node("PaymentCreateNode", "pay", {"status": "failed"})
        builder.add_node(lambda: None, "went well")
        builder.add_node(lambda: None, "is failed")
        builder.add_node(lambda: None, "went wrong")
        builder.add_connection("pay", "went well", condition="status == 'success'")
        builder.add_connection("pay", "is failed", condition="record.status == 'failed'")
        builder.add_connection("pay", "went wrong", condition="status == 'failed'")
        results, _ = execute(builder.build())
        assert set(results) == {"pay", "went well", "is failed"}
        assert results["pay"]["status"] == "failed"


def test_values_that_cannot_be_ordered_fail_the_run_without_showing_them(execute: Execute) -> None:
    builder = WorkflowBuilder()
    builder.add_node(lambda: {"x": "secret"}, "a")
    builder.add_node(lambda: None, "b")
    builder.add_connection("a", "b", condition="x > 1")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(builder.build())
    assert "secret" not in str(caught.value)
    assert "x > 1" in str(caught.value)


# Failures


def test_a_failure_of_the_database_is_mapped_and_rolls_back(
    execute: Execute, file_db: DataFlow, outside: Callable[[str], list[tuple[object, ...]]]
) -> None:
    run_sql(file_db, "CREATE UNIQUE INDEX one_code ON items (code)")
    builder = WorkflowBuilder(file_db)
    builder.add_node("ItemCreateNode", "one", {"name": "a", "code": "x"})
    builder.add_node("ItemCreateNode", "two", {"name": "b", "code": "x"})
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(builder.build())
    assert caught.value.node == "two"
    assert isinstance(caught.value.cause, UniqueViolation)
    assert caught.value.cause.table == "items"
    assert caught.value.cause.columns == ("code",)
    assert outside("SELECT * FROM items") == []


def test_a_node_that_failed_feeds_nobody_but_orders_those_that_want_it(execute: Execute) -> None:
    builder = WorkflowBuilder()
    builder.add_node(fail, "boom")
    builder.add_node(lambda x: x, "fed")
    builder.add_node(lambda: None, "ordered")
    builder.add_node(lambda: None, "either way")
    builder.add_connection("boom", "result", "fed", "x")
    builder.add_connection("boom", "ordered")
    builder.add_connection("boom", "either way", condition="status in ('failed', 'success')")
    results, _ = execute(builder.build())
    assert set(results) - {"boom"} == {"either way"}


@on(*ON_SQLITE, ON_POSTGRES)  # MySQL puts nothing off until the commit
def test_a_commit_that_the_database_refuses_fails_the_run_and_nothing_stays(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    run_sql(db, "CREATE TABLE notes (item INTEGER REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED)")
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node("SQLNode", "two", {"sql": "INSERT INTO notes VALUES (99)"})
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(builder.build())
    assert caught.value.node is None
    assert "foreign" in str(caught.value).lower() or "referenced" in str(caught.value)
    assert names() == []
    assert run_sql(db, "SELECT * FROM notes")["records"] == []


# Parameters of the run


def test_parameters_replace_those_of_the_node_for_one_run(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "make", {"name": "a", "amount": 1})
    builder.add_node("ItemReadNode", "read", {"id": 1})
    workflow = builder.build()
    execute(workflow)
    results, _ = execute(workflow, {"make": {"name": "b"}, "read": {"id": 2}})
    assert results["make"]["amount"] == 1
    assert results["read"]["name"] == "b"
    execute(workflow, {"read": {}})
    execute(workflow, {})
    assert names() == ["a", "b", "a", "a"]


@pytest.mark.parametrize(
    ("parameters", "kind", "words"),
    [
        ({"mak": {"name": "b"}}, UnknownName, "did you mean 'make'"),
        ({"make": {"nam": "b"}}, UnknownName, "did you mean 'name'"),
        ({"make": {"amount": "secret"}}, InvalidValue, "amount"),
        ({"read": {"idd": 1}}, UnknownName, "did you mean 'id'"),
        ({"read": {"id": "secret"}}, InvalidValue, "id"),
        ({"greet": {"nmae": "secret"}}, UnknownName, "did you mean 'name'"),
        ({"greet": {"name": "secret"}}, DataFlowError, "'name'"),
        ({"make": "secret"}, DataFlowError, "dict"),
        ({"make": None}, DataFlowError, "dict"),
    ],
)
def test_wrong_parameters_are_refused_before_any_sql(
    parameters: Any, kind: type[DataFlowError], words: str, execute: Execute, file_db: DataFlow, file: Path
) -> None:
    ran: list[str] = []

    def greet(name: str) -> None:
        ran.append(name)

    builder = WorkflowBuilder(file_db)
    builder.add_node(lambda: ran.append("first"), "first")
    builder.add_node("ItemCreateNode", "make", {"name": "a"})
    builder.add_node("ItemReadNode", "read", {"id": 1})
    builder.add_node(greet, "greet")
    builder.add_connection("make", "name", "greet", "name")
    with pytest.raises(DataFlowError) as caught:
        execute(builder.build(), parameters)
    error = caught.value
    reason = error.cause if isinstance(error, WorkflowExecutionError) else error
    assert isinstance(reason, kind)
    assert words in str(error)
    assert "secret" not in str(error)
    assert ran == []
    assert not file.exists()


def test_what_is_lacking_is_said_before_any_sql(execute: Execute, file_db: DataFlow, file: Path) -> None:
    builder = WorkflowBuilder(file_db)
    builder.add_node("ItemCreateNode", "make", {"amount": 1})
    builder.add_node("ItemReadNode", "read")
    workflow = builder.build()
    with pytest.raises(WorkflowExecutionError, match="'name'") as caught:
        execute(workflow, {"read": {"id": 1}})
    assert caught.value.node == "make"
    assert isinstance(caught.value.cause, MissingValue)
    with pytest.raises(WorkflowExecutionError, match="which row") as caught:
        execute(workflow, {"make": {"name": "a"}})
    assert caught.value.node == "read"
    assert not file.exists()
    assert execute(workflow, {"make": {"name": "a"}, "read": {"id": 1}})[0]["read"]["name"] == "a"


# Again and again


def test_a_workflow_runs_many_times_and_in_many_threads_at_once(db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "make", {"name": "?"})
    builder.add_node(lambda name, id: f"{name} is {id}", "say")
    builder.add_connection("make", "say", "name")
    builder.add_connection("make", "say", "id")
    workflow, runtime = builder.build(), LocalRuntime()

    def run(number: int) -> None:
        results, _ = runtime.execute(workflow, {"make": {"name": f"n{number}"}})
        assert results["say"]["result"] == f"n{number} is {results['make']['id']}"

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, range(100)))
    assert sorted(names()) == sorted(f"n{number}" for number in range(100))


def test_a_chain_of_two_thousand_nodes_runs(execute: Execute) -> None:
    builder = WorkflowBuilder()
    builder.add_node(lambda: 0, "n0")
    for number in range(1, 2000):
        builder.add_node(lambda x: x + 1, f"n{number}")
        builder.add_connection(f"n{number - 1}", "result", f"n{number}", "x")
    results, _ = execute(builder.build())
    assert results["n1999"]["result"] == 1999
