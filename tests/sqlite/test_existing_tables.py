"""Tables that are not what a model says: what is missing is told, never guessed, and nothing changes."""

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, Field, ForeignKey, Index, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    DataFlowError,
    NotADatabase,
    QueryError,
    SchemaMismatch,
    UnreadableValue,
    ValidationError,
    WorkflowBuildError,
    WorkflowExecutionError,
)

Query = Callable[..., list[tuple[Any, ...]]]
Schema = Callable[[], list[tuple[Any, ...]]]

AS_THEY_ARE = [{"existing_schema_mode": True}, {"auto_migrate": False}]
as_they_are = pytest.mark.parametrize("options", AS_THEY_ARE, ids=lambda options: next(iter(options)))
PLAIN: dict[str, Any] = {"timestamps": False}


def open_file(file: Path, **options: Any) -> DataFlow:
    return DataFlow(f"sqlite:///{file}", **options)


def run(db: DataFlow, *nodes: tuple[str, dict[str, Any]]) -> Any:
    builder = WorkflowBuilder(db)
    for number, (type, parameters) in enumerate(nodes):
        builder.add_node(type, f"n{number}", parameters)
    results, _ = LocalRuntime().execute(builder.build())
    return results


# A column that is not there. SQLite takes a name in double quotes that it does not know for a text.


@pytest.fixture
def nicknames(query: Query) -> None:
    query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    query("INSERT INTO users VALUES (1, 'nick'), (2, 'Ann')")


def define_nicknames(db: DataFlow) -> None:
    @db.model
    class User:
        id: Annotated[int, Field(primary_key=True)]
        name: str
        nick: str | None
        __dataflow__: ClassVar = PLAIN


@as_they_are
@pytest.mark.parametrize(
    ("type", "parameters"),
    [
        ("UserReadNode", {"id": 1}),
        ("UserReadNode", {"conditions": {"nick": "nick"}}),
        ("UserListNode", {}),
        ("UserListNode", {"fields": ["nick"]}),
        ("UserListNode", {"fields": ["id"], "filter": {"nick": "nick"}}),
        ("UserListNode", {"fields": ["id"], "filter": {"nick": {"$ne": "x"}}}),
        ("UserListNode", {"fields": ["id"], "filter": {"nick": {"$gt": "a"}}}),
        ("UserListNode", {"fields": ["id"], "filter": {"nick": {"$in": ["nick"]}}}),
        ("UserListNode", {"fields": ["id"], "filter": {"$not": {"nick": None}}}),
        ("UserListNode", {"fields": ["id"], "order_by": ["nick"]}),
        ("UserListNode", {"fields": ["id"], "order_by": ["-nick"]}),
        ("UserListNode", {"count_only": True, "filter": {"nick": "nick"}}),
        ("UserCreateNode", {"name": "Eve", "nick": "e"}),
        ("UserCreateNode", {"name": "Eve"}),
        ("UserBulkCreateNode", {"data": [{"name": "Eve", "nick": "e"}]}),
        ("UserUpdateNode", {"id": 1, "updates": {"nick": "e"}}),
        ("UserUpdateNode", {"id": 1, "updates": {"name": "Eve"}}),
        ("UserUpdateNode", {"conditions": {"nick": "nick"}, "updates": {"name": "Eve"}}),
        ("UserDeleteNode", {"conditions": {"nick": "nick"}}),
        ("UserDeleteNode", {"conditions": "nick = :nick", "nick": "nick"}),
    ],
)
@pytest.mark.usefixtures("nicknames")
def test_a_column_that_is_missing_is_an_error_and_never_a_text(
    type: str, parameters: dict[str, Any], options: dict[str, Any], file: Path, query: Query
) -> None:
    with open_file(file, **options) as db:
        define_nicknames(db)
        call = getattr(db.nodes, type)(**parameters)
        with pytest.raises(QueryError, match="nick"):
            db.run_sync(call)
        with pytest.raises(WorkflowExecutionError) as caught:
            run(db, (type, parameters))
        assert isinstance(caught.value.cause, QueryError)
    assert query("SELECT * FROM users") == [(1, "nick"), (2, "Ann")]


@as_they_are
@pytest.mark.usefixtures("nicknames")
def test_a_column_that_is_missing_does_no_harm_where_it_is_not_asked_for(
    options: dict[str, Any], file: Path, query: Query
) -> None:
    with open_file(file, **options) as db:
        define_nicknames(db)
        listed = db.run_sync(db.nodes.UserListNode(fields=["name"], filter={"name": "nick"}))
        assert listed["records"] == [{"name": "nick"}]
        db.run_sync(db.nodes.UserDeleteNode(id=1))
    assert query("SELECT * FROM users") == [(2, "Ann")]


