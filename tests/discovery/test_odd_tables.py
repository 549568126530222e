"""Tables as people make them: whatever they are called, and whatever their keys are, nodes read and write them."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import UnknownNode

from .databases import SQLITE, Existing

TABLES: dict[str, Sequence[str]] = {
    "Order Details": ("Order ID", "Unit Price"),
    "select": ("from", "where", "group"),
    "2fa_codes": ("2nd", "code"),
    "Größen": ("Länge", "naïve"),
    "CamelCase": ("CamelId", "someThing"),
    "filters": (
        "id",
        "filter",
        "data",
        "limit",
        "updates",
        "required",
        "result",
        "record",
        "found",
        "conditions",
    ),
    "order": ("id", "fields"),
    "orders": ("id", "aggregate"),
    "50% off": ("100%", "a:b", "c?d", "$1"),
    "dots.": ("a.b", "a_b", "$set", "__dunder__"),
    "quo`te\"s'": ("it's", 'say "x"', "back`tick"),
    "none": ("True", "count", "status"),
    "-": ("+", "-x"),
    "x" * 63: ("y" * 63, "z"),
    "two_keys": ("left", "right", "value"),
}
CLASSES = {
    "Order Details": "OrderDetail",
    "select": "Select",
    "2fa_codes": "Table2faCode",
    "Größen": "Größen",
    "CamelCase": "CamelCase",
    "filters": "Filter",
    "order": "Order",
    "orders": "Orders",
    "50% off": "Table50Off",
    "none": "TableNone",
    "-": "Table",
    "two_keys": "TwoKey",
}


def make(existing: Existing, table: str, columns: Sequence[str], key: Sequence[str]) -> None:
    lines = [f"{existing.quoted(column)} int NOT NULL" for column in columns]
    if key:
        lines.append(f"PRIMARY KEY ({', '.join(map(existing.quoted, key))})")
    existing.ask(f"CREATE TABLE {existing.quoted(table)} ({', '.join(lines)})", "SELECT 1")


@pytest.fixture
def db(existing: Existing) -> Iterator[DataFlow]:
    with DataFlow(existing.url, existing_schema_mode=True) as db:
        yield db


def run(node: str, **parameters: Any) -> dict[str, Any]:
    """Run a node of ``generated_nodes``, which carries its database."""
    workflow = WorkflowBuilder()
    workflow.add_node(node, "it", parameters)
    results, _ = LocalRuntime().execute(workflow.build())
    output: dict[str, Any] = results["it"]
    return output


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_any_name_is_read_and_written(existing: Existing, db: DataFlow, table: str) -> None:
    columns = TABLES[table]
    key = columns[:2] if table == "two_keys" else columns[:1]
    make(existing, table, columns, key)
    done = db.register_schema_as_models()
    assert done["errors"] == {}
    nodes = done["generated_nodes"][table]
    model = db.databases()["primary"].models[done["registered_models"][0]]
    names = [field.name for field in model.fields.values()]
    keys = [field.name for field in model.key]
    other = names[-1]

    def row(number: int) -> dict[str, int]:
        return dict.fromkeys(names, number)

    def stored() -> list[tuple[Any, ...]]:
        return sorted(existing.rows(table, columns))

    assert run(nodes["create"], **row(1))["record"] == row(1)
    assert stored() == [(1,) * len(columns)]
    run(nodes["bulk_create"], data=[row(number) for number in range(2, 40)])
    of_two = {name: 2 for name in keys}
    assert run(nodes["read"], conditions={other: 2})["record"] == row(2)
    assert run(nodes["read"], conditions=of_two)["record"] == row(2)
    assert run(nodes["update"], conditions=of_two, updates={other: 90})["record"] == {**row(2), other: 90}
    assert run(nodes["update"], conditions=of_two, updates={"$inc": {other: -88}})["record"] == row(2)
    assert run(nodes["bulk_update"], data=[{**of_two, other: 91}])["updated"] == 1
    listed = run(nodes["list"], filter={other: {"$gt": 38}}, order_by=[f"-{other}"], fields=[other])
    assert listed["records"] == [{other: 91}, {other: 39}]
    upserted = run(nodes["bulk_upsert"], data=[row(2), row(100)])
    assert (upserted["inserted"], upserted["updated"]) == (1, 1)
    assert run(nodes["bulk_delete"], filter={other: {"$lt": 40}})["deleted"] == 39
    assert run(nodes["delete"], conditions={name: 100 for name in keys})["deleted"] == 1
    assert stored() == []


def test_classes_have_names_that_python_takes_and_none_twice(existing: Existing, db: DataFlow) -> None:
    for table, columns in TABLES.items():
        make(existing, table, columns, columns[:1])
    done = db.register_schema_as_models()
    named = {table: done["generated_nodes"][table]["list"].removesuffix("ListNode") for table in TABLES}
    assert {table: named[table] for table in CLASSES} == CLASSES
    assert len(set(named.values())) == len(TABLES)
    assert all(name.isidentifier() for name in named.values())
    with DataFlow(existing.url, existing_schema_mode=True) as other:
        assert other.register_schema_as_models(tables=["orders"])["registered_models"] == ["Orders"]


def test_a_table_without_a_key_and_a_view_are_listed_and_read(existing: Existing, db: DataFlow) -> None:
    make(existing, "log", ("number", "filter"), ())
    existing.ask(
        "INSERT INTO log VALUES (1, 2), (3, 4)", "CREATE VIEW seen AS SELECT number FROM log", "SELECT 1"
    )
    done = db.register_schema_as_models()
    assert {name: set(nodes) for name, nodes in done["generated_nodes"].items()} == {
        "Log": {"read", "list"},
        "Seen": {"read", "list"},
    }
    log = done["generated_nodes"]["log"]
    assert run(log["list"], filter={"filter": 4})["records"] == [{"number": 3, "filter": 4}]
    assert run(log["read"], conditions={"number": 1})["record"] == {"number": 1, "filter": 2}
    assert run(done["generated_nodes"]["seen"]["list"], order_by=["-number"])["records"] == [
        {"number": 3},
        {"number": 1},
    ]
    with pytest.raises(UnknownNode):
        db.nodes.LogCreateNode(number=1)


def test_tables_may_refer_to_each_other_in_a_circle(existing: Existing, db: DataFlow) -> None:
    first = "CREATE TABLE hens (id int PRIMARY KEY, egg_id int"
    second = "CREATE TABLE eggs (id int PRIMARY KEY, hen_id int, FOREIGN KEY (hen_id) REFERENCES hens (id))"
    if existing.kind is SQLITE:
        existing.ask(f"{first} REFERENCES eggs)", second)
    else:
        refer = "ALTER TABLE hens ADD FOREIGN KEY (egg_id) REFERENCES eggs (id)"
        existing.ask(f"{first})", second, refer, "SELECT 1")
    done = db.register_schema_as_models()
    assert done["error_count"] == 0
    models = db.databases()["primary"].models
    targets = {
        name: [field.foreign_key.target for field in model.fields.values() if field.foreign_key is not None]
        for name, model in models.items()
    }
    assert targets == {"Egg": ["Hen.id"], "Hen": ["Egg.id"]}
    run(done["generated_nodes"]["Hen"]["create"], id=1)
    run(done["generated_nodes"]["Egg"]["create"], id=1, hen_id=1)
    assert run(done["generated_nodes"]["Hen"]["update"], id=1, updates={"egg_id": 1})["egg_id"] == 1


def test_what_a_table_fills_in_itself_need_not_be_given(existing: Existing, db: DataFlow) -> None:
    existing.ask(
        "CREATE TABLE notes (id int PRIMARY KEY, kind varchar(9) NOT NULL DEFAULT 'plain', "
        "size int DEFAULT 7, body text)",
        "SELECT 1",
    )
    note = db.register_schema_as_models()["generated_nodes"]["Note"]
    full = {"kind": "plain", "size": 7, "body": None}
    assert run(note["create"], id=1)["record"] == {"id": 1, **full}
    run(note["bulk_create"], data=[{"id": 2}, {"id": 3, "size": None, "body": "b"}])
    run(note["bulk_upsert"], data=[{"id": 2, "body": "c"}, {"id": 4}])
    assert run(note["list"], order_by=["id"])["records"] == [
        {"id": 1, **full},
        {"id": 2, **full, "body": "c"},
        {"id": 3, "kind": "plain", "size": None, "body": "b"},
        {"id": 4, **full},
    ]


def test_registering_again_replaces_and_a_declared_model_keeps_its_table(existing: Existing) -> None:
    make(existing, "users", ("id", "age"), ("id",))
    make(existing, "orders", ("id", "age"), ("id",))
    with DataFlow(existing.url, auto_migrate=False) as db:

        @db.model
        class User:
            id: int
            age: int
            __dataflow__: ClassVar = {"timestamps": False}

        done = db.register_schema_as_models()
        assert done["registered_models"] == ["Order"]
        assert "User" in done["errors"]["users"]
        again = db.register_schema_as_models(tables=["orders"])
        assert again["success_count"] == 1
        assert sorted(db.list_models()) == ["Order", "User"]


def test_two_databases_may_have_tables_of_one_name(existing: Existing, tmp_path: Any) -> None:
    make(existing, "users", ("id", "age"), ("id",))
    other = Existing(SQLITE, f"sqlite:///{tmp_path}/other.db")
    make(other, "users", ("id", "height"), ("id",))
    with DataFlow(existing.url) as one, DataFlow(other.url) as two:
        nodes = [db.register_schema_as_models()["generated_nodes"]["users"] for db in (one, two)]
        run(nodes[0]["create"], id=1, age=30)
        run(nodes[1]["create"], id=2, height=170)
    assert (existing.rows("users", ("id", "age")), other.rows("users", ("id", "height"))) == (
        [(1, 30)],
        [(2, 170)],
    )
