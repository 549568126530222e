"""Whatever a caller gets wrong is told in words that help, and whatever a stranger types stays a value."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import pytest

from dataflow import (
    AsyncLocalRuntime,
    DataFlow,
    DataFlowConfig,
    Field,
    ForeignKey,
    Index,
    LocalRuntime,
    WorkflowBuilder,
)
from dataflow.errors import (
    AccessDenied,
    ConfigurationError,
    DataFlowError,
    InvalidURL,
    InvalidValue,
    MissingPlugin,
    ModelError,
    UnknownName,
    UnknownOption,
    WorkflowBuildError,
    WorkflowError,
    WorkflowExecutionError,
)
from dataflow.plugins import plugins
from dataflow.testing.conformance.strangers import INJECTIONS

SECRET = "hunter2"


@pytest.fixture
def users(db: DataFlow) -> DataFlow:
    @db.model
    class User:
        name: str
        email: str | None
        age: int = 0

    return db


# Names that do not exist


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_sise": 3}, "unknown option 'pool_sise'; did you mean 'pool_size'"),
        ({"auto_migrat": True}, "did you mean 'auto_migrate'"),
        ({"existing_schema": True}, "did you mean 'existing_schema_mode'"),
        ({"read_replicas": "sqlite:///x"}, "did you mean 'read_replica'"),
        ({"nonsense": 1}, "unknown option 'nonsense'"),
    ],
)
def test_an_unknown_option_suggests_the_nearest(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownOption, match=message):
        DataFlow("sqlite:///:memory:", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_size": 0}, "pool_size must be a whole number"),
        ({"pool_size": "5"}, "pool_size must be a whole number"),
        ({"pool_size": True}, "pool_size must be a whole number"),
        ({"pool_max_overflow": -1}, "pool_max_overflow must be"),
        ({"pool_timeout": 0}, "pool_timeout must be"),
        ({"pool_timeout": float("nan")}, "pool_timeout must be"),
        ({"auto_migrate": 1}, "auto_migrate must be True or False"),
        ({"existing_schema_mode": "yes"}, "existing_schema_mode must be True or False"),
    ],
)
def test_an_option_of_a_wrong_value_says_what_it_must_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        DataFlow("sqlite:///:memory:", **options)


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("", InvalidURL, "empty"),
        ("shop.db", InvalidURL, "no scheme"),
        ("sqlite://shop.db", InvalidURL, "three slashes"),
        ("sqlite:///x.db?timout=1", InvalidURL, "no option 'timout'; did you mean 'timeout'"),
        ("sqlite:///x.db?timeout=soon", InvalidURL, "number of seconds"),
        ("sqlite:///x.db?timeout=nan", InvalidURL, "number of seconds"),
        ("sqlite:///x.db?timeout=-1", InvalidURL, "number of seconds"),
        ("sqlite:///x.db?mode=memory", InvalidURL, "rwc, rw, ro"),
        ("sqlite:///x.db?vfs=unix-none", InvalidURL, "no option 'vfs'"),
        ("sqlite:///x.db?synchronous=maybe", InvalidURL, "full, normal, off"),
        (f"mysql://ann:{SECRET}@host/app", MissingPlugin, "pip install dataflow-mysql"),
        (f"oracle://ann:{SECRET}@host/app", MissingPlugin, "oracle://"),
        ("sqlit:///x.db", MissingPlugin, "did you mean 'sqlite'"),
        (5, ConfigurationError, "URL"),
        (["sqlite:///x.db"], ConfigurationError, "URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_without_its_secrets(
    url: Any, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAFLOW_DISABLE_PLUGINS", "mysql,postgres")  # as good as not installed
    monkeypatch.setattr("dataflow.plugins.plugins", plugins.__wrapped__)  # those of this process are loaded
    with pytest.raises(error, match=message) as caught:
        DataFlow(url)
    assert SECRET not in str(caught.value)


def test_a_password_is_neither_shown_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    url = f"oracle://ann:{SECRET}@host/app?sslpassword={SECRET}"
    config = DataFlowConfig(url, analytics_db=url)
    assert SECRET not in f"{config!r}{config.database}{config.databases}"
    with caplog.at_level(logging.DEBUG), pytest.raises(DataFlowError) as caught:
        DataFlow(config)
    assert SECRET not in f"{caught.value}{caught.value.__cause__}{caplog.text}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("UserCreatNode", "did you mean 'UserCreateNode'"),
        ("UserReadnode", "did you mean 'UserReadNode'"),
        ("SqlNode", "did you mean 'SQLNode'"),
        ("Nonsense", "no node type 'Nonsense'"),
    ],
)
def test_an_unknown_type_of_node_suggests_the_nearest(users: DataFlow, name: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        getattr(users.nodes, name)
    workflow = WorkflowBuilder(users)
    workflow.add_node(name, "x", {})
    with pytest.raises(WorkflowBuildError, match=message):
        workflow.build()


@pytest.mark.parametrize(
    ("node", "parameters", "message"),
    [
        ("UserCreateNode", {"name": "a", "emial": SECRET}, "did you mean 'email'"),
        ("UserReadNode", {"conditon": {"id": 1}}, "did you mean 'conditions'"),
        ("UserUpdateNode", {"id": 1, "update": {"age": 1}}, "did you mean 'updates'"),
        ("UserUpdateNode", {"id": 1, "updates": {"agee": 1}}, "did you mean 'age'"),
        ("UserDeleteNode", {"uesr_id": 1}, "did you mean 'user_id'"),
        ("UserListNode", {"filters": {}}, "did you mean 'filter'"),
        ("UserListNode", {"filter": {"age": {"$lt ": 1}}}, r"did you mean '\$lt'"),
        ("UserBulkCreateNode", {"date": []}, "did you mean 'data'"),
        ("UserBulkCreateNode", {"data": [{"nam": SECRET}]}, "did you mean 'name'"),
        ("SQLNode", {"sql": "SELECT :name", "nam": SECRET}, "did you mean 'name'"),
    ],
)
@pytest.mark.parametrize("way", ["call", "build"])
def test_an_unknown_parameter_or_field_suggests_the_nearest(
    users: DataFlow, node: str, parameters: Mapping[str, Any], message: str, way: str
) -> None:
    workflow = WorkflowBuilder(users)
    workflow.add_node(node, "x", parameters)

    def call() -> object:
        return users.run_sync(getattr(users.nodes, node)(**parameters))

    error, act = (UnknownName, call) if way == "call" else (WorkflowBuildError, workflow.build)
    with pytest.raises(error, match=message) as caught:
        act()
    assert SECRET not in str(caught.value)


def test_parameters_of_a_run_are_checked_as_well(users: DataFlow) -> None:
    workflow = WorkflowBuilder(users)
    workflow.add_node("UserCreateNode", "create", {"name": "a"})
    built = workflow.build()
    wrong: list[tuple[Any, str]] = [
        ({"craete": {"age": 1}}, "did you mean 'create'"),
        ({"create": {"agee": SECRET}}, "did you mean 'age'"),
        ({"create": {"age": SECRET}}, r"User\.age: expected int, got str"),
        ({"create": [SECRET]}, "dict"),
    ]
    for given, message in wrong:
        with pytest.raises(DataFlowError, match=message) as caught:
            LocalRuntime().execute(built, given)
        assert SECRET not in str(caught.value)
        with pytest.raises(DataFlowError, match=message) as caught:
            asyncio.run(AsyncLocalRuntime().execute(built, given))
        assert SECRET not in str(caught.value)
    assert users.run_sync(users.nodes.UserListNode())["count"] == 0


# Things of the wrong kind


@pytest.mark.parametrize("thing", [5, "User", None, object()])
def test_only_a_class_can_be_a_model(db: DataFlow, thing: Any) -> None:
    with pytest.raises(ModelError, match="class"):
        db.model(thing)


def test_only_a_call_can_be_run(users: DataFlow) -> None:
    things: tuple[Any, ...] = (5, users.nodes.UserListNode, "UserListNode", WorkflowBuilder(users))
    for thing in things:
        with pytest.raises(DataFlowError, match=r"db\.nodes"):
            users.run_sync(thing)


def test_only_a_built_workflow_can_be_executed(users: DataFlow) -> None:
    things: tuple[Any, ...] = (5, users.create_workflow(), None)
    for thing in things:
        with pytest.raises(WorkflowError, match="built workflow"):
            LocalRuntime().execute(thing)
        with pytest.raises(WorkflowError, match="built workflow"):
            asyncio.run(AsyncLocalRuntime().execute(thing))


def test_a_model_is_a_schema_and_no_object(db: DataFlow) -> None:
    @db.model
    class Order:
        total: int

    with pytest.raises(TypeError, match="OrderCreateNode"):
        Order(total=1)  # type: ignore[call-arg]


# Models that cannot be tables


def test_a_model_without_fields_is_refused(db: DataFlow) -> None:
    class Empty:
        pass

    class OnlyConstants:
        LIMIT: ClassVar[int] = 5

    for cls in (Empty, OnlyConstants):
        with pytest.raises(ModelError, match=f"{cls.__name__} has no fields; write at least one"):
            db.model(cls)
    assert db.list_models() == []


def make(name: str, fields: dict[str, Any], module: str = __name__, **options: Any) -> type:
    body = {"__annotations__": fields, "__module__": module, "__dataflow__": {"timestamps": False, **options}}
    return type(name, (), body)


def test_two_models_of_one_name_from_different_places_are_refused(db: DataFlow) -> None:
    db.model(make("User", {"name": str}, "shop.users"))
    with pytest.raises(ModelError, match=r"User is defined twice, in shop\.users and in crm\.users"):
        db.model(make("User", {"name": str}, "crm.users"))
    assert db.run_sync(db.nodes.UserCreateNode(name="a"))["id"] == 1


def test_two_models_of_one_table_are_refused(db: DataFlow) -> None:
    db.model(make("User", {"name": str}))
    with pytest.raises(ModelError, match="share the table 'users'"):
        db.model(make("Person", {"name": str}, table="users"))
    assert db.list_models() == ["User"]


def test_a_model_defined_again_replaces_the_older(db: DataFlow) -> None:
    db.model(make("User", {"name": str}))
    db.run_sync(db.nodes.UserCreateNode(name="a"))
    db.model(make("User", {"name": str, "age": int | None}))
    assert db.list_models() == ["User"]
    assert db.run_sync(db.nodes.UserReadNode(id=1))["age"] is None


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tabel": "x"}, UnknownOption, "did you mean 'table'"),
        ({"table": ""}, ModelError, "empty"),
        ({"table": 5}, ModelError, "must be a str"),
        ({"table": "a\0b"}, ModelError, "NUL"),
        ({"table": "a\ud800"}, ModelError, "surrogate"),
        ({"table": "x" * 64}, ModelError, "longer than 63"),
        ({"table": "sqlite_master"}, ModelError, "sqlite_"),
        ({"database": "analytics"}, ModelError, "no database 'analytics'"),
        ({"database": "primry"}, ModelError, "did you mean 'primary'"),
        ({"indexes": [Index("nme")]}, ModelError, "did you mean 'name'"),
        ({"indexes": [Index("name", where={"nme": 1})]}, DataFlowError, "did you mean 'name'"),
        ({"indexes": [Index("name", where={"name": {"$gtt": "a"}})]}, DataFlowError, r"did you mean '\$gt'"),
        ({"indexes": [Index("name", where={"name": 5})]}, DataFlowError, "expected str, got int"),
        ({"indexes": [Index("name", where={"name": {"$in": ["a"]}})]}, DataFlowError, r"\$in"),
        ({"multi_tenant": True}, MissingPlugin, "pip install dataflow-tenancy"),
    ],
)
def test_options_of_a_model_that_make_no_sense_are_refused(
    db: DataFlow, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    def use() -> None:
        db.model(make("User", {"name": str}, **options))
        db.run_sync(db.nodes.UserListNode())

    with pytest.raises(error, match=message):
        use()


# Strings of strangers


@pytest.fixture
def guarded(file: Path) -> Iterator[DataFlow]:
    """A file with a table that nobody may touch, and a model whose node gets strange strings."""
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("CREATE TABLE canary (secret TEXT)")
        raw.execute("INSERT INTO canary VALUES ('alive')")
    with DataFlow(f"sqlite:///{file}?synchronous=off") as db:
        db.model(make("User", {"name": str, "age": int | None}))
        db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": "first"}, {"name": "second"}]))
        yield db
        with closing(sqlite3.connect(file)) as raw:
            assert raw.execute("SELECT secret FROM canary").fetchall() == [("alive",)]
            assert raw.execute("SELECT id FROM users WHERE id < 3 ORDER BY id").fetchall() == [(1,), (2,)]
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("text", INJECTIONS)
def test_strange_names_of_a_model_name_things_and_no_more(guarded: DataFlow, file: Path, text: str) -> None:
    fields: dict[str, Any] = {
        "value": Annotated[str, Field(column=f"c{text}"[:60])],
        "up": Annotated[int | None, ForeignKey("Odd", on_delete="cascade")],
    }
    index = Index("-value", "id", name=f"i{text}"[:60], where={"value": {"$ne": text}})
    cls = make("Odd", fields, table=f"t{text}"[:60], indexes=[index])
    cls.value = text  # type: ignore[attr-defined]
    guarded.model(cls)
    nodes, run = guarded.nodes, guarded.run_sync
    row = {"id": 1, "value": text, "up": None}
    assert run(nodes.OddCreateNode())["record"] == row
    assert run(nodes.OddBulkCreateNode(data=[{"up": 1}], return_rows=True))["result"] == [
        {**row, "id": 2, "up": 1}
    ]
    assert (
        run(nodes.OddListNode(filter={"value": {"$gte": text}}, order_by=["-value"], limit=1))["count"] == 1
    )
    assert run(nodes.OddUpdateNode(conditions={"up": 1}, value="new"))["value"] == "new"
    assert run(nodes.OddDeleteNode(id=1))["deleted"] == 1
    assert run(nodes.OddListNode(count_only=True))["count"] == 0
    with closing(sqlite3.connect(file)) as raw:
        names = {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}
    assert names == {"canary", "users", "sqlite_sequence", f"t{text}"[:60], f"i{text}"[:60]}


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_strange_id_of_a_node_is_an_id(guarded: DataFlow, text: str) -> None:
    workflow = WorkflowBuilder(guarded)
    workflow.add_node("UserCreateNode", text, {"id": 1, "name": "again"})
    workflow.add_node(lambda **inputs: "handled", "after")
    workflow.add_connection(text, "after", condition="status == 'failed'")
    results, _ = LocalRuntime().execute(workflow.build())
    assert results[text]["error_type"] == "UniqueViolation"
    assert results["after"]["result"] == "handled"
    assert "after" in str(workflow.build().explain())
    assert workflow.build().to_mermaid().count("\n") < 12


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_strange_condition_or_path_of_a_connection_is_refused(guarded: DataFlow, text: str) -> None:
    for rest, condition in [
        (("b",), text),
        (("b", text, "name"), None),
        (("b", "name", text), None),
        ((text,), None),
    ]:
        workflow = WorkflowBuilder(guarded)
        workflow.add_node("UserReadNode", "a", {"id": 1})
        workflow.add_node("UserUpdateNode", "b", {"id": 2})
        workflow.add_connection("a", *rest, condition=condition)
        with pytest.raises((WorkflowBuildError, WorkflowExecutionError)):
            LocalRuntime().execute(workflow.build())


@pytest.mark.parametrize("text", [text for text in INJECTIONS if "/" not in text])
def test_a_strange_path_is_the_name_of_a_file(guarded: DataFlow, tmp_path: Path, text: str) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/{quote(text)}.odd") as db:
        db.model(make("Note", {"text": str}))
        assert db.run_sync(db.nodes.NoteCreateNode(text=text))["id"] == 1
        assert (tmp_path / f"{text}.odd").stat().st_size


@pytest.mark.parametrize("option", ["timeout", "mode", "synchronous"])
@pytest.mark.parametrize("text", INJECTIONS)
def test_a_strange_option_of_a_url_is_refused(file: Path, option: str, text: str) -> None:
    with pytest.raises(InvalidURL) as caught:
        DataFlow(f"sqlite:///{file}?{option}={quote(text)}")
    assert text not in str(caught.value)
    assert not file.exists()


def test_a_path_with_two_slashes_is_a_path(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:////{tmp_path}/x.db") as db:
        db.model(make("Note", {"text": str}))
        assert db.run_sync(db.nodes.NoteCreateNode(text="a"))["id"] == 1
    assert (tmp_path / "x.db").exists()


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(InvalidURL, match="NUL"):
        DataFlow("sqlite:///a%00b")


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/missing/x.db") as db:
        db.model(make("Note", {"text": str}))
        with pytest.raises(AccessDenied, match="folder exists"):
            db.run_sync(db.nodes.NoteCreateNode(text=SECRET))
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_is_no_limit_is_refused(users: DataFlow) -> None:
    with pytest.raises(InvalidValue, match="limit: must be 0 or greater"):
        users.run_sync(users.nodes.UserListNode(limit=-1))
