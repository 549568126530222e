"""What the server refuses: the error of the tree, with table and columns where PostgreSQL names them."""

import asyncio
from typing import Annotated, Any, ClassVar

import pytest

from dataflow import DataFlow, Field, ForeignKey
from dataflow.errors import (
    AccessDenied,
    CheckViolation,
    DatabaseBusy,
    Deadlock,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    OutOfRange,
    QueryError,
    SchemaMismatch,
    SerializationFailure,
    StatementTimeout,
    UniqueViolation,
)

SECRET = "canary"


INVALID = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass"


class Counter:
    number: int


def define(db: DataFlow) -> None:
    @db.model
    class Owner:
        name: Annotated[str, Field(unique=True)]
        __dataflow__: ClassVar = {"timestamps": False}

    @db.model
    class Thing:
        owner_id: Annotated[int, ForeignKey("Owner")] | None = None
        number: int = 0
        __dataflow__: ClassVar = {"timestamps": False}

    db.run_sync(db.nodes.OwnerCreateNode(id=100, name=SECRET))
    db.run_sync(db.nodes.ThingBulkCreateNode(data=[{"id": 101, "owner_id": 100}, {"id": 102}]))


def sql(db: DataFlow, text: str) -> Any:
    return db.run_sync(db.nodes.SQLNode(sql=text))


def refused(db: DataFlow, text: str, error: type[Exception]) -> Any:
    with pytest.raises(error) as caught:
        sql(db, text)
    assert type(caught.value) is error
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is not None
    return caught.value


@pytest.mark.parametrize(
    ("text", "error", "table", "columns"),
    [
        ("INSERT INTO owners (name) VALUES ('canary')", UniqueViolation, "owners", ("name",)),
        ("INSERT INTO owners (id, name) VALUES (100, 'b')", UniqueViolation, "owners", ("id",)),
        ("INSERT INTO owners (name) VALUES (NULL)", NotNullViolation, "owners", ("name",)),
        ("INSERT INTO things (owner_id, number) VALUES (9, 1)", ForeignKeyViolation, "things", ("owner_id",)),
        ("DELETE FROM owners", ForeignKeyViolation, "things", ("id",)),
    ],
)
def test_a_constraint_names_its_table_and_its_columns(
    db: DataFlow, text: str, error: type[IntegrityError], table: str, columns: tuple[str, ...]
) -> None:
    define(db)
    caught = refused(db, text, error)
    assert (caught.table, caught.columns) == (table, columns)
    assert table in str(caught)
    assert columns[0] in str(caught)


def test_odd_names_of_several_columns_are_named(db: DataFlow) -> None:
    sql(db, 'CREATE TABLE "Odd ""Table""" ("a, b" int, "C)=(" int, d int, UNIQUE ("a, b", d))')
    insert = 'INSERT INTO "Odd ""Table""" VALUES (1, 2, 3)'
    sql(db, insert)
    caught = refused(db, insert, UniqueViolation)
    assert caught.table == 'Odd "Table"'
    assert caught.columns[-1] == "d"


def test_a_key_over_an_expression_is_told_without_columns_that_do_not_exist(db: DataFlow) -> None:
    sql(db, "CREATE TABLE words (word text)")
    sql(db, "CREATE UNIQUE INDEX words_folded ON words (lower(word))")
    sql(db, "INSERT INTO words VALUES ('Canary')")
    caught = refused(db, "INSERT INTO words VALUES ('canary')", UniqueViolation)
    assert caught.table == "words"


def test_a_check_names_its_constraint(db: DataFlow) -> None:
    sql(db, "CREATE TABLE sizes (size int CONSTRAINT size_is_small CHECK (size < 5))")
    caught = refused(db, "INSERT INTO sizes VALUES (7)", CheckViolation)
    assert (caught.table, caught.columns) == ("sizes", ())
    assert "size_is_small" in str(caught)


