"""What a sceptic tries: names that are no texts, many threads at once, secrets in messages, garbage that stays."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    ConfigurationError,
    DataFlowError,
    ModelError,
    OutOfRange,
    QueryError,
    RecordNotFound,
    UniqueViolation,
    WorkflowExecutionError,
)
from dataflow.workflow.graph import Workflow

SECRET = "canary 8041"


def define_user(db: DataFlow) -> None:
    @db.model
    class User:
        name: str = "x"
        age: int | None = None
        __dataflow__: ClassVar = {"timestamps": False}


@pytest.fixture
def db() -> Iterator[DataFlow]:
    with DataFlow("sqlite:///:memory:") as db:
        define_user(db)
        yield db


def build(db: DataFlow, *nodes: Any, connections: tuple[tuple[str, ...], ...] = ()) -> Workflow:
    """A workflow of nodes with the ids a, b, c...; a node is a type, or a type with its parameters."""
    builder = WorkflowBuilder(db)
    for id, node in zip("abcdef", nodes, strict=False):
        type, parameters = node if isinstance(node, tuple) else (node, {})
        builder.add_node(type, id, parameters)
    for connection in connections:
        builder.add_connection(*connection)
    return builder.build()


def boom() -> None:
    raise ValueError("boom")


async def boom_later() -> None:
    raise ValueError("boom")


def count(db: DataFlow) -> int:
    number: int = db.run_sync(db.nodes.UserListNode(count_only=True))["count"]
    return number


# Names that are no texts

NO_NAMES: Any = {1: 2}


@pytest.mark.parametrize(
    ("type", "parameters"),
    [
        ("UserCreateNode", NO_NAMES),
        ("UserReadNode", NO_NAMES),
        ("UserReadNode", {"conditions": NO_NAMES}),
        ("UserUpdateNode", {"id": 1, "updates": NO_NAMES}),
        ("UserUpdateNode", {"id": 1, "updates": {None: 1}}),
        ("UserUpdateNode", NO_NAMES),
        ("UserDeleteNode", NO_NAMES),
        ("UserListNode", NO_NAMES),
        ("UserListNode", {"filter": NO_NAMES}),
        ("UserListNode", {"filter": {("age",): 1}}),
        ("UserListNode", {"filter": {"age": {"$gt": 1, 2: 3}}}),
        ("UserListNode", {"order_by": [1]}),
        ("UserListNode", {"fields": [1]}),
        ("UserBulkCreateNode", NO_NAMES),
        ("UserBulkCreateNode", {"data": [NO_NAMES]}),
        ("SQLNode", {"sql": "SELECT :a AS a", "parameters": NO_NAMES}),
        ("SQLNode", {"sql": "SELECT 1 AS a", **NO_NAMES}),
        (lambda a=1: a, NO_NAMES),
        (lambda **more: more, NO_NAMES),
    ],
)
def test_a_name_that_is_no_text_is_an_error_of_ours(type: Any, parameters: Any, db: DataFlow) -> None:
    with pytest.raises(DataFlowError):
        LocalRuntime().execute(build(db, (type, parameters)))
    # A value that only the run brings goes another way.
    with pytest.raises(DataFlowError):
        LocalRuntime().execute(build(db, type), {"a": parameters})


@pytest.mark.parametrize(
    "parameters", [[1], "x", 1, {1: {}}, {"a": [1]}, {"a": "x"}, {"a": None}, {None: {}}]
)
def test_parameters_of_a_run_that_are_no_dict_of_dicts_are_an_error_of_ours(
    parameters: Any, db: DataFlow
) -> None:
    workflow = build(db, "UserListNode")
    with pytest.raises(DataFlowError):
        LocalRuntime().execute(workflow, parameters)
    with pytest.raises(DataFlowError):
        asyncio.run(AsyncLocalRuntime().execute(workflow, parameters))


@pytest.mark.parametrize("db", ["x", 1, object(), DataFlow])
def test_a_builder_takes_a_database_object_only(db: Any) -> None:
    with pytest.raises(DataFlowError):
        WorkflowBuilder(db).build()


@pytest.mark.parametrize("seconds", [1e11, float("inf"), float("nan"), -1, 0, True, "5"])
def test_a_time_that_no_clock_can_wait_for_is_refused(seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="pool_timeout"):
        DataFlow("sqlite:///:memory:", pool_timeout=seconds)


def test_a_parameter_may_be_called_self(db: DataFlow) -> None:
    with pytest.raises(DataFlowError, match="self"):
        db.run_sync(db.nodes.UserCreateNode(**{"self": 1}))


# Failures, and which edges take them up


def test_the_output_of_a_row_that_was_not_found_is_no_value(db: DataFlow) -> None:
    for output in ("result", "record", "name", "record.name"):
        workflow = build(
            db, ("UserReadNode", {"id": 99}), lambda x: x, connections=(("a", output, "b", "x"),)
        )
        with pytest.raises(WorkflowExecutionError) as caught:
            LocalRuntime().execute(workflow)
        assert isinstance(caught.value.cause, RecordNotFound)
    workflow = build(db, ("UserReadNode", {"id": 99}), lambda x: x, connections=(("a", "found", "b", "x"),))
    assert LocalRuntime().execute(workflow)[0]["b"]["result"] is False


def test_an_edge_may_ask_for_the_type_of_the_failure(db: DataFlow) -> None:
    db.run_sync(db.nodes.UserCreateNode(id=1))
    for type, handles in (("UniqueViolation", True), ("NotNullViolation", False)):
        builder = WorkflowBuilder(db)
        builder.add_node("UserCreateNode", "a", {"id": 1})
        builder.add_node(lambda: "handled", "b")
        builder.add_connection("a", "b", condition=f"error_type == '{type}'")
        workflow = builder.build()
        if handles:
            assert LocalRuntime().execute(workflow)[0]["b"]["result"] == "handled"
        else:
            with pytest.raises(WorkflowExecutionError) as caught:
                LocalRuntime().execute(workflow)
            assert isinstance(caught.value.cause, UniqueViolation)


# What a run is given may change what it is


def test_a_run_that_is_given_sql_that_writes_begins_as_a_writer(
    db: DataFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside another writer it would otherwise fail when its first write comes after its first read."""
    dialect = db.databases()["primary"].dialect
    begun: list[str] = []
    begin = dialect.begin

    def noted(**asked: Any) -> str:
        begun.append(begin(**asked))
        return begun[-1]

    db.run_sync(db.nodes.UserCreateNode(name="old"))
    monkeypatch.setattr(type(dialect), "begin", lambda self, **asked: noted(**asked))
    reading = build(db, "UserListNode", ("SQLNode", {"sql": "SELECT 1 AS one"}))
    assert not reading.writes
    LocalRuntime().execute(reading)
    writing = {"b": {"sql": "UPDATE users SET name = 'new'"}}
    LocalRuntime().execute(reading, writing)
    asyncio.run(AsyncLocalRuntime().execute(reading, writing))
    assert begun == ["BEGIN", "BEGIN IMMEDIATE", "BEGIN IMMEDIATE"]
    assert db.run_sync(db.nodes.UserReadNode(id=1))["name"] == "new"


