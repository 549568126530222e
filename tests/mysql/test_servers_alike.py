"""What only MySQL and MariaDB do: keys that they make, deadlocks, statements that are ended, texts in keys."""

import asyncio
import hashlib
from typing import Annotated, Any, ClassVar

import pytest

from dataflow import DataFlow, Field
from dataflow.errors import DatabaseBusy, Deadlock, InvalidValue, StatementTimeout, UniqueViolation
from dataflow.mysql.driver import MySQLConnection
from dataflow.mysql.options import MySQLOptions
from dataflow.url import DatabaseURL


def define(db: DataFlow) -> None:
    @db.model
    class Thing:
        code: Annotated[str, Field(unique=True)]
        number: int = 0
        __dataflow__: ClassVar = {"timestamps": False}


def test_keys_made_for_many_rows_come_back_in_their_order(db: DataFlow) -> None:
    define(db)
    data = [{"code": f"c{number}"} for number in range(2_500)]
    rows = db.run_sync(db.nodes.ThingBulkCreateNode(data=data, return_rows=True))["result"]
    assert [row["code"] for row in rows] == [row["code"] for row in data]
    assert len({row["id"] for row in rows}) == 2_500


def test_a_key_that_is_zero_is_kept(db: DataFlow) -> None:
    define(db)
    assert db.run_sync(db.nodes.ThingCreateNode(id=0, code="a"))["id"] == 0


def test_a_text_in_a_key_has_a_greatest_length(db: DataFlow) -> None:
    define(db)
    with pytest.raises(InvalidValue, match="768"):
        db.run_sync(db.nodes.ThingCreateNode(code="x" * 769))
    assert db.run_sync(db.nodes.ThingCreateNode(code="x" * 768))["code"] == "x" * 768


def test_spaces_and_case_tell_unique_texts_apart(db: DataFlow) -> None:
    define(db)
    for code in ("a", "A", "a ", " a", "ä"):
        db.run_sync(db.nodes.ThingCreateNode(code=code))
    with pytest.raises(UniqueViolation) as caught:
        db.run_sync(db.nodes.ThingCreateNode(code="a "))
    assert (caught.value.table, caught.value.columns) == ("things", ("code",))


def test_an_upsert_that_meets_a_row_by_another_key_is_refused(db: DataFlow) -> None:
    define(db)
    db.run_sync(db.nodes.ThingCreateNode(id=1, code="a"))
    with pytest.raises(UniqueViolation):
        db.run_sync(db.nodes.ThingBulkUpsertNode(data=[{"id": 2, "code": "a", "number": 5}]))
    assert db.run_sync(db.nodes.ThingReadNode(id=1))["number"] == 0


def test_an_upsert_changes_no_row_that_it_meets_by_another_key(db: DataFlow) -> None:
    @db.model
    class Seat:
        row: str
        code: Annotated[str, Field(unique=True)]
        label: Annotated[str, Field(unique=True)]
        __dataflow__: ClassVar = {"timestamps": False}

    def upsert(match: str, *rows: tuple[str, str, str]) -> tuple[int, int]:
        data = [dict(zip(("row", "code", "label"), row, strict=True)) for row in rows]
        outcome = db.run_sync(db.nodes.SeatBulkUpsertNode(data=data, match_fields=[match]))
        return outcome["inserted"], outcome["updated"]

    def stored() -> list[tuple[str, str, str]]:
        rows = db.run_sync(db.nodes.SeatListNode(order_by=["id"]))["records"]
        return [(row["row"], row["code"], row["label"]) for row in rows]

    assert upsert("code", ("1", "a", "x"), ("2", "b", "y")) == (2, 0)
    for row in (("3", "c", "x"), ("3", "a", "y")):
        with pytest.raises(UniqueViolation) as caught:
            upsert("code", ("9", "d", "z"), row)
        assert (caught.value.table, caught.value.columns) == ("seats", ("label",))
        assert stored() == [("1", "a", "x"), ("2", "b", "y")]
    assert upsert("label", ("3", "c", "x"), ("4", "d", "z")) == (1, 1)
    assert upsert("row", ("2", "e", "v"), ("5", "f", "w")) == (1, 1)
    assert stored() == [("3", "c", "x"), ("2", "e", "v"), ("4", "d", "z"), ("5", "f", "w")]