def test_a_row_that_another_one_excludes_is_an_integrity_error(db: DataFlow) -> None:
    sql(db, "CREATE TABLE spans (span int4range, EXCLUDE USING gist (span WITH &&))")
    sql(db, "INSERT INTO spans VALUES ('[1,5]')")
    assert refused(db, "INSERT INTO spans VALUES ('[3,9]')", IntegrityError).table == "spans"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("INSERT INTO short VALUES ('canary')", CheckViolation, "too long"),
        ("INSERT INTO short (number) VALUES (40000)", OutOfRange, "does not fit"),
        ("SELECT 9223372036854775807 + 1", OutOfRange, "does not fit"),
        ("SELECT timestamp '9999-12-31' + interval '999999 years'", OutOfRange, "does not fit"),
        ("SELECT 'canary'::int", QueryError, "none of the type"),
        ("SELECT 1 / 0", QueryError, "none of the type"),
        ("SELECT * FROM nowhere", QueryError, 'relation "nowhere" does not exist'),
        ("SELECT nothing FROM short", QueryError, 'column "nothing" does not exist'),
        ("SELEC 1", QueryError, "syntax error"),
        ("CREATE DATABASE other", QueryError, "cannot run inside a transaction block"),
    ],
)
def test_what_the_server_refuses_is_told_without_values(
    db: DataFlow, text: str, error: type[Exception], message: str
) -> None:
    sql(db, "CREATE TABLE short (text varchar(3), number smallint)")
    assert message in str(refused(db, text, error))


def test_what_a_user_may_not_do_is_access_denied(db: DataFlow) -> None:
    define(db)

    async def main() -> None:
        async with db.transaction():
            await db.nodes.SQLNode(sql="SELECT set_config('role', 'pg_monitor', true)")
            await db.nodes.OwnerListNode()

    with pytest.raises(AccessDenied, match="grant"):
        asyncio.run(main())
    assert db.run_sync(db.nodes.OwnerListNode())["count"] == 1


def test_a_session_that_only_reads_refuses_to_write(db: DataFlow) -> None:
    define(db)

    async def main() -> None:
        async with db.transaction():
            await db.nodes.SQLNode(sql="SELECT set_config('transaction_read_only', 'on', true)")
            await db.nodes.OwnerCreateNode(name="b")

    with pytest.raises(AccessDenied, match="read-only"):
        asyncio.run(main())


def test_two_transactions_that_wait_for_each_other_are_a_deadlock(db: DataFlow) -> None:
    define(db)

    async def cross(first: int, second: int, mine: asyncio.Event, theirs: asyncio.Event) -> None:
        async with db.transaction():
            await db.nodes.ThingUpdateNode(id=first, updates={"$inc": {"number": 1}})
            mine.set()
            await theirs.wait()
            await db.nodes.ThingUpdateNode(id=second, updates={"$inc": {"number": 1}})

    async def main() -> list[BaseException | None]:
        one, other = asyncio.Event(), asyncio.Event()
        tasks = cross(101, 102, one, other), cross(102, 101, other, one)
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    outcomes = asyncio.run(main())
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Deadlock]
    rows = db.run_sync(db.nodes.ThingListNode(order_by=["id"]))["records"]
    assert [row["number"] for row in rows] == [1, 1]