def test_sql_that_a_run_is_given_alone_holds_the_turn_to_write(db: DataFlow) -> None:
    workflow = build(db, ("SQLNode", {"sql": "SELECT 1 AS one"}))
    db.run_sync(db.nodes.UserCreateNode(name="old"))
    with pytest.raises(WorkflowExecutionError):
        LocalRuntime().execute(workflow, {"a": {"sql": "UPDATE users SET id = NULL, name = 'new'"}})
    LocalRuntime().execute(workflow, {"a": {"sql": "UPDATE users SET name = 'newer'"}})
    assert db.run_sync(db.nodes.UserReadNode(id=1))["name"] == "newer"


# Messages


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT json_extract('{}', :a) AS x",
        "SELECT json_set('{}', :a, 1) AS x",
        "SELECT :a ->> '$.b' AS x",
        "SELECT json(:a) AS x",
        "SELECT name FROM users WHERE name MATCH :a",
        "SELECT load_extension(:a) AS x",
        "SELECT abs(-9223372036854775808) AS x, :a AS y",
    ],
)
def test_the_message_of_the_database_shows_no_value(sql: str, db: DataFlow) -> None:
    db.run_sync(db.nodes.UserCreateNode(name="a"))
    with pytest.raises((QueryError, OutOfRange)) as caught:
        db.run_sync(db.nodes.SQLNode(sql=sql, parameters={"a": SECRET}))
    assert SECRET not in str(caught.value)
    with pytest.raises(WorkflowExecutionError) as failed:
        LocalRuntime().execute(build(db, ("SQLNode", {"sql": sql, "parameters": {"a": SECRET}})))
    assert SECRET not in str(failed.value)


