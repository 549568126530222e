"""Interceptors and fields of plugins come in by hooks."""

import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow
from dataflow.abc import Interceptor
from dataflow.errors import ModelError, PluginError
from dataflow.execution.executor import KINDS
from dataflow.hookspecs import hookimpl
from dataflow.model.extension import ExtraField
from dataflow.model.field import MISSING
from dataflow.model.schema import Model
from dataflow.plugins import GROUP, Plugins
from dataflow.statements import Insert, InsertMany, Raw, Statement, equals

Load = Callable[..., None]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a plugin of these hooks beside those that are installed."""

    def put(**hooks: Callable[..., Any]) -> None:
        module = ModuleType("fake_interceptors")
        for hook, function in hooks.items():
            setattr(module, hook, hookimpl(function))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        found = [*entry_points(group=GROUP), EntryPoint("fake", module.__name__, GROUP)]
        loaded = Plugins(found=found)
        monkeypatch.setattr("dataflow.plugins.plugins", lambda: loaded)

    return put


class Confined:
    """Confines a model that has a tenant to one of them."""

    kinds: frozenset[type] = KINDS
    mandatory = True

    def concerns(self, model: Model | None) -> bool:
        return model is None or "tenant" in model.fields

    def rewrite(self, statement: Statement) -> Statement:
        if isinstance(statement, Raw):
            raise PluginError("raw SQL cannot be confined")
        if isinstance(statement, Insert | InsertMany):
            return statement
        return statement._replace(where=statement.where & equals("tenant", "a"))


def interceptors(*made: Interceptor) -> Callable[[object], Iterable[Interceptor]]:
    return lambda config: made


def define(db: DataFlow) -> None:
    @db.model
    class Note:
        text: str
        tenant: str
        __dataflow__: ClassVar = {"soft_delete": True, "versioned": True}

    @db.model
    class Plain:
        text: str

    data = [{"text": "1", "tenant": "a"}, {"text": "2", "tenant": "b"}, {"text": "3", "tenant": "a"}]
    db.run_sync(db.nodes.NoteBulkCreateNode(data=data))
    db.run_sync(db.nodes.PlainCreateNode(text="x"))


def test_an_interceptor_of_a_plugin_works_together_with_those_of_the_core(load: Load) -> None:
    load(dataflow_statement_interceptors=lambda config: [Confined()])
    with DataFlow("sqlite:///:memory:") as db:
        define(db)
        nodes = db.nodes
        assert db.run_sync(nodes.NoteListNode(count_only=True))["count"] == 2
        assert db.run_sync(nodes.NoteListNode(aggregate=[{"$count": "n"}]))["result"] == [{"n": 2}]
        assert db.run_sync(nodes.NoteBulkUpdateNode(filter={}, confirmed=True, text="n"))["updated"] == 2
        data = [{"id": id, "text": "m", "version": 2} for id in (1, 2, 3)]
        assert db.run_sync(nodes.NoteBulkUpdateNode(data=data))["updated"] == 2
        assert db.run_sync(nodes.NoteDeleteNode(id=2)) == {"deleted": 0, "result": 0}
        assert db.run_sync(nodes.NoteBulkDeleteNode(filter={}, confirmed=True))["deleted"] == 2
        records = db.run_sync(nodes.NoteListNode(include_deleted=True, order_by=["id"]))["records"]
        assert [(record["id"], record["text"], record["version"]) for record in records] == [
            (1, "m", 4),
            (3, "m", 4),
        ]
        assert db.run_sync(nodes.PlainListNode())["count"] == 1
        with pytest.raises(PluginError, match="confined"):
            db.run_sync(nodes.SQLNode(sql="SELECT 1 AS one"))


@pytest.mark.parametrize("missing", sorted(KINDS, key=str))
def test_the_start_fails_where_a_mandatory_interceptor_misses_a_kind(load: Load, missing: type) -> None:
    class Leaky(Confined):
        kinds = KINDS - {missing}

    load(dataflow_statement_interceptors=lambda config: [Leaky()])
    with pytest.raises(PluginError, match=rf"Leaky is mandatory but does not handle {missing.__name__}\b"):
        DataFlow("sqlite:///:memory:")


def test_the_interceptors_of_the_core_name_every_kind(db: DataFlow) -> None:
    from dataflow.interceptors.soft_delete import SoftDelete
    from dataflow.interceptors.versions import Versions

    assert SoftDelete.kinds == Versions.kinds == KINDS


def test_statements_on_models_without_features_concern_no_interceptor(db: DataFlow) -> None:
    asked: list[str] = []

    class Curious(Confined):
        def concerns(self, model: Model | None) -> bool:
            asked.append("" if model is None else model.name)
            return False

        def rewrite(self, statement: Statement) -> Statement:
            raise AssertionError("it is concerned with nothing")

    from dataflow.execution.database import Database

    database = db.databases()["primary"]
    curious = Database(
        "other", database.dialect, database.pool, wait=1, migrate=False, interceptors=[Curious()]
    )

    @db.model
    class Plain:
        text: str

    model: Model = Plain.__dataflow_model__  # type: ignore[attr-defined]
    curious.add_model(model)
    assert asked == ["", "Plain"]
    from dataflow.statements import Select

    assert curious.executor.rewritten(Select(model)) == Select(model)
    assert asked == ["", "Plain"]
    curious.drop_model(model)
    curious.executor.rewritten(Select(model))
    assert asked == ["", "Plain", "Plain"]


def test_a_plugin_brings_fields_to_a_model(load: Load) -> None:
    def extend(model: Model) -> list[ExtraField]:
        return [
            ExtraField("author", str, "nobody", "audit"),
            ExtraField("seen", datetime | None, None, "audit"),
        ]

    load(dataflow_extend_model=extend)
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Note:
            text: str
            author: str = "me"

        row = db.run_sync(db.nodes.NoteCreateNode(text="a"))["record"]
        assert (row["author"], row["seen"]) == ("me", None)


@pytest.mark.parametrize(
    ("fields", "options", "message"),
    [
        ({"deleted_at": datetime}, {"soft_delete": True}, "deleted_at must be datetime.datetime | None"),
        ({"deleted_at": str | None}, {"soft_delete": True}, "deleted_at must be"),
        ({"version": str}, {"versioned": True}, "version must be int"),
        ({"version": int | None}, {"versioned": True}, "version must be int"),
    ],
)
def test_a_field_of_the_same_name_must_have_the_type(
    db: DataFlow, fields: dict[str, Any], options: dict[str, bool], message: str
) -> None:
    body = {"__annotations__": {"name": str, **fields}, "__dataflow__": options, "__module__": __name__}
    with pytest.raises(ModelError, match=message.replace("|", r"\|")):
        db.model(type("Odd", (), body))


def test_a_column_of_the_same_name_is_noticed(load: Load) -> None:
    load(dataflow_extend_model=lambda model: [ExtraField("NAME", str, MISSING, "odd")])
    with (
        DataFlow("sqlite:///:memory:") as db,
        pytest.raises(ModelError, match="name and NAME have one column"),
    ):

        @db.model
        class Odd:
            name: str
