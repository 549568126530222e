"""Tables that make themselves: created and extended, never more, and nothing at all where that is asked."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow import DataFlow, Field, ForeignKey, Index, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    CheckViolation,
    DataFlowError,
    ModelError,
    QueryError,
    SchemaMismatch,
    UniqueViolation,
    WorkflowExecutionError,
)
from dataflow.testing.conformance.auto_migration import DEFAULTS

Query = Callable[..., list[tuple[Any, ...]]]
Schema = Callable[[], list[tuple[Any, ...]]]


class Color(Enum):
    RED = "red"


def model(name: str, fields: dict[str, Any], values: dict[str, Any] | None = None, **options: Any) -> type:
    """A class as it would be written, from one module and with one name however often it is changed."""
    options = {"timestamps": False, **options}
    body: dict[str, Any] = {
        "__annotations__": fields,
        "__module__": __name__,
        "__dataflow__": options,
        **(values or {}),
    }
    return type(name, (), body)


def bring_up(file: Path, *models: type) -> None:
    """Let a new database object see the file, as a new version of a program would."""
    with DataFlow(f"sqlite:///{file}?synchronous=off") as db:
        for cls in models:
            db.model(cls)
        asyncio.run(db.start())


def use(db: DataFlow, cls: type) -> None:
    """Define a model and let its table be made, whichever of the two complains."""
    db.model(cls)
    asyncio.run(db.start())


def raw(db: DataFlow, sql: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = db.run_sync(db.nodes.SQLNode(sql=sql))["records"]
    return records


# Creation


def test_nothing_is_made_before_the_first_use(file: Path) -> None:
    with DataFlow(f"sqlite:///{file}") as db:
        db.model(model("User", {"name": str}))
        assert not file.exists()
        db.run_sync(db.nodes.UserListNode())
    assert file.exists()


def test_a_table_has_the_constraints_of_its_model(file: Path, query: Query) -> None:
    fields = {
        "name": str,
        "note": str | None,
        "age": int,
        "born": date | None,
        "rate": Decimal,
    }
    bring_up(file, model("User", fields, {"age": 18, "rate": Decimal("0.5")}))
    columns = query("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('users')")
    assert columns == [
        ("id", "INTEGER", 0, None, 1),
        ("name", "TEXT", 1, None, 0),
        ("note", "TEXT", 0, None, 0),
        ("age", "INTEGER", 1, "18", 0),
        ("born", "DATE TEXT", 0, None, 0),
        ("rate", "DECIMAL TEXT", 1, "'0.5'", 0),
    ]
    assert "AUTOINCREMENT" in query("SELECT sql FROM sqlite_master WHERE name = 'users'")[0][0]


def test_indexes_are_made_as_they_are_declared(file: Path, query: Query) -> None:
    indexes = [
        Index("a", "-b", name="both"),
        Index("b", unique=True, where={"a": {"$gt": 5}, "kind": "it's"}, name="partial"),
    ]
    fields = {"a": int, "b": int | None, "kind": str, "slug": str, "tag": Annotated[str, Field(index=True)]}
    bring_up(file, model("Thing", fields, {"slug": Field(unique=True)}, indexes=indexes))
    found = query("SELECT name, \"unique\", partial FROM pragma_index_list('things')")
    assert {row[1:] for row in found if row[0] == "both"} == {(0, 0)}
    assert {row[1:] for row in found if row[0] == "partial"} == {(1, 1)}
    assert sorted(row[1:] for row in found) == [(0, 0), (0, 0), (1, 0), (1, 1)]
    keys = query("SELECT name, \"desc\" FROM pragma_index_xinfo('both') WHERE key")
    assert keys == [("a", 0), ("b", 1)]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("Custmer", "'Custmer'.*did you mean 'Customer'"),
        ("Customer.nmae", "nmae"),
        ("Customer.name", "unique"),
        ("Pair", "Pair"),
    ],
)
def test_a_foreign_key_that_cannot_be_made_is_refused_and_nothing_is_made(
    file: Path, schema: Schema, target: str, message: str
) -> None:
    with DataFlow(f"sqlite:///{file}") as db:
        key = Field(primary_key=True)
        db.model(model("Customer", {"name": str}))
        db.model(model("Pair", {"a": int, "b": int}, {"a": key, "b": key}))
        db.model(model("Order", {"customer": Annotated[str, ForeignKey(target)]}))
        with pytest.raises(DataFlowError, match=message):
            db.run_sync(db.nodes.OrderListNode())
    assert schema() == []


async def define_within(db: DataFlow) -> None:
    async with db.transaction():
        await db.nodes.UserCreateNode(name="a")
        db.model(model("Note", {"text": str}))
        with pytest.raises(ModelError, match="before the run or the transaction"):
            await db.nodes.NoteCreateNode(text="x")


def test_a_model_defined_within_a_transaction_that_holds_the_database_is_an_error(db: DataFlow) -> None:
    db.model(model("User", {"name": str}))
    asyncio.run(define_within(db))
    assert db.run_sync(db.nodes.UserListNode())["count"] == 1
    assert db.run_sync(db.nodes.NoteListNode())["count"] == 0


# Additions


BASE: dict[str, Any] = {"name": str}


def test_what_is_new_is_added_and_what_is_there_stays(file: Path, query: Query) -> None:
    bring_up(file, model("User", BASE))
    query("INSERT INTO users (name) VALUES ('old')")
    extended = model(
        "User", {**BASE, "note": str | None, "role": str}, {"role": "guest"}, indexes=[Index("note")]
    )
    bring_up(file, extended, model("Order", {"user_id": Annotated[int, ForeignKey("User")]}))
    assert query("SELECT id, name, note, role FROM users") == [(1, "old", None, "guest")]
    assert query("SELECT count(*) FROM orders") == [(0,)]
    assert query("SELECT count(*) FROM pragma_index_list('users')") == [(1,)]


def test_a_second_look_changes_nothing(file: Path, schema: Schema, query: Query) -> None:
    models = [
        model(
            "User", BASE | {"email": Annotated[str, Field(unique=True)]}, indexes=[Index("-name", "email")]
        ),
        model("Order", {"user_id": Annotated[int, ForeignKey("User")], "data": dict[str, int]}, {"data": {}}),
    ]
    bring_up(file, *models)
    before, version = schema(), query("PRAGMA schema_version")
    bring_up(file, *models)
    assert (schema(), query("PRAGMA schema_version")) == (before, version)


def test_columns_and_tables_that_no_model_knows_stay(file: Path, query: Query) -> None:
    bring_up(file, model("User", {**BASE, "old": str | None}))
    query("INSERT INTO users (name, old) VALUES ('a', 'kept')")
    query("CREATE TABLE other (a)")
    query("CREATE INDEX mine ON users (old)")
    bring_up(file, model("User", {**BASE, "new": int | None}))
    assert query("SELECT name, old, new FROM users") == [("a", "kept", None)]
    assert query("SELECT count(*) FROM sqlite_master WHERE name IN ('other', 'mine')") == [(2,)]


@pytest.mark.parametrize(("kind", "default"), DEFAULTS, ids=map(str, range(len(DEFAULTS))))
def test_the_default_of_a_new_column_fills_the_rows_that_are_there(
    file: Path, query: Query, kind: Any, default: object
) -> None:
    bring_up(file, model("User", BASE))
    query("INSERT INTO users (name) VALUES ('old')")
    with DataFlow(f"sqlite:///{file}") as db:
        db.model(
            model("User", {**BASE, "extra": kind, "maybe": kind | None}, {"extra": default, "maybe": default})
        )
        new = db.run_sync(db.nodes.UserCreateNode(name="new"))
        old = db.run_sync(db.nodes.UserReadNode(id=1))
        for row in (old, new):
            assert row["extra"] == row["maybe"] == default
            assert type(row["extra"]) is type(row["maybe"]) is type(default)
        if not isinstance(default, dict | list):
            found = db.run_sync(db.nodes.UserListNode(filter={"extra": default, "maybe": {"$in": [default]}}))
            assert found["count"] == 2
        query("INSERT INTO users (name) VALUES ('by hand')")
        assert db.run_sync(db.nodes.UserReadNode(name="by hand"))["extra"] == default


@settings.get_profile("few")
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12))
def test_any_text_can_be_a_default(text: str) -> None:
    with DataFlow("sqlite:///:memory:") as db:
        raw(db, "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL)")
        raw(db, "INSERT INTO users (name) VALUES ('old')")
        indexes = [Index("name", where={"extra": text})]
        db.model(model("User", {**BASE, "extra": str}, {"extra": text}, indexes=indexes))
        assert db.run_sync(db.nodes.UserReadNode(id=1))["extra"] == text


def test_a_new_index_serves_rows_that_are_there(file: Path, query: Query) -> None:
    bring_up(file, model("User", BASE))
    query("INSERT INTO users (name) VALUES ('a'), ('b')")
    bring_up(file, model("User", BASE, {"name": Field(unique=True)}))
    with DataFlow(f"sqlite:///{file}") as db:
        db.model(model("User", BASE, {"name": Field(unique=True)}))
        with pytest.raises(UniqueViolation):
            db.run_sync(db.nodes.UserCreateNode(name="a"))


def test_a_new_unique_index_that_the_rows_contradict_changes_nothing(
    file: Path, query: Query, schema: Schema
) -> None:
    bring_up(file, model("User", BASE))
    query("INSERT INTO users (name) VALUES ('canary'), ('canary')")
    before = schema()
    later = model("User", {**BASE, "note": str | None}, {"name": Field(unique=True)})
    with pytest.raises(DataFlowError) as caught:
        bring_up(file, model("Other", {"a": int}), later)
    assert "canary" not in str(caught.value)
    assert isinstance(caught.value, UniqueViolation | SchemaMismatch)
    assert schema() == before


# Refusals


KEY = Field(primary_key=True)
REFUSALS: list[tuple[str, type]] = [
    (r"User\.age .*new and required", model("User", {**BASE, "age": int})),
    (r"User\.name .*holds integer", model("User", {"name": int})),
    (r"User\.name .*holds json|User\.name .*holds binary", model("User", {"name": bytes})),
    (r"User\.name .*allows None", model("User", {"name": str | None})),
    (r"User\.note .*does not allow None", model("User", {**BASE, "note": str}, {"note": "x"})),
    (r"users\.name must have a value", model("User", {"note": str | None})),
    (
        r"key \(name\)",
        model("User", {"name": str, "id": int | None}, {"name": KEY, "id": Field(primary_key=False)}),
    ),
    (r"key \(id, name\)", model("User", {"id": int, "name": str}, {"id": KEY, "name": KEY})),
    (r"User\.code .*is a key", model("User", {**BASE, "code": str}, {"code": KEY})),
    (
        r"User\.note .*foreign key",
        model("User", {**BASE, "note": Annotated[str | None, ForeignKey("User.name")]}),
    ),
    (
        r"User\.boss",
        model("User", {**BASE, "boss": Annotated[int, ForeignKey("User")]}, {"boss": 1}),
    ),
]


@pytest.mark.parametrize(("message", "later"), REFUSALS, ids=map(str, range(len(REFUSALS))))
def test_what_an_addition_cannot_do_is_refused_and_nothing_is_changed(
    file: Path, query: Query, schema: Schema, message: str, later: type
) -> None:
    first = model("User", {**BASE, "note": str | None}, {"name": Field(unique=True)})
    bring_up(file, first)
    query("INSERT INTO users (name) VALUES ('canary')")
    before = schema()
    with DataFlow(f"sqlite:///{file}") as db:
        db.model(model("Fine", {"a": int}))
        db.model(later)
        for _ in range(2):
            with pytest.raises(SchemaMismatch, match=message) as caught:
                db.run_sync(db.nodes.UserListNode())
            assert "dataflow-migrations" in str(caught.value)
            assert "canary" not in str(caught.value)
    assert schema() == before
    assert query("SELECT * FROM users") == [(1, "canary", None)]


def test_everything_that_does_not_fit_is_told_at_once(file: Path) -> None:
    bring_up(file, model("User", BASE), model("Order", {"total": int}))
    with pytest.raises(SchemaMismatch) as caught:
        bring_up(file, model("User", {"name": int}), model("Order", {"total": int, "new": int}))
    assert "User.name" in str(caught.value)
    assert "Order.new" in str(caught.value)


def test_a_view_in_the_place_of_a_table_is_no_table_to_be_made(
    file: Path, query: Query, schema: Schema
) -> None:
    query("CREATE VIEW users AS SELECT 1 AS id, 'a' AS name")
    before = schema()
    with pytest.raises(DataFlowError):
        bring_up(file, model("User", {**BASE, "note": str | None}))
    assert schema() == before


# Names


NAMES = [
    "select",
    "order",
    "table name",
    'a"b',
    "it's",
    "a.b",
    "[a]",
    "`a`",
    "a;b--",
    "100%",
    "?",
    ":name",
    "größe",
    "Äpfel",
    "İstanbul",
    "straße",
    "STRASSE",
    "数据",
    "😀",
    "\u0301",
    " space ",
    "new\nline",
    "back\\slash",
    "x" * 63,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_needs_quotes_or_is_not_ascii_simply_works(file: Path, schema: Schema, name: str) -> None:
    indexes = [
        Index("value", name=f"i {name}"[:63] if len(name) < 60 else "i"),
        Index("-value", "id", unique=True, where={"value": 1}),
    ]
    fields = {
        "value": Annotated[int, Field(column=name, index=True)],
        "up": Annotated[int | None, ForeignKey("Odd")],
    }
    dumps = []
    for number in (1, 2):
        with DataFlow(f"sqlite:///{file}") as db:
            db.model(model("Odd", fields, table=name, indexes=indexes))
            nodes = db.nodes
            assert db.run_sync(nodes.OddCreateNode(value=number, up=1))["record"] == {
                "id": number,
                "value": number,
                "up": 1,
            }
            db.run_sync(nodes.OddUpdateNode(conditions={"value": number}, value=number))
            listed = db.run_sync(
                nodes.OddListNode(
                    filter={"value": {"$in": [1, 2]}, "$not": {"value": None}},
                    order_by=["-value"],
                    fields=["value"],
                )
            )
            assert listed["records"][0] == {"value": number}
        dumps.append(schema())
    assert dumps[0] == dumps[1]


def test_case_makes_no_difference_to_what_is_there(file: Path, query: Query, schema: Schema) -> None:
    query("CREATE TABLE Users (ID INTEGER PRIMARY KEY AUTOINCREMENT, NAME TEXT NOT NULL, Note TEXT)")
    query("CREATE UNIQUE INDEX BYNAME ON Users (NAME)")
    before = schema()
    with DataFlow(f"sqlite:///{file}") as db:
        indexes = [Index("name", unique=True, name="byname")]
        db.model(model("User", {**BASE, "note": str | None}, indexes=indexes))
        assert db.run_sync(db.nodes.UserCreateNode(name="a"))["record"] == {
            "id": 1,
            "name": "a",
            "note": None,
        }
    assert schema() == before


def test_the_names_of_indexes_of_two_tables_do_not_collide(db: DataFlow) -> None:
    indexed = Annotated[int, Field(index=True)]
    db.model(model("First", {"b_c": indexed}, table="a"))
    db.model(model("Second", {"c": indexed}, table="a_b"))
    db.run_sync(db.nodes.FirstCreateNode(b_c=1))
    names = raw(db, "SELECT tbl_name AS t FROM sqlite_master WHERE type = 'index' ORDER BY t")
    assert [row["t"] for row in names] == ["a", "a_b"]


def test_an_index_whose_name_another_table_has_is_told(db: DataFlow) -> None:
    db.model(model("First", BASE, indexes=[Index("name", name="same")]))
    with pytest.raises(DataFlowError, match=r"(?i)same"):
        use(db, model("Second", BASE, indexes=[Index("name", name="SAME")]))


def test_names_that_sqlite_keeps_for_itself_are_refused(db: DataFlow) -> None:
    with pytest.raises(ModelError, match="sqlite_"):
        db.model(model("User", BASE, table="SQLite_users"))


# Together and apart


PROGRAM = """
import sys
from typing import Annotated
from dataflow import DataFlow, Field, ForeignKey, Index

