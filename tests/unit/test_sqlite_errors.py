"""SQLite's own errors, each as it really comes, and what becomes of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from dataflow.errors import (
    AccessDenied,
    CheckViolation,
    ConnectionLost,
    DatabaseError,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    OutOfRange,
    QueryError,
    UniqueViolation,
)
from dataflow.sqlite.errors import translate

CANARY = "canary-55aa"


@pytest.fixture
def raw() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as raw:
        raw.executescript(
            """
            PRAGMA foreign_keys = ON;
            CREATE TABLE "odd.name" (id INTEGER PRIMARY KEY, "a, b" TEXT UNIQUE);
            CREATE TABLE parents (a, b, text TEXT NOT NULL, PRIMARY KEY (a, b));
            CREATE TABLE kept (id TEXT PRIMARY KEY, n INTEGER CHECK (n > 5), lower TEXT);
            CREATE UNIQUE INDEX by_expression ON kept (lower(lower));
            CREATE TABLE children (
                kept_id TEXT REFERENCES kept ON DELETE RESTRICT,
                late_id TEXT REFERENCES kept ON DELETE NO ACTION
            );
            CREATE TRIGGER guard BEFORE DELETE ON parents BEGIN SELECT RAISE(ABORT, 'parents stay'); END;
            CREATE TABLE strict_one (n INTEGER) STRICT;
            INSERT INTO parents VALUES (1, 2, 'x');
            INSERT INTO kept VALUES ('k', 9, 'x'), ('late', 9, 'y');
            INSERT INTO children VALUES ('k', NULL), (NULL, 'late');
            """
        )
        yield raw


@pytest.mark.parametrize(
    ("sql", "kind", "table", "columns"),
    [
        ("INSERT INTO parents VALUES (1, 2, :v)", UniqueViolation, "parents", ("a", "b")),
        ("INSERT INTO parents VALUES (3, 4, NULL)", NotNullViolation, "parents", ("text",)),
        ("INSERT INTO kept VALUES ('k', 9, :v)", UniqueViolation, "kept", ("id",)),
        ("INSERT INTO kept VALUES (:v, 9, 'X')", UniqueViolation, None, ()),
        ("INSERT INTO kept VALUES (:v, 1, :v)", CheckViolation, None, ()),
        ("INSERT INTO children VALUES (:v, NULL)", ForeignKeyViolation, None, ()),
        ("DELETE FROM kept WHERE id = 'k'", ForeignKeyViolation, None, ()),
        ("DELETE FROM kept WHERE id = 'late'", ForeignKeyViolation, None, ()),
        ("INSERT INTO strict_one VALUES (:v)", IntegrityError, None, ()),
        ("SELECT * FROM nowhere WHERE a = :v", QueryError, None, ()),
        ("SELECT nothing FROM kept WHERE id = :v", QueryError, None, ()),
        ("SELEC :v", QueryError, None, ()),
        ("SELECT json_extract(:v, '$.a')", QueryError, None, ()),
        ("SELECT abs(-9223372036854775807 - 1), :v", OutOfRange, None, ()),
    ],
)
def test_an_error_becomes_one_of_the_tree(
    raw: sqlite3.Connection, sql: str, kind: type[DatabaseError], table: str | None, columns: tuple[str, ...]
) -> None:
    with pytest.raises(sqlite3.Error) as caught:
        raw.execute(sql, {"v": CANARY})
    error = translate(caught.value)
    assert type(error) is kind
    assert CANARY not in str(error)
    if isinstance(error, IntegrityError):
        assert (error.table, error.columns) == (table, columns)


def test_a_trigger_that_refuses_is_no_foreign_key(raw: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.Error) as caught:
        raw.execute("DELETE FROM parents")
    error = translate(caught.value)
    assert isinstance(error, IntegrityError)
    assert not isinstance(error, ForeignKeyViolation)
    assert "parents stay" in str(error)


def test_a_foreign_key_that_is_checked_at_the_end_is_one_too(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE later (id TEXT REFERENCES kept DEFERRABLE INITIALLY DEFERRED)")
    raw.execute("BEGIN")
    raw.execute("INSERT INTO later VALUES ('nowhere')")
    with pytest.raises(sqlite3.IntegrityError) as caught:
        raw.execute("COMMIT")
    assert type(translate(caught.value)) is ForeignKeyViolation


def test_odd_names_do_not_mislead(raw: sqlite3.Connection) -> None:
    raw.execute('INSERT INTO "odd.name" VALUES (1, :v)', {"v": CANARY})
    with pytest.raises(sqlite3.IntegrityError) as caught:
        raw.execute('INSERT INTO "odd.name" VALUES (2, :v)', {"v": CANARY})
    error = translate(caught.value)
    assert type(error) is UniqueViolation
    assert "odd.name" in str(error)
    assert CANARY not in str(error)


def test_a_closed_connection_is_a_lost_one(raw: sqlite3.Connection) -> None:
    raw.close()
    with pytest.raises(sqlite3.ProgrammingError) as caught:
        raw.execute("SELECT 1")
    assert type(translate(caught.value)) is ConnectionLost


def test_a_statement_that_is_not_allowed_is_denied(raw: sqlite3.Connection) -> None:
    raw.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        raw.execute("SELECT * FROM kept")
    assert type(translate(caught.value)) is AccessDenied
    raw.set_authorizer(None)


def test_an_error_without_a_code_is_a_query_error() -> None:
    assert type(translate(sqlite3.ProgrammingError("odd"))) is QueryError
