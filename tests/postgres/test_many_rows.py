"""Many rows: which way they go, odd texts on it, and how little memory they take."""

import asyncio
import subprocess
import sys
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any, ClassVar

import asyncpg
import pytest

from dataflow import DataFlow, Field
from dataflow.errors import InvalidValue, QueryError, UniqueViolation
from dataflow.postgres.bulk import copy, through_table, upsert
from dataflow.postgres.bulk import ways as choice
from dataflow.url import DatabaseURL

ODD = [
    "",
    "\\N",
    "\\.",
    "a\\tb\\n",
    "a\tb\r\nc",
    "NULL",
    '"quoted", {braced}',
    "it's; -- DROP TABLE items",
    "größe 😀 \U0010ffff \ufeff",
    "e\u0301",
    "\x01\x7f\x85\u2028",
    "$1 %s :name ?",
    "x" * 100_000,
]


def define(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        code: int | None = Field(default=None, unique=True)
        tags: list[str] | None = None
        __dataflow__: ClassVar = {"timestamps": False}


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ways that batches have gone; each is gone to its end."""
    taken: list[str] = []

    def watch(module: Any, name: str, way: str) -> None:
        original = getattr(module, name)

        async def watched(raw: Any, *arguments: Any, **named: Any) -> Any:
            taken.append(way)
            return await original(raw, *arguments, **named)

        monkeypatch.setattr(module, name, watched)

    watch(copy, "copy_rows", "copy")
    watch(through_table, "copy_rows", "copy")
    for module in (choice, upsert):
        watch(module, "insert_rows", "values")
        watch(module, "insert_through_table", "table")
    watch(upsert, "change_first", "changes")
    return taken


def rows(count: int) -> list[dict[str, object]]:
    return [{"name": f"n{number}", "code": number} for number in range(count)]


@pytest.mark.parametrize(
    ("count", "wanted_back", "way"),
    [
        (29, False, ["values"]),
        (30, False, ["copy"]),
        (199, True, ["values"]),
        (200, True, ["table", "copy"]),
        (200, False, ["copy"]),
    ],
)
def test_the_number_of_rows_and_what_is_wanted_back_choose_the_way(
    db: DataFlow, ways: list[str], count: int, wanted_back: bool, way: list[str]
) -> None:
    define(db)
    output = db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(count), return_rows=wanted_back))
    assert output["inserted"] == count
    assert ways == way
    assert db.run_sync(db.nodes.ItemListNode(count_only=True))["count"] == count


@pytest.mark.parametrize(("count", "way"), [(199, ["values"]), (200, ["changes", "copy"])])
def test_the_number_of_rows_chooses_the_way_of_an_upsert(
    db: DataFlow, ways: list[str], count: int, way: list[str]
) -> None:
    define(db)
    db.run_sync(db.nodes.ItemCreateNode(name="old", code=5))
    output = db.run_sync(db.nodes.ItemBulkUpsertNode(data=rows(count), match_fields=["code"]))
    assert (output["inserted"], output["updated"]) == (count - 1, 1)
    assert ways == way


def test_an_upsert_of_a_list_looks_through_the_table_once(db: DataFlow, ways: list[str]) -> None:
    define(db)
    for data in (rows(10_001), iter(rows(10_001))):
        db.run_sync(db.nodes.ItemBulkUpsertNode(data=data, match_fields=["code"]))
    assert ways == [*("changes", "copy"), *("changes", "copy", "values")]


GREET = "CREATE FUNCTION greet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
WATCH = "CREATE TRIGGER watch BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION greet()"


@pytest.mark.parametrize(
    ("sql", "way"),
    [
        ([], "changes"),
        (["CREATE UNIQUE INDEX ON items (code, id)"], "changes"),
        (["CREATE UNIQUE INDEX ON items (name)"], "table"),
        (["CREATE UNIQUE INDEX ON items (id) WHERE name IS NULL"], "table"),
        (["CREATE UNIQUE INDEX ON items (id, upper(name))"], "table"),
        (["ALTER TABLE items ADD EXCLUDE USING btree (name WITH =)"], "table"),
        (["ALTER TABLE items ENABLE ROW LEVEL SECURITY"], "table"),
        (["ALTER TABLE items ALTER code TYPE numeric"], "table"),
        ([GREET, WATCH], "table"),
    ],
)
def test_rows_that_are_there_change_first_where_nobody_sees_the_order(
    db: DataFlow, ways: list[str], sql: list[str], way: str
) -> None:
    define(db)
    db.run_sync(db.nodes.ItemBulkCreateNode(data=[{"name": f"old {code}", "code": code} for code in (3, 5)]))
    for statement in sql:
        db.run_sync(db.nodes.SQLNode(sql=statement))
    ways.clear()
    data: list[dict[str, Any]] = [*rows(250), {"name": "nobody", "code": None}]
    output = db.run_sync(db.nodes.ItemBulkUpsertNode(data=data, match_fields=["code"]))
    assert (output["inserted"], output["updated"]) == (249, 2)
    assert ways == [way, "copy"]
    stored = db.run_sync(db.nodes.ItemListNode(order_by=["code"]))["records"]
    assert sorted((str(row["code"]), row["name"]) for row in stored) == sorted(
        (str(row["code"]), row["name"]) for row in data
    )


def test_rows_that_others_add_or_take_away_meanwhile_are_met_as_they_are_then(
    url: str, ways: list[str]
) -> None:
    """Others have written when the upsert looks, and commit when it waits for them."""

    async def upsert_all(db: DataFlow, written: asyncio.Event) -> Any:
        await written.wait()
        return await db.nodes.ItemBulkUpsertNode(data=rows(250), match_fields=["code"])

    async def main(db: DataFlow, other: DataFlow) -> None:
        await db.nodes.ItemBulkCreateNode(data=[{"name": f"old {code}", "code": code} for code in (3, 5)])
        written = asyncio.Event()
        running = asyncio.ensure_future(upsert_all(db, written))
        async with other.transaction():
            await other.nodes.ItemCreateNode(name="theirs", code=7)
            await other.nodes.ItemBulkDeleteNode(filter={"code": 3})
            await other.nodes.ItemBulkUpdateNode(filter={"code": 5}, update={"name": "theirs"})
            written.set()
            await _somebody_waits(url)
        output = await running
        assert (output["inserted"], output["updated"]) == (248, 2)
        stored = (await db.nodes.ItemListNode(order_by=["code"]))["records"]
        assert [{"name": row["name"], "code": row["code"]} for row in stored] == rows(250)

    with DataFlow(url) as db, DataFlow(url) as other:
        define(db)
        define(other)
        asyncio.run(main(db, other))
    assert "changes" in ways


async def _somebody_waits(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        while not await connection.fetchval(sql):
            await asyncio.sleep(0)
    finally:
        await connection.close()


@pytest.mark.parametrize("table", ["changed", "stored", "given", "changed by dataflow"])
def test_a_table_may_be_called_as_a_part_of_the_statement(url: str, table: str, ways: list[str]) -> None:
    with DataFlow(url) as db:

        @db.model
        class Part:
            code: int = Field(unique=True)
            name: str
            __dataflow__: ClassVar = {"table": table, "versioned": True}

        for counts in [(250, 0), (50, 200)]:
            data = [{"code": code + counts[1] // 4, "name": "n"} for code in range(250)]
            output = db.run_sync(db.nodes.PartBulkUpsertNode(data=data, match_fields=["code"]))
            assert (output["inserted"], output["updated"]) == counts
        versions = db.run_sync(db.nodes.PartListNode(order_by=["code"]))["records"]
        assert [row["version"] for row in versions] == [1] * 50 + [2] * 200 + [1] * 50
    assert ways == ["changes", "copy"] * 2


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE items ENABLE ROW LEVEL SECURITY",
        "CREATE RULE watch AS ON INSERT TO items DO ALSO NOTIFY items",
        "ALTER TABLE items ALTER code TYPE int",
        "ALTER TABLE items ALTER tags TYPE varchar(9)[]",
    ],
)
def test_what_copy_cannot_fill_goes_through_a_table(db: DataFlow, ways: list[str], sql: str) -> None:
    define(db)
    db.run_sync(db.nodes.ItemListNode())
    db.run_sync(db.nodes.SQLNode(sql=sql))
    data = [{**row, "tags": ["a", "b"]} for row in rows(250)]
    db.run_sync(db.nodes.ItemBulkCreateNode(data=data))
    assert ways == ["table", "copy"]
    stored = db.run_sync(db.nodes.ItemListNode(order_by=["code"]))["records"]
    assert [(row["name"], row["code"], row["tags"]) for row in stored] == [
        (row["name"], row["code"], row["tags"]) for row in data
    ]


@pytest.mark.parametrize("type_", ["int", "timestamptz USING to_timestamp(code)", "float8"])
def test_a_table_that_was_changed_since_the_last_copy_is_looked_at_again(url: str, type_: str) -> None:
    with DataFlow(url, pool_size=1) as db:
        define(db)
        db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(50)))
        with DataFlow(url) as other:
            other.run_sync(other.nodes.SQLNode(sql=f"ALTER TABLE items ALTER code TYPE {type_}"))
        data = [{"name": "later", "code": 1000 + number} for number in range(50)]
        if "timestamptz" in type_:
            with pytest.raises(QueryError):
                db.run_sync(db.nodes.ItemBulkCreateNode(data=data))
            return
        db.run_sync(db.nodes.ItemBulkCreateNode(data=data))
        sql = "SELECT code::bigint AS code FROM items WHERE name = 'later' ORDER BY 1"
        stored = db.run_sync(db.nodes.SQLNode(sql=sql))["records"]
    assert [row["code"] for row in stored] == [row["code"] for row in data]


def test_what_has_become_of_a_table_is_learned_by_the_first_error(url: str) -> None:
    with DataFlow(url, pool_size=1) as db:
        define(db)
        db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(50)))
        with DataFlow(url) as other:
            for sql in (
                "CREATE TYPE word AS ENUM ('later')",
                "DELETE FROM items",
                "ALTER TABLE items ALTER name TYPE word USING name::word",
            ):
                other.run_sync(other.nodes.SQLNode(sql=sql))
        data = [{"name": "later", "code": number} for number in range(50)]
        with pytest.raises(QueryError):
            db.run_sync(db.nodes.ItemBulkCreateNode(data=data))
        assert db.run_sync(db.nodes.ItemBulkCreateNode(data=data))["inserted"] == 50


def test_a_table_that_is_changed_within_a_transaction_is_looked_at_again(db: DataFlow) -> None:
    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemBulkCreateNode(data=rows(50))
            await db.nodes.SQLNode(sql="ALTER TABLE items ALTER code TYPE float8")
            await db.nodes.ItemBulkCreateNode(data=[{"name": "b", "code": 100 + n} for n in range(50)])
        found = await db.nodes.SQLNode(sql="SELECT sum(code)::bigint AS n FROM items")
        assert found["records"] == [{"n": sum(range(50)) + sum(range(100, 150))}]

    define(db)
    asyncio.run(main())


def test_nobody_changes_a_table_between_the_look_at_it_and_the_copy(
    db: DataFlow, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = copy.copy_rows
    refused: list[type[BaseException]] = []

    async def change_first(raw: Any, *arguments: Any, **named: Any) -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("SET lock_timeout = '100ms'")
            # As long as an integer, and something else.
            await connection.execute("ALTER TABLE items ALTER code TYPE float8")
        except asyncpg.PostgresError as error:
            refused.append(type(error))
        finally:
            await connection.close()
        await copied(raw, *arguments, **named)

    define(db)
    db.run_sync(db.nodes.ItemListNode())
    monkeypatch.setattr(copy, "copy_rows", change_first)
    db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(50)))
    assert refused == [asyncpg.LockNotAvailableError]
    assert sorted(row["code"] for row in db.run_sync(db.nodes.ItemListNode())["records"]) == list(range(50))


def test_a_table_that_was_changed_since_the_transaction_began_takes_no_copy(
    url: str, ways: list[str]
) -> None:
    async def main(db: DataFlow) -> None:
        async with db.transaction():
            await db.nodes.SQLNode(sql="SELECT 1 AS one")
            connection = await asyncpg.connect(url)
            await connection.execute("ALTER TABLE notes ALTER code TYPE float8")
            await connection.close()
            await db.nodes.NoteBulkCreateNode(data=[{"code": number} for number in range(50)])
        assert ways == ["values"]
        stored = await db.nodes.SQLNode(sql="SELECT code::bigint AS code FROM notes ORDER BY 1")
        assert [row["code"] for row in stored["records"]] == list(range(50))

    with DataFlow(url) as administrator:
        name = DatabaseURL.parse(url).database
        sql = f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"
        administrator.run_sync(administrator.nodes.SQLNode(sql=sql))
    with DataFlow(url) as db:

        @db.model
        class Note:
            code: int
            __dataflow__: ClassVar = {"timestamps": False}

        db.run_sync(db.nodes.NoteListNode())
        asyncio.run(main(db))


ENUMS = """
CREATE SCHEMA other;
CREATE TYPE other."Mood" AS ENUM ('good', 'bad', 'so so');
CREATE DOMAIN humour AS other."Mood";
CREATE TABLE people (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    mood other."Mood", humour humour, moods other."Mood"[]
)
"""


@pytest.mark.parametrize("count", [3, 40, 300])
def test_types_made_by_create_type_take_many_rows(url: str, count: int) -> None:
    with DataFlow(url) as db:
        for sql in ENUMS.split(";"):
            db.run_sync(db.nodes.SQLNode(sql=sql))
    with DataFlow(url, auto_migrate=False) as db:

        @db.model
        class Person:
            mood: str | None
            humour: str | None = None
            moods: list[str] | None = None
            __dataflow__: ClassVar = {"timestamps": False, "table": "people"}

        names = ["good", "bad", "so so"]
        data = [
            {"mood": names[n % 3], "humour": names[n % 3], "moods": [names[n % 3], "bad"]}
            for n in range(count)
        ]
        created = db.run_sync(db.nodes.PersonBulkCreateNode(data=data, return_rows=True))["result"]
        assert [{name: row[name] for name in data[0]} for row in created] == data
        others = [{"id": row["id"], "humour": "bad", "moods": ["so so"]} for row in created]
        assert db.run_sync(db.nodes.PersonBulkUpdateNode(data=others))["updated"] == count
        rest = [{"id": row["id"], "humour": "good"} for row in created]
        db.run_sync(db.nodes.PersonBulkUpsertNode(data=[{**row, "mood": None} for row in rest]))
        stored = db.run_sync(db.nodes.PersonListNode())["records"]
        assert all((row["humour"], row["mood"], row["moods"]) == ("good", None, ["so so"]) for row in stored)
        db.run_sync(db.nodes.PersonBulkDeleteNode(filter={"id": {"$gt": 0}}))
        assert db.run_sync(db.nodes.PersonBulkCreateNode(data=data))["inserted"] == count


PARTITIONED = """
CREATE TABLE parts (
    id bigint GENERATED BY DEFAULT AS IDENTITY, name text NOT NULL, code bigint PRIMARY KEY
) PARTITION BY RANGE (code);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (10);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (MAXVALUE)
"""
VIEW = """
CREATE TABLE under (name text NOT NULL, code bigint PRIMARY KEY);
CREATE VIEW parts AS SELECT name, code FROM under
"""


@pytest.mark.parametrize("count", [1, 20, 250])
@pytest.mark.parametrize("tables", [PARTITIONED, VIEW])
def test_partitioned_tables_and_views_take_upserts(url: str, tables: str, count: int) -> None:
    with DataFlow(url) as db:
        for sql in tables.split(";"):
            db.run_sync(db.nodes.SQLNode(sql=sql))
    with DataFlow(url, existing_schema_mode=True) as db:

        @db.model
        class Part:
            code: int = Field(primary_key=True)
            name: str
            __dataflow__: ClassVar = {"timestamps": False}

        db.run_sync(db.nodes.PartCreateNode(name="old", code=0))
        output = db.run_sync(db.nodes.PartBulkUpsertNode(data=rows(count), match_fields=["code"]))
        assert (output["inserted"], output["updated"]) == (count - 1, 1)
        stored = db.run_sync(db.nodes.PartListNode(order_by=["code"]))["records"]
        assert [{"name": row["name"], "code": row["code"]} for row in stored] == rows(count)


SHADOWS = """
CREATE SCHEMA shadows;
CREATE FUNCTION shadows.quote_ident(text) RETURNS text LANGUAGE sql AS $$ SELECT 'nowhere' $$;
CREATE FUNCTION shadows.to_regclass(text) RETURNS regclass LANGUAGE sql AS $$ SELECT NULL::regclass $$;
CREATE FUNCTION shadows.format_type(oid, int) RETURNS text LANGUAGE sql AS $$ SELECT 'nothing' $$;
CREATE FUNCTION shadows.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE sql AS $$ SELECT $1[1] $$;
CREATE FUNCTION shadows.has_database_privilege(name, text) RETURNS bool LANGUAGE sql AS $$ SELECT false $$
"""


def test_functions_of_others_with_the_names_of_the_servers_are_not_called(url: str, ways: list[str]) -> None:
    with DataFlow(url) as db:
        for sql in SHADOWS.split(";"):
            db.run_sync(db.nodes.SQLNode(sql=sql))
        name = url.rpartition("/")[2]
        path = "public, shadows, pg_catalog"
        db.run_sync(db.nodes.SQLNode(sql=f'ALTER DATABASE "{name}" SET search_path = {path}'))
    for _ in range(2):
        with DataFlow(url) as db:
            define(db)
            created = db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(250), return_rows=True))["result"]
            others = [{"id": row["id"], "name": f"other {row['code']}"} for row in created]
            db.run_sync(db.nodes.ItemBulkUpdateNode(data=others))
            stored = db.run_sync(db.nodes.ItemListNode(order_by=["code"]))["records"]
            assert [row["name"] for row in stored] == [row["name"] for row in others]
            db.run_sync(db.nodes.ItemBulkDeleteNode(filter={"id": {"$gt": 0}}))
            db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(50)))
            db.run_sync(db.nodes.ItemBulkDeleteNode(filter={"id": {"$gt": 0}}))
    assert ways == ["table", "copy", "copy"] * 2


def test_who_may_make_no_temporary_tables_sends_values(url: str, ways: list[str]) -> None:
    with DataFlow(url) as db:
        define(db)
        db.run_sync(db.nodes.ItemListNode())
        name = url.rpartition("/")[2]
        for sql in (
            f'REVOKE ALL ON DATABASE "{name}" FROM public',
            "GRANT ALL ON items TO pg_monitor",
            f'ALTER DATABASE "{name}" SET role = pg_monitor',
        ):
            db.run_sync(db.nodes.SQLNode(sql=sql))
    with DataFlow(url) as db:
        define(db)
        db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(250), return_rows=True))
    assert ways == ["values"]


def test_a_table_with_the_name_of_the_temporary_one_gets_no_rows(url: str) -> None:
    with DataFlow(url) as db:
        define(db)
        db.run_sync(db.nodes.ItemListNode())
        db.run_sync(db.nodes.SQLNode(sql='CREATE TABLE "rows of dataflow" (LIKE items)'))
        name = url.rpartition("/")[2]
        db.run_sync(db.nodes.SQLNode(sql=f'ALTER DATABASE "{name}" SET search_path = public, pg_temp'))
    with DataFlow(url) as db:
        define(db)
        output = db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(250), return_rows=True))
        assert [row["code"] for row in output["result"]] == list(range(250))
        sql = 'SELECT count(*) AS n FROM "rows of dataflow"'
        assert db.run_sync(db.nodes.SQLNode(sql=sql))["records"] == [{"n": 0}]


@pytest.mark.parametrize("count", [1, 40, 300])
@pytest.mark.parametrize("wanted_back", [False, True])
def test_odd_texts_go_every_way(db: DataFlow, count: int, wanted_back: bool) -> None:
    define(db)
    texts = [ODD[number % len(ODD)] for number in range(count)]
    data = [{"name": text, "tags": [text, text[:9]]} for text in texts]
    db.run_sync(db.nodes.ItemBulkCreateNode(data=data, return_rows=wanted_back))
    stored = db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]
    assert [(row["name"], row["tags"]) for row in stored] == [(row["name"], row["tags"]) for row in data]


@pytest.mark.parametrize("count", [1, 40, 300])
@pytest.mark.parametrize("wanted_back", [False, True])
def test_every_digit_of_a_decimal_goes_every_way(db: DataFlow, count: int, wanted_back: bool) -> None:
    @db.model
    class Price:
        amount: Decimal

    digits = "1234567890" * 20
    texts = [f"{'-' * (size % 2)}{digits[: size // 2]}.{digits[:size]}" for size in range(29, 201)]
    data = [{"amount": Decimal(texts[-1 - number % len(texts)])} for number in range(count)]
    with localcontext(prec=5):
        db.run_sync(db.nodes.PriceBulkCreateNode(data=data, return_rows=wanted_back))
    stored = db.run_sync(db.nodes.PriceListNode(order_by=["id"]))["records"]
    assert [row["amount"] for row in stored] == [row["amount"] for row in data]


@pytest.mark.parametrize("count", [1, 30])
def test_the_longest_decimals_go_every_way(db: DataFlow, count: int) -> None:
    @db.model
    class Price:
        amount: Decimal

    longest = Decimal(f"{'9' * 131_072}.{'9' * 16_383}")
    db.run_sync(db.nodes.PriceBulkCreateNode(data=[{"amount": longest}] * count))
    stored = db.run_sync(db.nodes.PriceListNode())["records"]
    assert all(row["amount"] == longest for row in stored)


@pytest.mark.parametrize("count", [1, 40, 300])
def test_a_nul_is_refused_before_anything_is_sent(db: DataFlow, ways: list[str], count: int) -> None:
    define(db)
    data: list[dict[str, object]] = rows(count)
    data[-1]["name"] = "a\0b"
    with pytest.raises(InvalidValue, match="NUL"):
        db.run_sync(db.nodes.ItemBulkCreateNode(data=data))
    assert ways == []


@pytest.mark.parametrize("count", [20, 40, 300])
@pytest.mark.parametrize("wanted_back", [False, True])
def test_a_row_that_is_refused_names_its_columns_whichever_way_it_went(
    db: DataFlow, count: int, wanted_back: bool
) -> None:
    define(db)
    data = rows(count)
    data[-1]["code"] = 0
    with pytest.raises(UniqueViolation) as caught:
        db.run_sync(db.nodes.ItemBulkCreateNode(data=data, return_rows=wanted_back))
    assert (caught.value.table, caught.value.columns) == ("items", ("code",))
    assert db.run_sync(db.nodes.ItemListNode(count_only=True))["count"] == 0


GROWTH = """
import resource, sys
from dataflow import DataFlow

with DataFlow(sys.argv[1]) as db:

    @db.model
    class Event:
        name: str
        value: float
        tags: list[int]

    for count in (30_000, int(sys.argv[2])):
        rows = ({"name": f"event {number}", "value": number / 2, "tags": [number, 1]} for number in range(count))
        assert db.run_sync(db.nodes.EventBulkCreateNode(data=rows))["inserted"] == count
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no resource module")
def test_the_rows_of_a_generator_add_next_to_no_memory(url: str) -> None:
    count = 300_000
    command = [sys.executable, "-c", GROWTH, url, str(count)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    unit = 1 if sys.platform == "darwin" else 1024
    [(few, many)] = pairwise(int(line) * unit for line in shown.splitlines())
    # A million of them may add 100 MB. As a list these rows would take 400 bytes each.
    assert (many - few) / count < 100