@pytest.mark.parametrize("as_it_is", [False, True])
def test_an_upsert_changes_no_row_that_it_meets_by_a_key_that_no_model_declares(
    url: str, as_it_is: bool
) -> None:
    def define(db: DataFlow) -> None:
        @db.model
        class Person:
            id: int
            sku: Annotated[str, Field(unique=True)]
            email: str
            __dataflow__: ClassVar = {"timestamps": False}

    with DataFlow(url) as db:
        define(db)
        for name in ("a", "b"):
            db.run_sync(db.nodes.PersonCreateNode(sku=name, email=f"{name}@x"))
        db.run_sync(db.nodes.SQLNode(sql="ALTER TABLE people ADD UNIQUE taken (email(100))"))
    with DataFlow(url, existing_schema_mode=as_it_is) as db:
        define(db)
        node = db.nodes.PersonBulkUpsertNode
        with pytest.raises(UniqueViolation):
            db.run_sync(node(data=[{"sku": "c", "email": "b@x"}], match_fields=["sku"]))
        outcome = db.run_sync(node(data=[{"sku": "a", "email": "d@x"}], match_fields=["sku"]))
        assert (outcome["inserted"], outcome["updated"]) == (0, 1)
        rows = db.run_sync(db.nodes.PersonListNode(order_by=["id"]))["records"]
        assert [(row["sku"], row["email"]) for row in rows] == [("a", "d@x"), ("b", "b@x")]


def test_an_upsert_finds_rows_by_a_key_that_only_the_model_has(url: str) -> None:
    columns = "id BIGINT PRIMARY KEY AUTO_INCREMENT, code VARCHAR(20) NOT NULL, number BIGINT NOT NULL"
    with DataFlow(url) as db:
        db.run_sync(db.nodes.SQLNode(sql=f"CREATE TABLE things ({columns})"))
    with DataFlow(url, existing_schema_mode=True) as db:

        @db.model
        class Thing:
            id: int
            code: Annotated[str, Field(unique=True)]
            number: int

        node = db.nodes.ThingBulkUpsertNode(data=[{"code": "a", "number": 1}], match_fields=["code"])
        assert [db.run_sync(node)["updated"] for _ in range(2)] == [0, 1]


def test_words_of_sql_are_names_of_columns_too(db: DataFlow) -> None:
    names = {"one": "a RETURNING b", "two": "VALUES(`x`)", "three": "%s `%` '"}

    @db.model
    class Odd:
        one: Annotated[str, Field(column=names["one"])]
        two: Annotated[str, Field(column=names["two"], unique=True)]
        three: Annotated[str, Field(column=names["three"])]
        __dataflow__: ClassVar = {"timestamps": False, "table": "odd RETURNING `things`"}

    row = {"one": "1", "two": "2", "three": "3"}
    (made,) = db.run_sync(db.nodes.OddBulkCreateNode(data=[row], return_rows=True))["result"]
    assert row.items() <= made.items()
    changed = {**row, "one": "4", "three": "5"}
    outcome = db.run_sync(db.nodes.OddBulkUpsertNode(data=[changed], match_fields=["two"]))
    assert (outcome["inserted"], outcome["updated"]) == (0, 1)
    assert changed.items() <= db.run_sync(db.nodes.OddReadNode(id=made["id"])).items()


def test_an_upsert_counts_rows_that_stay_as_they_are(db: DataFlow) -> None:
    define(db)
    data = [{"code": "a", "number": 1}, {"code": "b", "number": 2}]
    node = db.nodes.ThingBulkUpsertNode
    assert db.run_sync(node(data=data, match_fields=["code"]))["inserted"] == 2
    again = db.run_sync(node(data=[*data, {"code": "c"}], match_fields=["code"]))
    assert (again["inserted"], again["updated"]) == (1, 2)