@as_they_are
@pytest.mark.usefixtures("nicknames")
def test_a_key_that_is_missing_selects_no_row_by_its_own_name(
    options: dict[str, Any], file: Path, query: Query
) -> None:
    """The condition "code" = 'code' would be true of each row."""
    with open_file(file, **options) as db:

        @db.model
        class User:
            code: Annotated[str, Field(primary_key=True)]
            name: str
            __dataflow__: ClassVar = PLAIN

        for call in (
            db.nodes.UserDeleteNode(id="code"),
            db.nodes.UserUpdateNode(id="code", updates={"name": "Eve"}),
            db.nodes.UserReadNode(id="code"),
        ):
            with pytest.raises(QueryError, match="code"):
                db.run_sync(call)
    assert query("SELECT * FROM users") == [(1, "nick"), (2, "Ann")]


# A stored value that cannot be read


@pytest.fixture
def priced(file: Path, query: Query) -> DataFlow:
    """Two rows, of which somebody else filled the second with what is no date."""
    db = open_file(file)

    @db.model
    class Product:
        name: str
        made: date
        __dataflow__: ClassVar = PLAIN

    db.run_sync(
        db.nodes.ProductBulkCreateNode(data=[{"name": "a", "made": TODAY}, {"name": "b", "made": TODAY}])
    )
    query("UPDATE products SET made = 'canary' WHERE id = 2")
    return db


TODAY = date(2024, 2, 29)
STORED = str(TODAY)


def test_an_update_whose_row_cannot_be_read_changes_nothing(priced: DataFlow, query: Query) -> None:
    with priced as db:
        for act in (
            lambda: db.run_sync(db.nodes.ProductUpdateNode(id=2, updates={"name": "changed"})),
            lambda: asyncio.run(await_update(db)),
        ):
            with pytest.raises(UnreadableValue, match="made") as caught:
                act()
            assert "canary" not in str(caught.value)
        with pytest.raises(WorkflowExecutionError) as failed:
            run(db, ("ProductUpdateNode", {"id": 2, "updates": {"name": "changed"}}))
        assert isinstance(failed.value.cause, UnreadableValue)
        assert query("SELECT * FROM products") == [(1, "a", STORED), (2, "b", "canary")]
        db.run_sync(db.nodes.ProductUpdateNode(id=1, updates={"name": "c"}))
    assert query("SELECT * FROM products") == [(1, "c", STORED), (2, "b", "canary")]


async def await_update(db: DataFlow) -> None:
    await db.nodes.ProductUpdateNode(id=2, updates={"name": "changed"})


def test_an_unreadable_update_that_was_caught_in_a_transaction_is_undone_alone(
    priced: DataFlow, query: Query
) -> None:
    async def main() -> None:
        async with db.transaction():
            await db.nodes.ProductUpdateNode(id=1, updates={"name": "before"})
            with pytest.raises(UnreadableValue):
                await await_update(db)
            await db.nodes.ProductCreateNode(name="after", made=TODAY)

    with priced as db:
        asyncio.run(main())
    assert query("SELECT * FROM products") == [
        (1, "before", STORED),
        (2, "b", "canary"),
        (3, "after", STORED),
    ]


def test_an_unreadable_update_that_a_function_catches_is_undone_alone(priced: DataFlow, query: Query) -> None:
    def act() -> None:
        with pytest.raises(UnreadableValue):
            db.run_sync(db.nodes.ProductUpdateNode(id=2, updates={"name": "changed"}))
        db.run_sync(db.nodes.ProductUpdateNode(id=1, updates={"name": "after"}))

    with priced as db:
        builder = WorkflowBuilder(db)
        builder.add_node(act, "act")
        LocalRuntime().execute(builder.build())
    assert query("SELECT * FROM products") == [(1, "after", STORED), (2, "b", "canary")]


def test_a_text_that_is_not_utf_8_is_told_without_its_value(file: Path, query: Query) -> None:
    query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    query("INSERT INTO users VALUES (1, CAST(x'63616e617279e9' AS TEXT))")
    with open_file(file, existing_schema_mode=True) as db:

        @db.model
        class User:
            id: Annotated[int, Field(primary_key=True)]
            name: str
            __dataflow__: ClassVar = PLAIN

        for call in (
            db.nodes.UserReadNode(id=1),
            db.nodes.UserListNode(),
            db.nodes.SQLNode(sql="SELECT name FROM users"),
        ):
            with pytest.raises(DataFlowError, match="UTF-8") as caught:
                db.run_sync(call)
            assert "canary" not in str(caught.value)
        blob = db.run_sync(db.nodes.SQLNode(sql="SELECT CAST(name AS BLOB) AS name FROM users"))
        assert blob["records"] == [{"name": b"canary\xe9"}]