def test_transactions_that_no_order_explains_are_a_serialization_failure(db: DataFlow) -> None:
    db.model(Counter)
    db.run_sync(db.nodes.CounterCreateNode(number=1))
    serializable = "SET default_transaction_isolation = serializable"
    sql(db, f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {serializable}', current_database()); END $$")

    async def main(db: DataFlow) -> list[BaseException | None]:
        have_read = [asyncio.Event(), asyncio.Event()]

        async def copy_sum(mine: int) -> None:
            async with db.transaction():
                total = (await db.nodes.SQLNode(sql="SELECT count(*) AS n FROM counters"))["records"][0]["n"]
                have_read[mine].set()
                await have_read[1 - mine].wait()
                await db.nodes.CounterCreateNode(number=total + 1)

        return list(await asyncio.gather(copy_sum(0), copy_sum(1), return_exceptions=True))

    with DataFlow(db.config.database.get_connection_url()) as db:
        db.model(Counter)
        outcomes = asyncio.run(main(db))
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [SerializationFailure]


@pytest.mark.parametrize(
    ("setting", "error"), [("lock_timeout", DatabaseBusy), ("statement_timeout", StatementTimeout)]
)
def test_who_waits_longer_than_the_server_lets_it_gets_an_error(
    db: DataFlow, setting: str, error: type[Exception]
) -> None:
    define(db)

    async def main() -> None:
        async with db.transaction():
            await db.nodes.ThingUpdateNode(id=101, number=1)
            await wait()

    async def wait() -> None:
        async with other.transaction():
            await other.nodes.SQLNode(sql=f"SELECT set_config('{setting}', '50ms', true)")
            await other.nodes.SQLNode(sql="UPDATE things SET number = 2 WHERE id = 101")

    with DataFlow(db.config.database.get_connection_url()) as other, pytest.raises(error):
        asyncio.run(main())
    assert db.run_sync(db.nodes.ThingReadNode(id=101))["number"] == 0


def test_a_table_that_was_changed_before_a_transaction_fails_that_one_alone(url: str) -> None:
    async def read(db: DataFlow) -> int:
        async with db.transaction():
            await db.nodes.SQLNode(sql="SELECT 1")
            found: int = (await db.nodes.ThingReadNode(id=101))["number"]
            return found

    async def main(db: DataFlow) -> None:
        assert await read(db) == 0
        await db.nodes.SQLNode(sql="ALTER TABLE things ALTER number TYPE numeric")
        with pytest.raises(SerializationFailure, match="run it again"):
            await read(db)
        assert await read(db) == 0

    with DataFlow(url, pool_size=1) as db:
        define(db)
        asyncio.run(main(db))


def test_a_table_that_was_changed_meanwhile_is_read_again(db: DataFlow) -> None:
    define(db)
    with DataFlow(db.config.database.get_connection_url()) as other:
        for _ in range(3):
            assert db.run_sync(db.nodes.ThingReadNode(id=101))["number"] == 0
        sql(other, "ALTER TABLE things ALTER number TYPE numeric")
        assert db.run_sync(db.nodes.ThingReadNode(id=101))["number"] == 0


def test_a_value_that_looks_like_columns_is_not_told_as_such(db: DataFlow) -> None:
    define(db)
    sql(db, "CREATE UNIQUE INDEX lower_name ON owners (lower(name))")
    sql(db, "INSERT INTO owners (name) VALUES ('(canary)=(b')")
    error = refused(db, "INSERT INTO owners (name) VALUES ('(CANARY)=(b')", UniqueViolation)
    assert (error.table, error.columns) == ("owners", ())


@pytest.mark.parametrize("change", ["CREATE UNIQUE INDEX {name} ON owners (name) WHERE id > 5", INVALID])
def test_a_key_that_does_not_hold_for_every_row_is_none(url: str, change: str) -> None:
    with DataFlow(url) as db:
        define(db)
        name = sql(db, "SELECT conname AS n FROM pg_constraint WHERE conname LIKE 'uq\\_\\_owners%'")[
            "records"
        ]
        index = sql(db, "SELECT indexname AS n FROM pg_indexes WHERE indexname LIKE 'uq\\_\\_owners%'")[
            "records"
        ]
        if change is not INVALID:
            sql(
                db,
                f"ALTER TABLE owners DROP CONSTRAINT {name[0]['n']}"
                if name
                else f"DROP INDEX {index[0]['n']}",
            )
        sql(db, change.format(name=index[0]["n"]))
    with DataFlow(url) as db, pytest.raises(SchemaMismatch, match="another one than Owner declares"):
        define(db)