def test_a_deadlock_ends_one_of_the_transactions(db: DataFlow) -> None:
    define(db)
    for code in ("a", "b"):
        db.run_sync(db.nodes.ThingCreateNode(code=code))

    async def cross(first: int, second: int, mine: asyncio.Event, theirs: asyncio.Event) -> None:
        async with db.transaction():
            await db.nodes.ThingUpdateNode(id=first, updates={"$inc": {"number": 1}})
            mine.set()
            await theirs.wait()
            await db.nodes.ThingUpdateNode(id=second, updates={"$inc": {"number": 1}})

    async def main() -> list[Any]:
        one, other = asyncio.Event(), asyncio.Event()
        tasks = cross(1, 2, one, other), cross(2, 1, other, one)
        return [*await asyncio.gather(*tasks, return_exceptions=True)]

    outcomes = asyncio.run(main())
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Deadlock]
    rows = db.run_sync(db.nodes.ThingListNode(order_by=["id"]))["records"]
    assert [row["number"] for row in rows] == [1, 1]


def test_a_statement_that_takes_too_long_is_ended_on_the_server(url: str) -> None:
    with DataFlow(f"{url}?timeout=0.2") as db:
        with pytest.raises(StatementTimeout, match=r"0\.2 s"):
            db.run_sync(db.nodes.SQLNode(sql="SELECT SLEEP(20) AS slept"))
        # Not the view of the same name, which fails on MySQL where a statement of anybody has letters beyond U+FFFF.
        sessions = db.run_sync(db.nodes.SQLNode(sql="SHOW PROCESSLIST"))["records"]
        ours = [
            row["Info"] for row in sessions if row["db"] == DatabaseURL.parse(url).database and row["Info"]
        ]
        assert ours == ["SHOW PROCESSLIST"]


def test_what_was_cancelled_holds_no_lock(db: DataFlow) -> None:
    define(db)
    db.run_sync(db.nodes.ThingCreateNode(code="a"))

    async def main() -> None:
        async with asyncio.timeout(0.3):
            await db.nodes.SQLNode(sql="UPDATE things SET number = number + SLEEP(20) + 1")

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    try:
        assert db.run_sync(db.nodes.ThingUpdateNode(id=1, number=7))["number"] == 7
    except DatabaseBusy:
        pytest.fail("the statement still runs")


def opened(url: str) -> MySQLConnection:
    return MySQLConnection(MySQLOptions.of(DatabaseURL.parse(url)), {}, lambda settings: None)


def test_long_texts_of_many_rows_are_changed_in_several_statements(db: DataFlow) -> None:
    @db.model
    class Page:
        text: str
        __dataflow__: ClassVar = {"timestamps": False}

    db.run_sync(db.nodes.PageBulkCreateNode(data=[{"text": ""}] * 17))
    # All together they are longer than the server takes.
    data = [{"id": number, "text": "x" * 1_000_000} for number in range(1, 18)]
    assert db.run_sync(db.nodes.PageBulkUpdateNode(data=data))["updated"] == 17


@pytest.mark.parametrize("driver", ["asyncmy", "aiomysql"])
def test_a_connection_whose_statement_was_left_is_not_used_again(url: str, driver: str) -> None:
    async def main() -> None:
        connection = opened(f"{url}?driver={driver}")
        await connection.open()
        assert connection.usable
        work = connection.run("SELECT SLEEP(0.1)", ())
        work.send(None)
        work.close()
        assert not connection.usable

    asyncio.run(main())


def test_whoever_waits_for_the_schema_gives_up_before_the_statement_is_ended(url: str) -> None:
    async def main() -> None:
        connection = opened(url)
        await connection.open()
        name = hashlib.sha1(url.rpartition("/")[2].encode()).hexdigest()
        await connection.fetch("SELECT GET_LOCK(%s, 0)", (f"dataflow:{name}",))
        try:
            async with DataFlow(f"{url}?timeout=1.5") as db:
                define(db)
                with pytest.raises(DatabaseBusy, match="changing the schema"):
                    await db.nodes.ThingCreateNode(code="a")
        finally:
            await connection.close()

    asyncio.run(main())