# What additions cannot repair


def first_version(file: Path) -> None:
    with open_file(file) as db:

        @db.model
        class Shelf:
            label: str
            __dataflow__: ClassVar = PLAIN

        @db.model
        class Room:
            label: str
            __dataflow__: ClassVar = PLAIN

        @db.model
        class Book:
            title: str
            code: Annotated[str, Field(unique=True)]
            place: Annotated[int | None, ForeignKey("Shelf")] = None
            loose: int | None = None
            __dataflow__: ClassVar = {**PLAIN, "indexes": [Index("title", name="by_title")]}

        db.run_sync(db.nodes.BookCreateNode(title="a", code="1"))


def second_version(db: DataFlow, **changes: Any) -> None:
    """The same models, of which Book differs in some annotations or its indexes."""

    @db.model
    class Shelf:
        label: str
        __dataflow__: ClassVar = PLAIN

    @db.model
    class Room:
        label: str
        __dataflow__: ClassVar = PLAIN

    hints: dict[str, Any] = {
        "title": str,
        "code": Annotated[str, Field(unique=True)],
        "place": Annotated[int | None, ForeignKey("Shelf")],
        "loose": int | None,
    }
    indexes = changes.pop("indexes", [Index("title", name="by_title")])
    namespace = {"place": None, "loose": None, "__dataflow__": {**PLAIN, "indexes": indexes}}
    db.model(type("Book", (), {**namespace, "__annotations__": {**hints, **changes}, "__module__": __name__}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"indexes": [Index("code", name="by_title")]}, "by_title"),
        ({"indexes": [Index("title", "code", name="by_title")]}, "by_title"),
        ({"indexes": [Index("-title", name="by_title")]}, "by_title"),
        ({"indexes": [Index("title", unique=True, name="by_title")]}, "by_title"),
        (
            {"place": Annotated[int | None, ForeignKey("Room")]},
            r"Book\.place \(books\.place\) refers to rooms, but its column to shel",
        ),
        (
            {"loose": Annotated[int | None, ForeignKey("Room")]},
            r"Book\.loose \(books\.loose\) is a foreign key",
        ),
        ({"code": str}, r"\(code\) is unique, but Book no longer says so"),
    ],
)
def test_an_index_a_reference_or_a_uniqueness_that_differs_is_refused_and_nothing_changes(
    changes: dict[str, Any], told: str, file: Path, query: Query, schema: Schema
) -> None:
    first_version(file)
    before = schema()
    with open_file(file) as db:
        second_version(db, **changes)

        @db.model
        class Newcomer:
            name: str

        for _ in range(2):
            with pytest.raises(SchemaMismatch, match=told):
                db.run_sync(db.nodes.BookCreateNode(title="b", code="1"))
        with pytest.raises(SchemaMismatch, match=told):
            asyncio.run(db.start())
    assert [line for line in schema() if line[2] != "newcomers"] == before
    assert query("SELECT title, code FROM books") == [("a", "1")]


def test_what_has_not_changed_is_no_mismatch(file: Path, schema: Schema) -> None:
    first_version(file)
    before = schema()
    with open_file(file) as db:
        second_version(db)
        assert db.run_sync(db.nodes.BookReadNode(id=1))["code"] == "1"
    assert schema() == before


@pytest.fixture
def half_bad(file: Path, query: Query) -> DataFlow:
    """A good model beside one whose column was made as something else."""
    query("CREATE TABLE bads (id INTEGER PRIMARY KEY, amount TEXT NOT NULL)")
    db = open_file(file)

    @db.model
    class Bad:
        amount: int
        __dataflow__: ClassVar = PLAIN

    @db.model
    class Good:
        name: str
        __dataflow__: ClassVar = PLAIN

    return db


def test_a_model_that_does_not_fit_keeps_no_good_one_from_its_work(half_bad: DataFlow) -> None:
    with half_bad as db:
        assert db.run_sync(db.nodes.GoodListNode())["count"] == 0
        db.run_sync(db.nodes.GoodCreateNode(name="a"))
        assert run(db, ("GoodListNode", {}), ("GoodCreateNode", {"name": "b"}))["n1"]["id"] == 2

        async def main() -> None:
            await db.nodes.GoodCreateNode(name="c")
            await AsyncLocalRuntime().execute(good)
            async with db.transaction():
                await db.nodes.GoodCreateNode(name="e")

        builder = WorkflowBuilder(db)
        builder.add_node("GoodCreateNode", "one", {"name": "d"})
        good = builder.build()
        asyncio.run(main())
        assert db.run_sync(db.nodes.GoodListNode())["count"] == 5


