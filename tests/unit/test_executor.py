"""The executor: interceptors rewrite whatever is executed, observers see it and none of its values."""

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from dataflow import DataFlowConfig
from dataflow.errors import PluginError, QueryError, UniqueViolation
from dataflow.execution.executor import Executor
from dataflow.execution.stepping import step
from dataflow.execution.workers import Workers
from dataflow.filters.pipelines import read_pipeline
from dataflow.model.declare import declare
from dataflow.model.schema import Model
from dataflow.sqlite.dialect import SQLiteDialect
from dataflow.sqlite.driver import SQLiteConnection
from dataflow.sqlite.options import SQLiteOptions
from dataflow.statements import (
    EVERYTHING,
    Aggregate,
    Change,
    Delete,
    Insert,
    InsertMany,
    Pipeline,
    Raw,
    Select,
    Statement,
    Update,
    UpdateMany,
    UpsertMany,
    any_of,
    equals,
)
from dataflow.url import DatabaseURL


class Note:
    tenant: str
    text: str
    __dataflow__: ClassVar = {"timestamps": False}


MODEL = declare(Note, implied=True)
DIALECT = SQLiteDialect(DatabaseURL("sqlite"), DataFlowConfig("sqlite:///:memory:"))
CANARY = "canary-1d2e"
UPSERT = UpsertMany(MODEL, ("id", "text"), [(1, "new"), (9, "other")], (), ("id",), ("text",))


@pytest.fixture
def connection() -> Iterator[SQLiteConnection]:
    connection = SQLiteConnection(
        SQLiteOptions(":memory:", mode="memory", wal=False), Workers("dataflow-sqlite")
    )
    step(connection.open())
    step(connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, tenant TEXT, text TEXT UNIQUE)"))
    step(connection.execute("INSERT INTO notes (tenant, text) VALUES ('a', 'first'), ('b', 'second')"))
    yield connection
    step(connection.close())


class Tenancy:
    """Adds a condition to whatever reads, changes or deletes; refuses what it cannot rewrite."""

    kinds = frozenset({Select, Aggregate, Insert, InsertMany, UpsertMany, Update, UpdateMany, Delete, Raw})
    mandatory = True

    def concerns(self, model: Model | None) -> bool:
        return True

    def rewrite(self, statement: Statement) -> Statement:
        match statement:
            case Select() | Aggregate() | Update() | UpdateMany() | Delete():
                return statement._replace(where=statement.where & equals("tenant", "a"))
            case Insert() if "tenant" not in statement.fields:
                fields, values = (*statement.fields, "tenant"), (*statement.values, "a")
                return statement._replace(fields=fields, values=values)
            case InsertMany() | UpsertMany():
                fields, constants = (*statement.fields, "tenant"), (*statement.constants, "a")
                return statement._replace(fields=fields, constants=constants)
            case Raw():
                raise QueryError("raw SQL cannot be confined to a tenant")
        return statement


class Marker:
    """Notes which statements come by."""

    mandatory = False

    def __init__(self, *kinds: type) -> None:
        self.kinds = frozenset(kinds)
        self.seen: list[Statement] = []

    def concerns(self, model: Model | None) -> bool:
        return True

    def rewrite(self, statement: Statement) -> Statement:
        self.seen.append(statement)
        return statement


