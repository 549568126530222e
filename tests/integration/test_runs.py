"""One run of a workflow, by both runtimes: order, conditions, failures, parameters, results."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    DataFlowError,
    InvalidValue,
    MissingValue,
    TransactionClosed,
    UniqueViolation,
    UnknownName,
    WorkflowError,
    WorkflowExecutionError,
)
from dataflow.workflow.graph import Workflow

from .conftest import ON_POSTGRES, ON_SQLITE, on

Parameters = Mapping[str, Mapping[str, object]]


@pytest.fixture(params=["local", "async", "async, overlapping"])
def execute(request: pytest.FixtureRequest) -> Callable[..., tuple[dict[str, Any], str]]:
    """Runs a workflow by each runtime."""

    def execute(workflow: Workflow, parameters: Parameters | None = None) -> tuple[dict[str, Any], str]:
        match request.param:
            case "local":
                return LocalRuntime().execute(workflow, parameters)
            case "async":
                return asyncio.run(AsyncLocalRuntime().execute(workflow, parameters))
        return asyncio.run(AsyncLocalRuntime(concurrency=4).execute(workflow, parameters))

    return execute


Execute = Callable[..., tuple[dict[str, Any], str]]
Names = Callable[[], list[str]]


def fail(message: str = "no") -> None:
    raise ValueError(message)


async def fail_async() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


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
        execute(builder)
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


def run_sql(db: DataFlow, sql: str) -> dict[str, Any]:
    return db.run_sync(db.nodes.SQLNode(sql=sql))


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


# Functions join the run


def read_names(db: DataFlow) -> list[str]:
    return [row["name"] for row in db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]]


def test_calls_in_a_function_see_what_the_run_wrote_and_end_with_it(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    seen: list[list[str]] = []

    def inside() -> None:
        seen.append(read_names(db))
        db.run_sync(db.nodes.ItemCreateNode(name="inside"))

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    builder.add_node(lambda: seen.append(read_names(db)), "after")
    execute(builder.build())
    assert seen == [["a"], ["a", "inside"]]
    builder.add_node(fail, "boom")
    with pytest.raises(WorkflowExecutionError):
        execute(builder.build())
    assert names() == ["a", "inside"]


def test_calls_in_an_async_function_join_the_run(execute: Execute, db: DataFlow, names: Names) -> None:
    seen: list[int] = []

    async def inside() -> None:
        seen.append((await db.nodes.ItemListNode())["count"])
        await db.nodes.ItemCreateNode(name="inside")
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="deeper")

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    workflow = builder.build()
    builder.add_node(fail_async, "boom")
    builder.add_connection("inside", "boom")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(builder.build())
    assert caught.value.node == "boom"
    assert names() == []
    execute(workflow)
    assert seen == [1, 1]
    assert names() == ["a", "inside", "deeper"]


def nested(db: DataFlow, *, failing: bool) -> Workflow:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "inner", {"name": "inner"})
    if failing:
        builder.add_node(fail, "boom")
    return builder.build()


@pytest.mark.parametrize("caught", [True, False])
@pytest.mark.parametrize("failing", [True, False])
def test_a_run_in_a_function_is_a_part_of_the_run(
    failing: bool, caught: bool, execute: Execute, db: DataFlow, names: Names
) -> None:
    inner = nested(db, failing=failing)

    def inside() -> int:
        try:
            results, _ = LocalRuntime().execute(inner)
            return len(results)
        except WorkflowExecutionError as error:
            assert error.rolled_back == ("inner",)  # noqa: PT017
            assert error.node == "boom"  # noqa: PT017
            if not caught:
                raise
            return 0

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    builder.add_node("ItemCreateNode", "two", {"name": "b"})
    if failing and not caught:
        with pytest.raises(WorkflowExecutionError) as failure:
            execute(builder.build())
        assert failure.value.node == "inside"
        assert names() == []
    else:
        results, _ = execute(builder.build())
        assert results["inside"]["result"] == (0 if failing else 1)
        assert names() == (["a", "b"] if failing else ["a", "inner", "b"])


@pytest.mark.parametrize("caught", [True, False])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_an_async_run_in_an_async_function_is_a_part_of_the_run(
    concurrency: int, caught: bool, db: DataFlow, names: Names
) -> None:
    inner = nested(db, failing=True)

    async def inside() -> None:
        try:
            await AsyncLocalRuntime(concurrency).execute(inner)
        except WorkflowExecutionError:
            if not caught:
                raise

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    workflow = builder.build()
    if caught:
        LocalRuntime(concurrency).execute(workflow)
    else:
        with pytest.raises(WorkflowExecutionError):
            LocalRuntime(concurrency).execute(workflow)
    assert names() == (["a"] if caught else [])


def test_an_outer_failure_takes_the_inner_runs_with_it(execute: Execute, db: DataFlow, names: Names) -> None:
    inner = nested(db, failing=False)

    def inside() -> None:
        LocalRuntime().execute(inner)
        LocalRuntime().execute(inner)

    builder = WorkflowBuilder(db)
    builder.add_node(inside, "inside")
    builder.add_node(fail, "boom")
    with pytest.raises(WorkflowExecutionError):
        execute(builder.build())
    assert names() == []


def test_runs_nest_deeply(execute: Execute, db: DataFlow, names: Names) -> None:
    def descend(depth: int) -> None:
        db.run_sync(db.nodes.ItemCreateNode(name=str(depth)))
        if depth == 20:
            raise ValueError("bottom")
        builder = WorkflowBuilder(db)
        builder.add_node(descend, "deeper", {"depth": depth + 1})
        try:
            LocalRuntime().execute(builder.build())
        except WorkflowExecutionError:
            if depth > 10:
                raise

    builder = WorkflowBuilder(db)
    builder.add_node(descend, "descend", {"depth": 0})
    execute(builder.build())
    assert names() == [str(depth) for depth in range(11)]


def test_a_thread_of_a_functions_own_does_not_join(file_db: DataFlow, file: Path) -> None:
    """A thread starts with an empty context: it is somebody else, and sees only what was committed."""
    seen: list[int] = []

    def inside() -> None:
        thread = threading.Thread(target=lambda: seen.append(len(read_names(file_db))))
        thread.start()
        thread.join()

    builder = WorkflowBuilder(file_db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    LocalRuntime().execute(builder.build())
    assert seen == [0]


def test_a_task_that_outlives_the_run_cannot_use_its_transaction(db: DataFlow, names: Names) -> None:
    async def main() -> None:
        over = asyncio.Event()
        tasks: list[asyncio.Task[dict[str, Any]]] = []

        async def late() -> dict[str, Any]:
            await over.wait()
            return await db.nodes.ItemCreateNode(name="late")

        async def inside() -> None:
            tasks.append(asyncio.create_task(late()))

        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "a"})
        builder.add_node(inside, "inside")
        await AsyncLocalRuntime().execute(builder.build())
        over.set()
        with pytest.raises(TransactionClosed):
            await tasks[0]

    asyncio.run(main())
    assert names() == ["a"]


# LocalRuntime and event loops


def test_local_runtime_runs_async_nodes_from_a_script_a_thread_and_a_loop() -> None:
    loops: set[int] = set()

    async def note() -> int:
        loops.add(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return 1

    builder = WorkflowBuilder()
    builder.add_node(note, "note")
    workflow = builder.build()
    results, _ = LocalRuntime().execute(workflow)
    assert results["note"]["result"] == 1

    async def in_a_loop() -> None:
        mine = id(asyncio.get_running_loop())
        loops.clear()
        LocalRuntime().execute(workflow)
        assert mine not in loops

    asyncio.run(in_a_loop())
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: LocalRuntime().execute(workflow), range(40)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dataflow")]


def test_local_runtime_works_in_a_running_loop(db: DataFlow, names: Names) -> None:
    """As in a notebook: with and without async nodes, ending well and failing."""

    async def write() -> None:
        await db.nodes.ItemCreateNode(name="async")

    async def main() -> None:
        for function in (lambda: db.run_sync(db.nodes.ItemCreateNode(name="sync")), write):
            builder = WorkflowBuilder(db)
            builder.add_node("ItemCreateNode", "one", {"name": "a"})
            builder.add_node(function, "function")
            LocalRuntime().execute(builder.build())
            builder.add_node(fail, "boom")
            builder.add_connection("function", "boom")
            with pytest.raises(WorkflowExecutionError):
                LocalRuntime().execute(builder.build())

    asyncio.run(main())
    assert names() == ["a", "sync", "a", "async"]


@pytest.mark.parametrize("is_async", [False, True])
def test_local_runtime_with_async_nodes_in_a_function_of_a_run_belongs_to_it(
    db: DataFlow, names: Names, is_async: bool
) -> None:
    async def wait() -> None:
        await db.nodes.ItemCreateNode(name="inner")

    inner = WorkflowBuilder()
    inner.add_node(wait, "wait")
    workflow = inner.build()

    def fail() -> None:
        LocalRuntime().execute(workflow)
        raise ValueError("enough")

    for function in (lambda: LocalRuntime().execute(workflow), fail):
        outer = WorkflowBuilder(db)
        outer.add_node("ItemCreateNode", "first", {"name": "outer"})
        outer.add_node(function, "outer")
        outer.add_connection("first", "outer")
        with suppress(WorkflowExecutionError):
            if is_async:
                asyncio.run(AsyncLocalRuntime().execute(outer.build()))
            else:
                LocalRuntime().execute(outer.build())
        assert names() == ["outer", "inner"]


def test_local_runtime_with_async_nodes_on_the_loop_that_it_needs_says_what_to_do(db: DataFlow) -> None:
    async def wait() -> None:
        await asyncio.sleep(0)

    inner = WorkflowBuilder()
    inner.add_node(wait, "wait")
    workflow = inner.build()

    async def main() -> None:
        async with db.transaction():
            with pytest.raises(WorkflowError, match="AsyncLocalRuntime"):
                LocalRuntime().execute(workflow)

    asyncio.run(main())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exit_from_an_async_function_arrives_and_leaves_the_runtime_usable(
    error: type[BaseException], db: DataFlow, names: Names
) -> None:
    async def leave() -> None:
        await db.nodes.ItemCreateNode(name="gone")
        raise error

    builder = WorkflowBuilder(db)
    builder.add_node(leave, "leave")
    with pytest.raises(error):
        LocalRuntime().execute(builder.build())
    builder = WorkflowBuilder(db)
    builder.add_node(fail_async, "fail")
    with pytest.raises(WorkflowExecutionError):
        LocalRuntime().execute(builder.build())
    assert names() == []


# Overlapping


@pytest.fixture(params=["local", "async"])
def overlapping(request: pytest.FixtureRequest) -> Callable[[Workflow, int], dict[str, Any]]:
    def run(workflow: Workflow, concurrency: int) -> dict[str, Any]:
        if request.param == "local":
            return LocalRuntime(concurrency).execute(workflow)[0]
        return asyncio.run(AsyncLocalRuntime(concurrency).execute(workflow))[0]

    return run


Overlapping = Callable[[Workflow, int], dict[str, Any]]


def test_independent_async_functions_overlap(overlapping: Overlapping) -> None:
    """Three functions that each wait for the other two can only end if all three run at once."""
    here: set[str] = set()
    complete = asyncio.Event()

    async def meet(name: str) -> str:
        here.add(name)
        if len(here) == 3:
            complete.set()
        async with asyncio.timeout(5):
            await complete.wait()
        return name

    builder = WorkflowBuilder()
    for name in "abc":
        builder.add_node(meet, name, {"name": name})
    builder.add_node(lambda a, b, c: a + b + c, "all")
    for name in "abc":
        builder.add_connection(name, "result", "all", name)
    assert overlapping(builder.build(), 3)["all"]["result"] == "abc"


def test_no_more_overlap_than_were_allowed_and_none_by_default(overlapping: Overlapping) -> None:
    running, most = set[int](), list[int]()

    async def work(number: int) -> None:
        running.add(number)
        most.append(len(running))
        for _ in range(5):
            await asyncio.sleep(0)
        running.remove(number)

    builder = WorkflowBuilder()
    for number in range(9):
        builder.add_node(work, f"n{number}", {"number": number})
    for concurrency in (1, 2, 3, 20):
        most.clear()
        overlapping(builder.build(), concurrency)
        assert max(most) == min(concurrency, 9)


def test_dependent_functions_keep_their_order_however_many_may_overlap(overlapping: Overlapping) -> None:
    ran: list[str] = []

    async def work(name: str, x: object = None) -> str:
        ran.append(f"{name} begins")
        for _ in range(3):
            await asyncio.sleep(0)
        ran.append(f"{name} ends")
        return name

    builder = WorkflowBuilder()
    for name in "abcd":
        builder.add_node(work, name, {"name": name})
    builder.add_connection("a", "result", "b", "x")
    builder.add_connection("b", "c")
    builder.add_connection("c", "d", condition="result == 'c'")
    overlapping(builder.build(), 8)
    assert ran == [f"{name} {what}" for name in "abcd" for what in ("begins", "ends")]


def test_a_failure_among_overlapping_functions_stops_the_others_before_the_run_ends(
    overlapping: Overlapping, db: DataFlow, names: Names
) -> None:
    ended: list[str] = []
    failed = asyncio.Event()

    async def endless() -> None:
        await db.nodes.ItemCreateNode(name="endless")
        failed.set()
        try:
            await asyncio.sleep(8)
        finally:
            ended.append("endless")

    async def fail_then() -> None:
        await failed.wait()
        raise ValueError("no")

    builder = WorkflowBuilder(db)
    builder.add_node(endless, "endless")
    builder.add_node(fail_then, "boom")
    builder.add_node(lambda x, y: None, "end")
    builder.add_connection("boom", "result", "end", "x")
    builder.add_connection("endless", "result", "end", "y")
    started = time.perf_counter()
    with pytest.raises(WorkflowExecutionError) as caught:
        overlapping(builder.build(), 2)
    assert caught.value.node == "boom"
    assert time.perf_counter() - started < 4
    assert ended == ["endless"]
    assert names() == []


def test_overlapping_functions_write_into_one_transaction(
    overlapping: Overlapping, db: DataFlow, names: Names
) -> None:
    async def write(name: str) -> None:
        for number in range(5):
            await db.nodes.ItemCreateNode(name=f"{name}{number}")

    builder = WorkflowBuilder(db)
    for name in "abc":
        builder.add_node(write, name, {"name": name})
    workflow = builder.build()
    overlapping(workflow, 3)
    assert sorted(names()) == sorted(f"{name}{number}" for name in "abc" for number in range(5))
    builder.add_node(fail_async, "boom")
    for name in "abc":
        builder.add_connection(name, "boom")
    with pytest.raises(WorkflowExecutionError):
        overlapping(builder.build(), 3)
    assert len(names()) == 15


def test_overlapping_functions_that_find_no_open_connection_share_the_one_that_they_open(
    overlapping: Overlapping, make_db: Any, file: Path
) -> None:
    first = make_db()
    run_sql(first, "SELECT 1 AS one")
    first.run_sync(first.nodes.ItemListNode())
    db = make_db(auto_migrate=False, pool_timeout=1)

    async def write(name: str) -> None:
        await db.nodes.ItemCreateNode(name=name)

    builder = WorkflowBuilder(db)
    for name in "abc":
        builder.add_node(write, name, {"name": name})
    overlapping(builder.build(), 3)
    assert sorted(read_names(db)) == ["a", "b", "c"]


def test_what_succeeds_while_another_function_undoes_its_part_is_not_lost_silently(
    db: DataFlow, names: Names
) -> None:
    """A savepoint of one task must not swallow what another one, or a node, wrote meanwhile."""
    begun, written = asyncio.Event(), asyncio.Event()

    async def part_that_fails() -> None:
        try:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="gone")
                begun.set()
                await asyncio.wait_for(written.wait(), 0.5)
                raise ValueError("no")
        except ValueError:
            pass

    async def write() -> None:
        await asyncio.wait_for(begun.wait(), 5)
        await db.nodes.ItemCreateNode(name="mine")
        written.set()

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "first", {"name": "first"})
    builder.add_node(part_that_fails, "part")
    builder.add_node(write, "write")
    try:
        results, _ = asyncio.run(AsyncLocalRuntime(concurrency=2).execute(builder.build()))
    except WorkflowExecutionError:
        assert names() == []  # said aloud: fine
    else:
        assert set(results) == {"first", "part", "write"}
        assert names() == ["first", "mine"]