def test_a_model_that_does_not_fit_is_told_each_time_it_is_used(half_bad: DataFlow) -> None:
    with half_bad as db:
        for _ in range(2):
            with pytest.raises(SchemaMismatch, match=r"Bad\.amount"):
                db.run_sync(db.nodes.BadListNode())
            with pytest.raises(WorkflowExecutionError) as caught:
                run(db, ("GoodCreateNode", {"name": "a"}), ("BadListNode", {}))
            assert isinstance(caught.value.cause, SchemaMismatch)
            with pytest.raises((SchemaMismatch, WorkflowExecutionError), match=r"Bad\.amount"):
                run(db, ("BadListNode", {}))
            assert db.run_sync(db.nodes.GoodListNode())["count"] == 0


@pytest.mark.parametrize("before", ["the transaction began", "a call in it"])
def test_a_model_that_does_not_fit_is_told_inside_a_transaction(before: str, half_bad: DataFlow) -> None:
    async def main() -> None:
        async with db.transaction():
            if before == "a call in it":
                await db.nodes.GoodCreateNode(name="a")
            with pytest.raises(DataFlowError, match="Bad"):
                await db.nodes.BadCreateNode(amount=5)

    with half_bad as db:
        asyncio.run(main())
        assert db.databases()["primary"].pool.in_use == 0
        assert db.run_sync(db.nodes.SQLNode(sql="SELECT * FROM bads"))["records"] == []


def test_a_model_works_once_its_table_was_repaired(half_bad: DataFlow, query: Query) -> None:
    with half_bad as db:
        with pytest.raises(SchemaMismatch):
            db.run_sync(db.nodes.BadCreateNode(amount=5))
        db.run_sync(db.nodes.GoodCreateNode(name="a"))
        query("DROP TABLE bads")
        assert db.run_sync(db.nodes.BadCreateNode(amount=5))["id"] == 1
        assert run(db, ("BadListNode", {}))["n0"]["count"] == 1
        assert not db.databases()["primary"].unsettled


# Files and statements that are refused


@pytest.mark.parametrize("steps", [1, 2])
def test_a_run_on_a_file_that_is_no_database_fails_as_a_run(steps: int, file: Path) -> None:
    file.write_text("This is a letter, not a database. " * 200)
    with open_file(file) as db:

        @db.model
        class User:
            name: str

        nodes: list[tuple[str, dict[str, Any]]] = [("UserListNode", {})] * steps
        builder = WorkflowBuilder(db)
        for type, _ in nodes:
            builder.add_node(type)
        with pytest.raises(WorkflowExecutionError) as caught:
            run(db, *nodes)
        assert isinstance(caught.value.cause, NotADatabase)
        with pytest.raises(WorkflowExecutionError) as caught:
            asyncio.run(AsyncLocalRuntime().execute(builder.build()))
        assert isinstance(caught.value.cause, NotADatabase)


DDL = [
    "CREATE TABLE t (x)",
    "DROP TABLE users",
    "ALTER TABLE users ADD COLUMN x",
    "CREATE INDEX i ON users (name)",
    "CREATE VIEW v AS SELECT 1",
    "/* SELECT */ -- harmless\n drop table users",
]


@pytest.mark.parametrize("sql", DDL)
@pytest.mark.usefixtures("nicknames")
def test_a_schema_that_is_to_be_left_alone_is_changed_by_no_statement(
    sql: str, file: Path, schema: Schema
) -> None:
    before = schema()
    with open_file(file, existing_schema_mode=True) as db:
        with pytest.raises(ValidationError, match="existing_schema_mode"):
            db.run_sync(db.nodes.SQLNode(sql=sql))
        with pytest.raises((WorkflowBuildError, WorkflowExecutionError), match="existing_schema_mode"):
            run(db, ("SQLNode", {"sql": sql}))
        builder = WorkflowBuilder(db)
        builder.add_node("SQLNode", "sql", {"sql": "SELECT 1 AS one"})
        with pytest.raises(WorkflowExecutionError, match="existing_schema_mode"):
            LocalRuntime().execute(builder.build(), {"sql": {"sql": sql}})
        # It was refused before anything was opened.
        assert db.databases()["primary"].pool.idle == 0
        db.run_sync(db.nodes.SQLNode(sql="UPDATE users SET name = 'x' WHERE id = 1"))
    assert schema() == before


@pytest.mark.usefixtures("nicknames")
def test_a_schema_that_may_be_changed_is_changed_by_a_statement(file: Path, query: Query) -> None:
    with open_file(file, auto_migrate=False) as db:
        db.run_sync(db.nodes.SQLNode(sql="CREATE TABLE t (x)"))
    assert query("SELECT name FROM sqlite_master WHERE name = 't'") == [("t",)]