class Watcher:
    """Remembers all that it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[Statement, str, float, BaseException | None]] = []

    def executed(self, statement: Statement, sql: str, seconds: float, error: BaseException | None) -> None:
        self.seen.append((statement, sql, seconds, error))


def test_an_interceptor_rewrites_every_kind_of_statement(connection: SQLiteConnection) -> None:
    executor = Executor(DIALECT, [Tenancy()])
    everything = Select(MODEL)

    def texts() -> list[str]:
        return [row["text"] for row in step(executor.records(connection, everything))]

    assert texts() == ["first"]
    assert step(executor.records(connection, everything._replace(counting=True))) == [{"count": 1}]
    counted = read_pipeline(MODEL, [{"$count": "n"}], "here")
    assert step(executor.records(connection, Aggregate(MODEL, EVERYTHING, counted))) == [{"n": 1}]
    created = step(executor.records(connection, Insert(MODEL, ("text",), ("third",))))
    assert created[0]["tenant"] == "a"
    step(executor.insert_many(connection, InsertMany(MODEL, ("text",), [("fourth",), ("fifth",)])))
    assert texts() == ["first", "third", "fourth", "fifth"]
    second = equals("text", "second")
    assert step(executor.records(connection, Update(MODEL, (Change("text"),), ("x",), second))) == []
    assert step(executor.records(connection, Delete(MODEL, second))) == []
    rows = [(1, "first"), (2, "stolen")]
    assert step(executor.update_many(connection, UpdateMany(MODEL, ("id",), ("text",), rows))) == 1
    change = Update(MODEL, (Change("text"),), ("x",), second, returning=())
    assert step(executor.affected(connection, change)) == 0
    assert step(executor.affected(connection, Delete(MODEL, second, returning=False))) == 0
    with pytest.raises(QueryError, match="tenant"):
        step(executor.raw(connection, Raw("SELECT * FROM notes", {})))
    assert len(step(Executor(DIALECT).records(connection, everything))) == 5


def test_an_upsert_by_search_is_confined_as_its_statements_are(connection: SQLiteConnection) -> None:
    executor = Executor(DIALECT, [Tenancy()])
    statement = UPSERT._replace(fields=("text", "id"), match=("text",), changed=())
    rows = [("first", 7), ("second", 8), ("third", 9)]
    with pytest.raises(UniqueViolation):
        step(executor.upsert_many(connection, statement._replace(rows=rows)))
    assert step(executor.upsert_many(connection, statement._replace(rows=[rows[0], rows[2]]))) == (1, 1)
    third = step(executor.records(connection, Select(MODEL, equals("text", "third"))))
    assert [row["tenant"] for row in third] == ["a"]


def test_interceptors_act_in_their_order_on_the_kinds_that_they_name(connection: SQLiteConnection) -> None:
    before, after, other = Marker(Select), Marker(Select, Delete), Marker(Insert)
    executor = Executor(DIALECT, [before, Tenancy(), after, other])
    step(executor.records(connection, Select(MODEL)))
    assert before.seen == [Select(MODEL)]
    assert after.seen == [Select(MODEL, equals("tenant", "a"))]
    assert other.seen == []
    assert executor.rewritten(Delete(MODEL, equals("id", 1))) == after.seen[-1]


@pytest.mark.parametrize(
    "missing", [Select, Aggregate, Insert, InsertMany, UpsertMany, Update, UpdateMany, Delete, Raw]
)
def test_a_mandatory_interceptor_that_misses_a_kind_fails_the_start(missing: type) -> None:
    class Leaky(Tenancy):
        kinds = Tenancy.kinds - {missing}

    with pytest.raises(PluginError, match=f"Leaky is mandatory but does not handle {missing.__name__}"):
        Executor(DIALECT, [Marker(Select), Leaky()])


def test_an_optional_interceptor_may_miss_kinds() -> None:
    Executor(DIALECT, [Marker(), Marker(Select)])


RUNS: list[tuple[type, Callable[[Executor, SQLiteConnection], object]]] = [
    (Select, lambda e, c: step(e.records(c, Select(MODEL, equals("text", CANARY))))),
    (Select, lambda e, c: step(e.records(c, Select(MODEL, equals("text", CANARY), counting=True)))),
    (Aggregate, lambda e, c: step(e.records(c, Aggregate(MODEL, equals("text", CANARY), Pipeline((), ()))))),
    (Insert, lambda e, c: step(e.records(c, Insert(MODEL, ("text",), (CANARY,))))),
    (InsertMany, lambda e, c: step(e.insert_many(c, InsertMany(MODEL, ("text",), [(CANARY,)])))),
    (UpsertMany, lambda e, c: step(e.upsert_many(c, UPSERT._replace(rows=[(1, CANARY)])))),
    (Update, lambda e, c: step(e.records(c, Update(MODEL, (Change("tenant"),), (CANARY,), equals("id", 1))))),
    (UpdateMany, lambda e, c: step(e.update_many(c, UpdateMany(MODEL, ("id",), ("text",), [(1, CANARY)])))),
    (Delete, lambda e, c: step(e.records(c, Delete(MODEL, equals("text", CANARY))))),
    (Delete, lambda e, c: step(e.affected(c, Delete(MODEL, equals("text", CANARY), returning=False)))),
    (Raw, lambda e, c: step(e.raw(c, Raw("SELECT :a AS a", {"a": CANARY})))),
]


@pytest.mark.parametrize(
    ("kind", "run"), RUNS, ids=[f"{kind.__name__}-{i}" for i, (kind, _) in enumerate(RUNS)]
)
def test_an_observer_sees_each_statement_its_sql_and_its_time(
    connection: SQLiteConnection, kind: type, run: Callable[[Executor, SQLiteConnection], object]
) -> None:
    watchers = [Watcher(), Watcher()]
    run(Executor(DIALECT, observers=watchers), connection)
    for watcher in watchers:
        [(statement, sql, seconds, error)] = watcher.seen
        assert type(statement) is kind
        assert 0 <= seconds < 5
        assert error is None
        assert CANARY not in sql


def test_an_observer_sees_a_statement_that_failed(connection: SQLiteConnection) -> None:
    watcher = Watcher()
    executor = Executor(DIALECT, observers=[watcher])
    with pytest.raises(UniqueViolation) as caught:
        step(executor.records(connection, Insert(MODEL, ("text",), ("first",))))
    assert watcher.seen[0][3] is caught.value
    with pytest.raises(QueryError):
        step(executor.raw(connection, Raw("SELECT * FROM nowhere", {})))
    assert isinstance(watcher.seen[1][3], QueryError)


def test_the_sql_of_very_many_values_is_not_kept(connection: SQLiteConnection) -> None:
    executor = Executor(DIALECT)
    very_many = any_of([equals("text", str(number)) for number in range(500)])
    step(executor.records(connection, Select(MODEL, very_many)))
    step(executor.affected(connection, Delete(MODEL, very_many, returning=False)))
    step(step(executor.open_cursor(connection, Select(MODEL, very_many))).close())
    assert executor.compiled.cache_info().currsize == 0
    step(executor.records(connection, Select(MODEL, equals("text", "first"))))
    assert executor.compiled.cache_info().currsize == 1


def test_an_observer_sees_what_the_interceptors_made(connection: SQLiteConnection) -> None:
    watcher = Watcher()
    step(Executor(DIALECT, [Tenancy()], [watcher]).records(connection, Select(MODEL)))
    assert watcher.seen[0][0] == Select(MODEL, equals("tenant", "a"))
    assert '"tenant" = ?' in watcher.seen[0][1]


def test_a_batch_comes_back_as_it_is_stored_where_that_is_wanted(connection: SQLiteConnection) -> None:
    executor = Executor(DIALECT)
    rows = [(str(number),) for number in range(120)]
    statement = InsertMany(MODEL, ("text", "tenant"), rows, constants=("b",), returning=True)
    stored = step(executor.insert_many(connection, statement))
    assert [(row["text"], row["tenant"]) for row in stored] == [(text, "b") for (text,) in rows]
    again = statement._replace(rows=[("x",)], returning=False)
    assert step(executor.insert_many(connection, again)) == []