# Models


@pytest.mark.parametrize(
    "options",
    [{"table": "sqlite_x"}, {"table": "others"}, {"database": "nowhere"}, {"indexes": ["nope"]}, {"nope": 1}],
)
def test_a_definition_that_is_refused_leaves_the_older_one_at_work(
    options: dict[str, Any], db: DataFlow
) -> None:
    @db.model
    class Other:
        name: str
        __dataflow__: ClassVar = {"table": "others"}

    def define(options: dict[str, Any]) -> None:
        @db.model
        class Twice:
            name: str
            __dataflow__: ClassVar = options

    define({})
    call = db.nodes.TwiceCreateNode(name="a")
    db.run_sync(call)
    types = dir(db.nodes)
    with pytest.raises(DataFlowError):
        define(options)
    assert dir(db.nodes) == types
    assert sorted(db.list_models()) == ["Other", "Twice", "User"]
    db.run_sync(call)
    assert LocalRuntime().execute(build(db, ("TwiceCreateNode", {"name": "b"})))[0]["a"]["id"] == 3
    assert db.run_sync(db.nodes.TwiceListNode())["count"] == 3


def test_a_class_of_the_same_name_from_elsewhere_leaves_the_older_one_at_work(db: DataFlow) -> None:
    with pytest.raises(ModelError, match="defined twice"):

        @db.model
        class User:
            nope: str

    db.run_sync(db.nodes.UserCreateNode(name="a"))
    assert count(db) == 1


def test_threads_build_workflows_while_others_make_databases_and_models() -> None:
    over = threading.Event()
    ready = threading.Barrier(4)

    def make(thread: int) -> None:
        ready.wait(10)
        for number in range(25):
            with DataFlow("sqlite:///:memory:") as made:
                for name in ("A", "B", "C"):
                    hints = {"__annotations__": {"x": int}, "__module__": __name__}
                    made.model(type(f"Made{name}{thread}x{number}", (), hints))

    def look() -> int:
        ready.wait(10)
        built = 0
        while not over.is_set():
            builder = WorkflowBuilder()
            builder.add_node("RobustListNode", "a")
            builder.build()
            dir(looked_at.nodes)
            built += 1
        return built

    with DataFlow("sqlite:///:memory:") as looked_at:

        @looked_at.model
        class Robust:
            name: str

        with ThreadPoolExecutor(4) as threads:
            looking = [threads.submit(look) for _ in range(2)]
            making = [threads.submit(make, number) for number in range(2)]
            try:
                for future in making:
                    future.result(30)
            finally:
                over.set()
            assert all(future.result(30) for future in looking)


def test_models_defined_while_others_are_used_all_get_their_tables(db: DataFlow) -> None:
    over = threading.Event()
    ready = threading.Barrier(3)

    def define(thread: int) -> None:
        ready.wait(10)
        for number in range(20):
            hints = {"__annotations__": {"x": int}, "__module__": __name__}
            db.model(type(f"Late{thread}x{number}", (), hints))

    def use() -> None:
        ready.wait(10)
        while not over.is_set():
            count(db)

    with ThreadPoolExecutor(3) as threads:
        using = threads.submit(use)
        defining = [threads.submit(define, number) for number in range(2)]
        try:
            for future in defining:
                future.result(30)
        finally:
            over.set()
        using.result(30)
    for thread in range(2):
        for number in range(20):
            assert db.run_sync(getattr(db.nodes, f"Late{thread}x{number}ListNode")())["count"] == 0