with DataFlow(f"sqlite:///{sys.argv[1]}?timeout=60") as db:
    @db.model
    class User:
        name: str
        email: Annotated[str, Field(index=True)] = "x"
        __dataflow__ = {"indexes": [Index("name", "-email", unique=False)]}

    @db.model
    class Order:
        user_id: Annotated[int, ForeignKey("User")]

    print("ready", flush=True)
    sys.stdin.readline()
    id = db.run_sync(db.nodes.UserCreateNode(name=sys.argv[2]))["id"]
    db.run_sync(db.nodes.OrderCreateNode(user_id=id))
"""


def test_several_processes_at_once_make_one_schema(file: Path, query: Query) -> None:
    command = [sys.executable, "-c", PROGRAM, str(file)]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [subprocess.Popen([*command, str(n)], text=True, **pipes) for n in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(4) as threads:
        errors = [outcome[1] for outcome in threads.map(lambda process: process.communicate("\n"), processes)]
    assert errors == [""] * 4
    assert [process.returncode for process in processes] == [0] * 4
    assert query("SELECT count(*), count(DISTINCT name) FROM users") == [(4, 4)]
    assert query("SELECT count(*), count(DISTINCT user_id) FROM orders") == [(4, 4)]


def test_many_threads_at_once_make_one_schema(file: Path, query: Query) -> None:
    with DataFlow(f"sqlite:///{file}") as db, ThreadPoolExecutor(8) as threads:
        db.model(model("User", BASE))
        ids = list(threads.map(lambda n: db.run_sync(db.nodes.UserCreateNode(name=str(n)))["id"], range(16)))
    assert sorted(ids) == list(range(1, 17))
    assert query("SELECT count(*) FROM users") == [(16,)]


def test_every_change_is_logged(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dataflow"):
        bring_up(file, model("User", BASE))
    assert any('CREATE TABLE "users"' in record.getMessage() for record in caplog.records)


# Hands off


def test_without_auto_migrate_nothing_is_made(file: Path, query: Query, schema: Schema) -> None:
    query("CREATE TABLE others (a)")
    before = schema()
    with DataFlow(f"sqlite:///{file}", auto_migrate=False) as db:
        db.model(model("User", BASE))
        with pytest.raises(QueryError, match="no such table: users"):
            db.run_sync(db.nodes.UserCreateNode(name="canary"))
        workflow = WorkflowBuilder(db)
        workflow.add_node("UserCreateNode", "create", {"name": "canary"})
        with pytest.raises(WorkflowExecutionError) as caught:
            LocalRuntime().execute(workflow.build())
        assert "canary" not in str(caught.value)
    assert schema() == before


def test_in_production_nothing_is_made_unless_asked(
    file: Path, schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAFLOW_ENV", "production")
    with DataFlow(f"sqlite:///{file}") as db:
        db.model(model("User", BASE))
        with pytest.raises(QueryError):
            db.run_sync(db.nodes.UserListNode())
    assert schema() == []
    with DataFlow(f"sqlite:///{file}", auto_migrate=True) as db:
        db.model(model("User", BASE))
        assert db.run_sync(db.nodes.UserListNode())["count"] == 0


@pytest.fixture
def legacy(file: Path, query: Query) -> Path:
    query("CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL CHECK (name <> 'canary'))")
    query("CREATE TABLE pairs (a TEXT, b INT, c REAL, PRIMARY KEY (a, b)) WITHOUT ROWID")
    query("INSERT INTO users (name) VALUES ('a')")
    return file


@pytest.mark.parametrize("auto_migrate", [True, False, None])
def test_an_existing_schema_is_used_and_never_touched(
    legacy: Path, schema: Schema, query: Query, auto_migrate: bool | None
) -> None:
    def state() -> object:
        header = legacy.read_bytes()[:100]
        # Bytes 18 and 19 tell the journal mode; 40 to 43 count the changes of the schema.
        return (
            schema(),
            header[18:20],
            header[40:44],
            query("PRAGMA journal_mode"),
            query("PRAGMA user_version"),
        )

    before = state()
    url = f"sqlite:///{legacy}"
    with DataFlow(url, existing_schema_mode=True, auto_migrate=auto_migrate) as db:

        @db.model
        class User:
            id: int
            name: str

        @db.model
        class Pair:
            a: str = Field(primary_key=True)
            b: int = Field(primary_key=True)
            c: float | None
            __dataflow__: ClassVar = {"indexes": [Index("c")]}

        @db.model
        class Missing:
            id: int

        assert db.run_sync(db.nodes.UserCreateNode(name="b"))["record"] == {"id": 2, "name": "b"}
        assert db.run_sync(db.nodes.PairCreateNode(a="x", b=1))["record"] == {"a": "x", "b": 1, "c": None}
        db.run_sync(db.nodes.UserUpdateNode(id=1, name="c"))
        db.run_sync(db.nodes.PairDeleteNode(a="x", b=1))
        with pytest.raises(CheckViolation) as caught:
            db.run_sync(db.nodes.UserCreateNode(name="canary"))
        assert caught.value.__cause__ is not None
        with pytest.raises(QueryError, match="no such table"):
            db.run_sync(db.nodes.MissingListNode())
        asyncio.run(db.start())
    assert state() == before
    assert not list(legacy.parent.glob("*-wal"))
