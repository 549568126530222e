"""What is known of SQL of a user's own before it runs: its parameters, and whether it writes or changes the schema."""

import pytest

from dataflow.config import DataFlowConfig
from dataflow.errors import ValidationError
from dataflow.sql.raw import compile_raw, read_sql
from dataflow.sqlite.dialect import SQLiteDialect
from dataflow.url import DatabaseURL

ENDING = [
    "abort",
    "attach",
    "begin",
    "commit",
    "copy",
    "detach",
    "end",
    "execute",
    "lock",
    "prepare",
    "pragma",
    "release",
    "reset",
]
ENDING += ["rollback", "savepoint", "set", "start", "unlock", "use", "vacuum"]
CHANGING = ["create", "alter", "drop", "truncate", "reindex", "rename", "comment", "grant", "revoke"]


@pytest.mark.parametrize("word", ENDING)
def test_what_ends_or_escapes_the_transaction_is_refused(word: str) -> None:
    for text in (word, word.upper(), f" {word} x", f"/* x */ {word.title()} y;"):
        with pytest.raises(ValidationError, match=f"{word.upper()} is not allowed: the run has its own"):
            read_sql("sqlite", text)
    assert read_sql("sqlite", f'SELECT "{word}"').pieces == (f'SELECT "{word}"',)


@pytest.mark.parametrize(
    "text",
    [
        "/*!SET NAMES gbk, @a := */ (SELECT 1)",
        "SELECT 1 /*!80000 FOR UPDATE */",
        "SELECT /*M!100600 1, */ 2",
        "/*! SELECT */ SELECT 1",
    ],
)
def test_a_comment_that_is_code_to_a_server_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="is SQL to MySQL"):
        read_sql("mysql", text)
    assert read_sql("mysql", "SELECT /* ! why */ 1 -- !\n + 2 /*+ hint */ --\n + 3 #/*!\n").names == ()


@pytest.mark.parametrize("grammar", ["sqlite", "postgres", "mysql"])
def test_the_names_in_a_call_are_found(grammar: str) -> None:
    shape = read_sql(grammar, "CALL pay(:from, ':no', :to);")
    assert (shape.pieces, shape.names, shape.writes) == (
        ("CALL pay(", ", ':no', ", ")"),
        ("from", "to"),
        True,
    )
    with pytest.raises(ValidationError, match="one statement per node"):
        read_sql(grammar, "CALL pay(1); SELECT 2")


@pytest.mark.parametrize("word", CHANGING)
def test_what_changes_the_schema_is_known_by_its_first_word(word: str) -> None:
    for text in (f"{word} x", f"{word.upper()} x;", f"-- why\n{word.title()} x"):
        shape = read_sql("sqlite", text)
        assert shape.changes_schema
        assert shape.writes
    assert not read_sql("sqlite", f'SELECT "{word}"').changes_schema


@pytest.mark.parametrize(
    ("text", "writes"),
    [
        ("SELECT 1", False),
        ("select 1", False),
        ("VALUES (1)", False),
        ("WITH x AS (SELECT 1) SELECT * FROM x", False),
        ("EXPLAIN SELECT 1", False),
        ("SELECT 'insert', \"update\", 1 AS deleted", False),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", True),
        ("WITH x AS (SELECT 1) UPDATE t SET a = 1", True),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", True),
        ("WITH x AS (SELECT 1) REPLACE INTO t SELECT * FROM x", True),
        ("WITH x AS (SELECT 1) MERGE INTO t USING x ON a = b", True),
        ("SELECT * INTO t FROM u", True),
        ("INSERT INTO t VALUES (1)", True),
        ("UPDATE t SET a = 1", True),
        ("DELETE FROM t", True),
        ("REPLACE INTO t VALUES (1)", True),
        ("CALL something()", True),
        ("ANALYZE", True),
        ("whatever this is", True),
    ],
)
def test_what_may_write_is_known_and_in_doubt_it_may(text: str, writes: bool) -> None:
    shape = read_sql("sqlite", text)
    assert shape.writes is writes
    assert not shape.changes_schema


@pytest.mark.parametrize(
    ("text", "names", "pieces"),
    [
        ("SELECT 1", (), ("SELECT 1",)),
        ("SELECT 1 ; ; ", (), ("SELECT 1",)),
        ("SELECT :a", ("a",), ("SELECT ", "")),
        ("SELECT :a, :b + :a FROM t;", ("a", "b", "a"), ("SELECT ", ", ", " + ", " FROM t")),
        ("SELECT ':a', \":b\", 1 -- :c", (), ("SELECT ':a', \":b\", 1",)),
        ("SELECT x[1 : n]", (), ("SELECT x[1 : n]",)),
        ("SELECT x::int, :y::int", ("y",), ("SELECT x::int, ", "::int")),
        ("SELECT x[:a]", ("a",), ("SELECT x[", "]")),
    ],
)
def test_the_parameters_are_the_names_after_colons(
    text: str, names: tuple[str, ...], pieces: tuple[str, ...]
) -> None:
    shape = read_sql("postgres", text)
    assert (shape.names, shape.pieces) == (names, pieces)