# Memory


def compiled(db: DataFlow) -> Any:
    return db.databases()["primary"].executor.compiled


def test_a_condition_of_a_thousand_branches_is_not_kept(db: DataFlow) -> None:
    count(db)
    before = compiled(db).cache_info().currsize
    branches = [{"name": str(number), "age": number} for number in range(1000)]
    for size in (1000, 260):
        assert db.run_sync(db.nodes.UserListNode(filter={"$or": branches[:size]}))["count"] == 0
    assert compiled(db).cache_info().currsize == before
    for size in (2, 3):
        db.run_sync(db.nodes.UserListNode(filter={"$or": branches[:size]}))
    assert compiled(db).cache_info().currsize == before + 2


def test_an_explanation_adds_nothing_to_what_is_kept(db: DataFlow) -> None:
    count(db)
    before = compiled(db).cache_info().currsize
    workflow = build(
        db,
        ("UserListNode", {"filter": {"age": {"$gt": 5}}, "order_by": ["name"]}),
        ("UserCreateNode", {"name": "a"}),
        ("UserUpdateNode", {"id": 1, "name": "b"}),
        ("UserDeleteNode", {"id": 1}),
        ("UserBulkCreateNode", {"data": [{"name": "a"}]}),
        ("SQLNode", {"sql": "SELECT 5 AS five"}),
    )
    assert 'FROM "users"' in str(workflow.explain())
    assert compiled(db).cache_info().currsize == before


def failed_run_with_a_loop(db: DataFlow) -> None:
    with pytest.raises(WorkflowExecutionError):
        LocalRuntime().execute(build(db, "UserCreateNode", boom_later))


async def fail(workflow: Workflow) -> None:
    """Caught here, as asyncio.run itself keeps an error that goes through it until the collector comes."""
    with pytest.raises(WorkflowExecutionError):
        await AsyncLocalRuntime().execute(workflow)


def failed_run_on_a_loop(db: DataFlow) -> None:
    asyncio.run(fail(build(db, "UserCreateNode", boom)))


def failed_run_here(db: DataFlow) -> None:
    with pytest.raises(WorkflowExecutionError):
        LocalRuntime().execute(build(db, "UserCreateNode", boom))


def failed_statement(db: DataFlow) -> None:
    asyncio.run(fail(build(db, ("SQLNode", {"sql": "SELECT nope"}), "UserListNode")))
    asyncio.run(fail(build(db, ("SQLNode", {"sql": "SELECT nope"}))))


def failed_call(db: DataFlow) -> None:
    with pytest.raises(DataFlowError):
        db.run_sync(db.nodes.UserReadNode(nope=1))


def failed_build(db: DataFlow) -> None:
    with pytest.raises(DataFlowError):
        build(db, "NopeNode")


def successful_runs(db: DataFlow) -> None:
    workflow = build(db, "UserCreateNode", "UserListNode")
    LocalRuntime().execute(workflow)
    asyncio.run(AsyncLocalRuntime().execute(workflow))
    workflow.explain()


@pytest.mark.parametrize(
    "use",
    [
        failed_run_with_a_loop,
        failed_run_on_a_loop,
        failed_run_here,
        failed_statement,
        failed_call,
        failed_build,
        successful_runs,
    ],
    ids=lambda use: use.__name__,
)
def test_what_is_dropped_is_gone_at_once(use: Callable[[DataFlow], None]) -> None:
    """Without the garbage collector: connections to files would stay open until it comes by."""

    def made() -> tuple[Any, ...]:
        db = DataFlow("sqlite:///:memory:")
        define_user(db)
        try:
            use(db)
        except BaseException as error:
            raise AssertionError("the use itself failed") from error
        return weakref.ref(db), weakref.ref(db.databases()["primary"].pool)

    gc.collect()
    gc.disable()
    try:
        database, pool = made()
        assert database() is None
        assert pool() is None
    finally:
        gc.enable()
