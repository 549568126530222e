"""What one process registers another one reconstructs; what has changed meanwhile is told, and never guessed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import SchemaMismatch

from .databases import SQLITE, Existing
from .schemas import user_of_tables

TABLES = ("users", "orders", "items", "notes")
REGISTRY = "dataflow_model_registry"
REGISTER = """
import json, sys
from dataflow import DataFlow
with DataFlow(sys.argv[1]) as db:
    sys.stdin.readline()
    done = db.register_schema_as_models(tables=sys.argv[2:])
    print(json.dumps([done["registered_models"], done["errors"], done["persisted"]]))
"""
PROCESSES = 8


@pytest.fixture(autouse=True)
def _tables(existing: Existing) -> None:
    for table in TABLES:
        existing.ask(f"CREATE TABLE {table} (id int PRIMARY KEY, size int NOT NULL)", "SELECT 1")
    existing.ask("INSERT INTO users VALUES (1, 170)", "SELECT 1")


@pytest.fixture
def db(existing: Existing) -> Iterator[DataFlow]:
    with DataFlow(existing.url) as db:
        yield db


def start(existing: Existing, *tables: str) -> "subprocess.Popen[str]":
    """Another process that registers these tables as soon as it is told to."""
    return subprocess.Popen(
        [sys.executable, "-c", REGISTER, existing.url, *tables],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> list[Any]:
    output, errors = process.communicate("\n", timeout=90)
    assert process.returncode == 0, errors
    answer: list[Any] = json.loads(output)
    return answer


def versions(existing: Existing) -> list[tuple[Any, ...]]:
    return existing.ask(f"SELECT label, version, class_name FROM {REGISTRY} ORDER BY label, version")


def test_what_another_process_registered_is_reconstructed(existing: Existing, db: DataFlow) -> None:
    assert finish(start(existing, "users", "orders")) == [["User", "Order"], {}, True]
    done = db.reconstruct_models_from_registry()
    assert sorted(done["reconstructed_models"]) == ["Order", "User"]
    assert (done["success_count"], done["error_count"], done["source"]) == (2, 0, "registry")
    assert sorted(done["generated_nodes"]["users"]) == sorted(done["generated_nodes"]["User"])
    assert db.run_sync(db.nodes.UserReadNode(id=1))["size"] == 170


def test_the_registry_says_nothing_of_where_it_was_written(existing: Existing, db: DataFlow) -> None:
    db.register_schema_as_models()
    written = str(existing.ask(f"SELECT * FROM {REGISTRY}"))
    assert existing.url.rpartition("/")[2] not in written
    assert "/" not in written


def test_a_model_gets_a_version_when_its_table_has_changed(existing: Existing, db: DataFlow) -> None:
    db.register_schema_as_models(tables=["users"])
    db.register_schema_as_models(tables=["users"])
    assert versions(existing) == [("users", 1, "User")]
    existing.ask("ALTER TABLE users ADD COLUMN age int", "SELECT 1")
    db.register_schema_as_models(tables=["users"])
    assert versions(existing) == [("users", 1, "User"), ("users", 2, "User")]
    with DataFlow(existing.url) as other:
        assert other.reconstruct_models_from_registry()["errors"] == {}
        assert other.run_sync(other.nodes.UserReadNode(id=1))["record"] == {"id": 1, "size": 170, "age": None}


def test_a_table_that_has_changed_is_told_with_the_difference(existing: Existing, db: DataFlow) -> None:
    db.register_schema_as_models()
    existing.ask("ALTER TABLE users ADD COLUMN age int", "SELECT 1")
    existing.ask("ALTER TABLE orders RENAME COLUMN size TO weight", "SELECT 1")
    existing.ask("DROP TABLE notes", "SELECT 1")
    done = db.reconstruct_models_from_registry()
    assert done["reconstructed_models"] == ["Item"]
    errors = done["errors"]
    assert set(errors) == {"users", "orders", "notes"}
    assert "the column age is new" in errors["users"]
    assert "version 1 of User" in errors["users"]
    assert "the column size is gone; the column weight is new" in errors["orders"]
    assert "is not there any more" in errors["notes"]


def test_a_change_of_a_type_is_told(existing: Existing, db: DataFlow) -> None:
    if existing.kind is SQLITE:
        change = ["DROP TABLE users", "CREATE TABLE users (id int PRIMARY KEY, size text NOT NULL)"]
    elif existing.kind.name == "postgres":
        change = ["ALTER TABLE users ALTER COLUMN size TYPE text"]
    else:
        change = ["ALTER TABLE users MODIFY size text NOT NULL"]
    db.register_schema_as_models(tables=["users"])
    existing.ask(*change, "SELECT 1")
    (error,) = db.reconstruct_models_from_registry()["errors"].values()
    assert "size: type was" in error
    assert "and is 'text'" in error


def test_eight_processes_may_register_at_once(existing: Existing) -> None:
    processes = [start(existing, *TABLES[number % 2 :]) for number in range(PROCESSES)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [finish(process) for process in processes]
    assert all(errors == {} and persisted for _, errors, persisted in answers)
    assert versions(existing) == [
        ("items", 1, "Item"),
        ("notes", 1, "Note"),
        ("orders", 1, "Order"),
        ("users", 1, "User"),
    ]


def test_a_name_stays_with_its_table_when_others_come(existing: Existing, db: DataFlow) -> None:
    existing.ask("CREATE TABLE categories (id int PRIMARY KEY)", "SELECT 1")
    db.register_schema_as_models(tables=["categories"])
    existing.ask(f"CREATE TABLE {existing.quoted('Category')} (id int PRIMARY KEY)", "SELECT 1")
    with DataFlow(existing.url) as other:
        assert other.register_schema_as_models(tables=["categories"])["registered_models"] == ["Category"]
        assert other.register_schema_as_models(tables=["Category"])["registered_models"] == ["Category2"]
    with DataFlow(existing.url) as third:
        nodes = third.reconstruct_models_from_registry()["generated_nodes"]
        assert nodes["categories"]["read"] == "CategoryReadNode"
        assert "Category2" in nodes


@pytest.mark.parametrize(
    "broken", ["", "null", "[1]", '{"columns": {"id": 3}, "key": []}', '{"columns": 1, "key": []}', "{"]
)
def test_a_broken_row_of_the_registry_is_told_and_keeps_no_other_from_its_model(
    existing: Existing, db: DataFlow, broken: str
) -> None:
    db.register_schema_as_models(tables=["users", "orders"])
    existing.ask(f"UPDATE {REGISTRY} SET definition = '{broken}' WHERE label = 'users'", "SELECT 1")
    with DataFlow(existing.url) as other:
        done = other.reconstruct_models_from_registry()
        assert done["reconstructed_models"] == ["Order"]
        assert "cannot be understood" in done["errors"]["users"]
        assert other.register_schema_as_models(tables=["users"])["persisted"] is True
        assert other.reconstruct_models_from_registry()["errors"] == {}
    assert versions(existing) == [("orders", 1, "Order"), ("users", 1, "User"), ("users", 2, "User")]


def test_a_table_that_is_no_registry_is_told(existing: Existing) -> None:
    existing.ask(f"CREATE TABLE {REGISTRY} (id int PRIMARY KEY, label text)", "SELECT 1")
    with DataFlow(existing.url) as db:
        done = db.register_schema_as_models(tables=["users"])
        assert (done["registered_models"], done["persisted"]) == (["User"], False)
        with pytest.raises(SchemaMismatch, match="is no registry of DataFlow"):
            db.reconstruct_models_from_registry()


def test_who_sees_less_takes_nothing_for_changed(existing: Existing, db: DataFlow) -> None:
    if existing.kind is SQLITE:
        pytest.skip("SQLite has no users")
    existing.ask(
        "CREATE TABLE order_lines (id int PRIMARY KEY, order_id int, FOREIGN KEY (order_id) REFERENCES orders (id))",
        "CREATE TABLE order_line (id int PRIMARY KEY)",
        "SELECT 1",
    )
    assert db.register_schema_as_models()["error_count"] == 0
    seen = ("order_lines", "users", REGISTRY)
    with user_of_tables(existing, *seen) as url, DataFlow(url, existing_schema_mode=True) as other:
        done = other.reconstruct_models_from_registry()
        assert sorted(done["reconstructed_models"]) == ["OrderLines", "User"], done["errors"]
        assert "order_lines" not in done["errors"]
        again = other.register_schema_as_models(tables=["order_lines"])
        assert again["registered_models"] == ["OrderLines"]
    assert {version for _, version, _ in versions(existing)} == {1}


@pytest.mark.parametrize("options", [{"existing_schema_mode": True}, {"auto_migrate": False}], ids=str)
def test_where_no_table_may_be_made_the_live_schema_is_looked_at(
    existing: Existing, options: dict[str, Any]
) -> None:
    with DataFlow(existing.url, **options) as db:
        done = db.register_schema_as_models(tables=["users"])
        assert (done["success_count"], done["persisted"]) == (1, False)
        assert REGISTRY not in db.discover_schema()
    with DataFlow(existing.url, **options) as other:
        done = other.reconstruct_models_from_registry()
        assert sorted(done["reconstructed_models"]) == ["Item", "Note", "Order", "User"]
        assert done["source"] == "schema"


def test_a_registry_that_is_there_is_used_where_no_table_may_be_made(
    existing: Existing, db: DataFlow
) -> None:
    db.register_schema_as_models(tables=["users"])
    with DataFlow(existing.url, existing_schema_mode=True) as other:
        assert other.register_schema_as_models(tables=["orders"])["persisted"] is True
        assert other.reconstruct_models_from_registry()["reconstructed_models"] == ["Order", "User"]


def test_who_wants_no_registry_gets_none(existing: Existing) -> None:
    with DataFlow(existing.url, enable_model_persistence=False) as db:
        assert db.register_schema_as_models()["persisted"] is False
        assert REGISTRY not in db.discover_schema()


def test_the_registry_is_no_model_of_its_own(existing: Existing, db: DataFlow) -> None:
    db.register_schema_as_models()
    again = db.register_schema_as_models()
    assert sorted(db.list_models()) == sorted(again["registered_models"]) == ["Item", "Note", "Order", "User"]
    assert REGISTRY in db.discover_schema()