class Numbered(SQLiteDialect):
    """Counts its placeholders."""

    def __init__(self) -> None:
        super().__init__(DatabaseURL("sqlite"), DataFlowConfig("sqlite:///:memory:"))

    def placeholder(self, position: int) -> str:
        return f"${position}"


def test_the_placeholders_are_numbered_from_one() -> None:
    compiled = compile_raw(Numbered(), "SELECT :a, :b, :a")
    assert compiled.sql == "SELECT $1, $2, $3"
    assert compiled.names == ("a", "b", "a")


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        ("postgres", "CREATE TEMP TABLE t (a int)"),
        ("postgres", "create local temporary view v as select 1"),
        ("postgres", "CREATE TABLE pg_temp.t (a int)"),
        ("postgres", "CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS"),
        ("postgres", "EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1"),
        ("postgres", "SELECT 1 AS a INTO TEMP t"),
        ("postgres", "WITH x AS (SELECT 1) SELECT * INTO LOCAL TEMPORARY TABLE t FROM x"),
        ("postgres", "SELECT pg_advisory_lock(:key)"),
        ("postgres", "SELECT pg_catalog.pg_try_advisory_lock_shared /* why */ (1, 2)"),
        ("postgres", 'SELECT * FROM t WHERE "pg_advisory_lock"(id) IS NULL'),
        ("postgres", "WITH x AS (SELECT Set_Config('a.b', '1', false)) SELECT * FROM x"),
        ("postgres", "SELECT set_config('a.b', '1', :local)"),
        ("postgres", "SELECT set_config('a.b', '1', false or true)"),
        ("postgres", "SELECT setseed(0.5)"),
        ("postgres", "LISTEN news"),
        ("postgres", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"),
        ("postgres", "DO $$ BEGIN PERFORM 1; END $$"),
        ("postgres", "CALL pay(:a)"),
        ("mysql", "CREATE TEMPORARY TABLE t (a int)"),
        ("mysql", "CREATE OR REPLACE TEMPORARY TABLE t AS SELECT 1"),
        ("mysql", "SELECT GET_LOCK('a', 1)"),
        ("mysql", "UPDATE t SET a = get_lock(:name, 0)"),
        ("mysql", "DO GET_LOCK('a', 1)"),
        ("mysql", "HANDLER t OPEN"),
        ("mysql", "FLUSH TABLES WITH READ LOCK"),
        ("mysql", "CALL pay(:a)"),
        ("sqlite", "CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN SELECT 1 END"),
        ("sqlite", "CREATE TABLE temp.t (a)"),
        ("sqlite", "whatever this is"),
    ],
)
def test_what_may_outlast_the_transaction_in_its_session_is_known(grammar: str, text: str) -> None:
    assert read_sql(grammar, text).outlasts


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        ("postgres", "SELECT 1"),
        ("postgres", "(SELECT 1) UNION (SELECT 2)"),
        ("postgres", "SELECT temp, temporary, get_lock FROM listen"),
        ("postgres", "SELECT 'pg_advisory_lock(1)', 'create temp table' AS set_config"),
        ("postgres", "SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(2)"),
        ("postgres", "SELECT set_config('lock_timeout', concat('2', 's'), true), 1"),
        ("postgres", "CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1"),
        ("postgres", "CREATE TABLE t AS SELECT temp FROM u"),
        ("postgres", "EXPLAIN ANALYZE SELECT temporary FROM t"),
        ("postgres", "SELECT 1 AS a INTO t"),
        ("postgres", "NOTIFY news"),
        ("mysql", "INSERT INTO temp VALUES (1)"),
        ("mysql", "REPLACE INTO temp SELECT * FROM t"),
        ("mysql", "SELECT IS_FREE_LOCK('a')"),
        ("mysql", "SHOW TABLES"),
        ("mysql", "TRUNCATE t"),
        ("sqlite", "CREATE TABLE t (temp TEXT)"),
        ("sqlite", "DELETE FROM temp.t"),
    ],
)
def test_what_ends_with_the_transaction_is_known_too(grammar: str, text: str) -> None:
    assert not read_sql(grammar, text).outlasts
