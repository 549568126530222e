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
PASSING = [
    *CHANGING,
    "analyze",
    "check",
    "cluster",
    "delete",
    "desc",
    "describe",
    "explain",
    "insert",
    "merge",
]
PASSING += ["notify", "optimize", "refresh", "replace", "select", "show", "table", "update", "values", "with"]
LASTING = ["dblink_connect", "dblink_connect_u", "get_lock", "setseed"]
LASTING += [f"pg_{form}" for form in ("advisory_lock", "advisory_lock_shared")]
LASTING += [f"pg_try_{form}" for form in ("advisory_lock", "advisory_lock_shared")]


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
        assert not shape.keeps_schema
        assert shape.writes
    assert read_sql("sqlite", f'SELECT "{word}"').keeps_schema


@pytest.mark.parametrize(
    ("text", "writes", "keeps"),
    [
        ("SELECT 1", False, True),
        ("select 1", False, True),
        ("VALUES (1)", False, True),
        ("WITH x AS (SELECT 1) SELECT * FROM x", False, True),
        ("EXPLAIN SELECT 1", False, True),
        ("SELECT 'insert', \"update\", 1 AS deleted", False, True),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", True, True),
        ("WITH x AS (SELECT 1) UPDATE t SET a = 1", True, True),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", True, True),
        ("WITH x AS (SELECT 1) REPLACE INTO t SELECT * FROM x", True, True),
        ("WITH x AS (SELECT 1) MERGE INTO t USING x ON a = b", True, True),
        ("SELECT * INTO t FROM u", True, False),
        ("INSERT INTO t VALUES (1)", True, True),
        ("UPDATE t SET a = 1", True, True),
        ("DELETE FROM t", True, True),
        ("REPLACE INTO t VALUES (1)", True, True),
        ("CALL something()", True, False),
        ("ANALYZE", True, False),
        ("whatever this is", True, False),
        ("EXPLAIN ANALYZE UPDATE t SET a = 1", True, True),
        ("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", False, False),
        ("EXPLAIN (ANALYZE, COSTS OFF) CREATE MATERIALIZED VIEW t AS SELECT 1", False, False),
        ("EXPLAIN VERBOSE EXECUTE made", False, False),
        ("EXPLAIN SELECT * INTO t FROM u", True, False),
        ('SELECT "into", replace(a, b, c) FROM t', True, True),
        ("SELECT replace(a, b, c) INTO t FROM u", True, False),
        ("WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT a FROM x", True, True),
        ("INSERT OR IGNORE INTO t VALUES (1)", True, True),
        ("TABLE t", True, True),
        ("REFRESH MATERIALIZED VIEW t", True, False),
    ],
)
def test_what_may_write_or_change_the_schema_is_known_and_in_doubt_it_may(
    text: str, writes: bool, keeps: bool
) -> None:
    shape = read_sql("postgres", text)
    assert (shape.writes, shape.keeps_schema) == (writes, keeps)


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


@pytest.mark.parametrize("word", PASSING)
def test_a_statement_that_leaves_nothing_is_known_by_its_first_word(word: str) -> None:
    assert not read_sql("mysql", f"{word.upper()} x").outlasts
    assert read_sql("mysql", f"UN{word} x").outlasts


@pytest.mark.parametrize("name", LASTING)
def test_a_function_that_changes_its_session_is_known_by_its_name(name: str) -> None:
    assert read_sql("postgres", f"SELECT {name}('a', 1)").outlasts
    assert not read_sql("postgres", f"SELECT {name}, {name}_2('a', 1) FROM t").outlasts


@pytest.mark.parametrize(
    ("text", "locks"),
    [
        ("SELECT * FROM t FOR SHARE", True),
        ("SELECT * FROM t FOR NO KEY UPDATE", True),
        ("SELECT * FROM t FOR KEY SHARE SKIP LOCKED", True),
        ("SELECT * FROM t LOCK IN SHARE MODE", True),
        ("SELECT pg_try_advisory_xact_lock(:key)", True),
        ("SELECT GET_LOCK(:name, 5)", True),
        ("SELECT share, mode, get_lock FROM pg_advisory_lock", False),
        ("SELECT 'FOR SHARE', :lock AS \"for share\"", False),
    ],
)
def test_a_query_that_locks_counts_as_writing(text: str, locks: bool) -> None:
    for grammar in ("postgres", "mysql"):
        assert read_sql(grammar, text).writes is locks


@pytest.mark.parametrize(
    "how", ["IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "OR ABORT", "OR FAIL", "OR ROLLBACK"]
)
def test_an_insertion_keeps_the_schema_however_it_is_done(how: str) -> None:
    assert read_sql("sqlite", f"INSERT {how} INTO t VALUES (1)").keeps_schema
    assert not read_sql("sqlite", f"SELECT {how} INTO t").keeps_schema
