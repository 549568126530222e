"""Many rows as a file that the server asks for: the very rows that an INSERT stores, or the error that it raises."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

import pymysql
import pytest

from dataflow import DataFlow, Field, ForeignKey
from dataflow.abc import BatchInsert
from dataflow.errors import CheckViolation, DatabaseError, ForeignKeyViolation, NotNullViolation
from dataflow.model.declare import declare
from dataflow.mysql.bulk.load_data import FEWEST_ROWS, Stored, load_rows
from dataflow.mysql.testing import MySQL
from dataflow.testing.suite import server_of
from dataflow.url import DatabaseURL

LETTERS = [
    "",
    "\\N",
    "\\",
    "\t",
    "\n",
    "\r\n",
    "NULL",
    "N",
    "\x1a",
    "it's",
    '"',
    "é",
    "\N{GRINNING FACE}",
    " a ",
    "\\\\\t\\n",
]


def define_thing(db: DataFlow) -> None:
    @db.model
    class Thing:
        number: Annotated[int, Field(unique=True)]
        text: str | None
        short: Annotated[str, Field(max_length=20)]
        data: dict[str, Any] | None
        raw: bytes | None
        mark: UUID | None
        real: float | None
        price: Decimal | None
        flag: bool | None
        moment: datetime | None
        day: date | None
        hour: time | None
        span: timedelta | None


def things() -> list[dict[str, Any]]:
    return [
        {
            "number": number - 700,
            "text": None if number % 3 == 0 else LETTERS[number % len(LETTERS)] * (number % 4),
            "short": LETTERS[number % len(LETTERS)] + str(number),
            "data": None if number % 5 == 0 else {LETTERS[number % len(LETTERS)] or "a": [number, None, "\\\t\n"]},
            "raw": None if number % 7 == 0 else bytes((number + step) % 256 for step in range(number % 300)),
            "mark": None if number % 11 == 0 else UUID(int=number * 0x5C_0A_09_5C_4E_00_27_0D_0A_09_5C),
            "real": None if number % 13 == 0 else number / 7 * 10.0 ** (number % 600 - 300),
            "price": None if number % 3 == 1 else Decimal(number) / 8 - 70,
            "flag": (None, True, False)[number % 3],
            "moment": None if number % 17 == 0 else datetime(2024, 2, 29, 23, 59, 59, number, tzinfo=UTC),
            "day": None if number % 19 == 0 else date(1 + number, 1, 1),
            "hour": None if number % 23 == 0 else time(23, 59, 59, number),
            "span": None if number % 29 == 0 else timedelta(days=number - 700, microseconds=1),
        }
        for number in range(FEWEST_ROWS + 500)
    ]  # fmt: skip


async def commands(db: DataFlow) -> tuple[int, int]:
    """How many files this connection has asked for, and how many INSERTs it has run."""
    counts = []
    for name in ("Com_load", "Com_insert"):
        (row,) = (await db.nodes.SQLNode(sql=f"SHOW SESSION STATUS LIKE '{name}'"))["result"]
        counts.append(int(row["Value"]))
    return counts[0], counts[1]


@pytest.fixture
def storing(db: DataFlow) -> Callable[..., tuple[int, int]]:
    """Stores rows in one transaction; how many files and how many INSERTs that took."""

    (row,) = db.run_sync(db.nodes.SQLNode(sql="SELECT @@local_infile AS allowed"))["result"]
    assert row["allowed"], "start the server with local_infile=ON"

    async def store(name: str, rows: Sequence[object], **controls: object) -> tuple[int, int]:
        async with db.transaction():
            files, inserts = await commands(db)
            await getattr(db.nodes, name)(data=rows, **controls)
            new_files, new_inserts = await commands(db)
        return new_files - files, new_inserts - inserts

    def run(name: str, rows: Sequence[object], **controls: object) -> tuple[int, int]:
        return asyncio.run(store(name, rows, **controls))

    return run


def stored(db: DataFlow, name: str) -> list[dict[str, Any]]:
    node = getattr(db.nodes, name)(order_by=["number"], limit=10_000)
    return [
        {key: value for key, value in row.items() if key not in ("id", "created_at", "updated_at")}
        for row in db.run_sync(node)["records"]
    ]


Store = Callable[..., tuple[int, int]]


def test_rows_in_a_file_are_the_rows_that_were_given(db: DataFlow, storing: Store) -> None:
    define_thing(db)
    assert storing("ThingBulkCreateNode", things()) == (1, 0)
    assert stored(db, "ThingListNode") == things()


def test_an_empty_text_is_a_line_of_its_own(db: DataFlow, storing: Store) -> None:
    @db.model
    class Word:
        id: Annotated[str, Field(primary_key=True)]
        __dataflow__: ClassVar = {"timestamps": False}

    rows = [{"id": str(number) if number else ""} for number in range(FEWEST_ROWS)]
    assert storing("WordBulkCreateNode", rows) == (1, 0)
    assert db.run_sync(db.nodes.WordListNode(count_only=True))["count"] == FEWEST_ROWS
    assert db.run_sync(db.nodes.WordReadNode(id=""))["found"]


@pytest.fixture
def shop(db: DataFlow) -> DataFlow:
    @db.model
    class Brand:
        name: str

    @db.model
    class Item:
        number: Annotated[int, Field(unique=True)]
        name: Annotated[str, Field(max_length=20)]
        kind: str
        real_price: float | None = None
        brand_id: Annotated[int | None, ForeignKey("Brand")] = None
        __dataflow__: ClassVar = {"timestamps": False}

    return db


def items(**wrong: object) -> list[dict[str, Any]]:
    """Rows of which the last but one is wrong."""
    rows: list[dict[str, Any]] = [
        {"number": number, "name": f"item {number}", "kind": "a"} for number in range(FEWEST_ROWS + 10)
    ]
    rows[-2].update(wrong)
    return rows


CHANGES = {
    "a value that is there": (None, {"number": 7}),
    "a row that is not": (None, {"brand_id": 12}),
    "a check": ("ADD CHECK (number > -9)", {"number": -9}),
    "a shorter column": ("MODIFY name VARCHAR(8) NOT NULL", {"name": "a long name"}),
    "spaces at the end": ("MODIFY name VARCHAR(8) NOT NULL", {"name": "spaces        "}),
    "a smaller number": ("MODIFY number SMALLINT NOT NULL", {"number": 40_000}),
    "letters that are not": ("MODIFY kind VARCHAR(9) CHARACTER SET ascii NOT NULL", {"kind": "é"}),
    "half a number": ("MODIFY real_price DECIMAL(9, 0)", {"real_price": 0.5}),
}


@pytest.mark.parametrize(("change", "wrong"), CHANGES.values(), ids=CHANGES)
def test_what_does_not_fit_ends_as_with_an_insert(
    shop: DataFlow, storing: Store, change: str | None, wrong: dict[str, object]
) -> None:
    shop.run_sync(shop.nodes.ItemCreateNode(number=-5, name="first", kind="a"))
    if change is not None:
        shop.run_sync(shop.nodes.SQLNode(sql=f"ALTER TABLE items {change}"))

    def end(size: int) -> object:
        try:
            storing("ItemBulkCreateNode", items(**wrong), batch_size=size)
        except DatabaseError as error:
            assert len(stored(shop, "ItemListNode")) == 1
            return type(error), str(error)
        return stored(shop, "ItemListNode")

    by_file = end(100_000)
    shop.run_sync(shop.nodes.ItemBulkDeleteNode(filter={"number": {"$gt": -5}}))
    assert by_file == end(FEWEST_ROWS // 2)


def test_a_null_that_the_column_does_not_take(shop: DataFlow, storing: Store) -> None:
    shop.run_sync(shop.nodes.ItemListNode(limit=1))
    shop.run_sync(shop.nodes.SQLNode(sql="ALTER TABLE items MODIFY brand_id BIGINT NOT NULL"))
    rows = items(brand_id=None)
    with pytest.raises((NotNullViolation, ForeignKeyViolation)):
        storing("ItemBulkCreateNode", [{**row, "brand_id": None} for row in rows])


def test_of_bad_rows_the_others_are_stored(shop: DataFlow, storing: Store) -> None:
    rows = items(brand_id=12)
    rows[0]["number"] = 1
    shop.run_sync(shop.nodes.ItemCreateNode(number=500, name="first", kind="a"))
    output = shop.run_sync(shop.nodes.ItemBulkCreateNode(data=rows, on_error="continue"))
    assert output["inserted"] == len(rows) - 3
    assert [failure["index"] for failure in output["failed"]] == [1, 500, len(rows) - 2]


def test_a_trigger_is_as_strict_as_with_an_insert(shop: DataFlow, storing: Store) -> None:
    shop.run_sync(shop.nodes.ItemListNode(limit=1))
    for statement in (
        "CREATE TABLE told (name VARCHAR(8))",
        "CREATE TRIGGER tell BEFORE INSERT ON items FOR EACH ROW INSERT INTO told VALUES (NEW.name)",
    ):
        shop.run_sync(shop.nodes.SQLNode(sql=statement))
    with pytest.raises(CheckViolation, match="name: a value is longer than its column"):
        storing("ItemBulkCreateNode", items(name="a long name"))
    storing("ItemBulkCreateNode", [{**row, "name": "short"} for row in items()])
    (count,) = shop.run_sync(shop.nodes.SQLNode(sql="SELECT COUNT(*) AS told FROM told"))["result"]
    assert count["told"] == len(items())


def test_a_column_that_must_be_given_is_not_made_up(shop: DataFlow) -> None:
    async def store() -> None:
        async with shop.transaction():
            with pytest.raises(NotNullViolation, match="bonus: a value is required"):
                await shop.nodes.ItemBulkCreateNode(data=items())
            assert await commands(shop) == (0, 1)

    shop.run_sync(shop.nodes.ItemListNode(limit=1))
    shop.run_sync(shop.nodes.SQLNode(sql="ALTER TABLE items ADD bonus INT NOT NULL"))
    asyncio.run(store())
    assert stored(shop, "ItemListNode") == []


def test_columns_that_need_not_be_given_are_no_obstacle(shop: DataFlow, storing: Store) -> None:
    shop.run_sync(shop.nodes.ItemListNode(limit=1))
    for column in (
        "bonus INT NOT NULL DEFAULT 3",
        "doubled BIGINT AS (number * 2) STORED",
        "told TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
    ):
        shop.run_sync(shop.nodes.SQLNode(sql=f"ALTER TABLE items ADD {column}"))
    assert storing("ItemBulkCreateNode", items()) == (1, 0)


OTHER_TABLES = {
    "an engine that takes nothing back": "ENGINE = MyISAM",
    "keys that soon come to their end": "MODIFY id INT AUTO_INCREMENT",
    "a moment that is made where none is given": "MODIFY bottled TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
    "a year": "MODIFY year YEAR NOT NULL",
    "bits": "MODIFY year BIT(16) NOT NULL",
    "other letters": "MODIFY name VARCHAR(20) CHARACTER SET latin1 NOT NULL",
    "choices": "MODIFY name ENUM('b', 'a') NOT NULL",
}


@pytest.mark.parametrize("change", OTHER_TABLES.values(), ids=OTHER_TABLES)
def test_a_table_to_which_a_file_may_mean_something_else_gets_none(
    db: DataFlow, storing: Store, change: str
) -> None:
    @db.model
    class Wine:
        name: str
        year: int
        bottled: datetime | None = None

    db.run_sync(db.nodes.WineListNode(limit=1))
    db.run_sync(db.nodes.SQLNode(sql=f"ALTER TABLE wines {change}"))
    row = {"name": "a", "year": 2000, "bottled": datetime(2001, 1, 1, tzinfo=UTC)}
    files, inserts = storing("WineBulkCreateNode", [row] * FEWEST_ROWS)
    assert files == 0
    assert inserts > 0
    found = db.run_sync(db.nodes.WineListNode(filter={"year": 2000, "name": "a"}, count_only=True))
    assert found["count"] == FEWEST_ROWS


@pytest.mark.parametrize(
    ("rows", "controls"),
    [(FEWEST_ROWS - 1, {}), (FEWEST_ROWS, {"return_rows": True}), (FEWEST_ROWS, {"batch_size": 10})],
)
def test_few_rows_and_rows_that_come_back_are_inserted(
    shop: DataFlow, storing: Store, rows: int, controls: dict[str, object]
) -> None:
    files, inserts = storing("ItemBulkCreateNode", items()[:rows], **controls)
    assert files == 0
    assert inserts > 0


def test_a_generator_of_rows_is_sent_as_files(shop: DataFlow, storing: Store) -> None:
    async def store() -> None:
        async with shop.transaction():
            await shop.nodes.ItemBulkCreateNode(data=iter(items()))
            assert await commands(shop) == (1, 0)

    asyncio.run(store())


class Proxy:
    """Something between that says that all is well, and never asks for the file."""

    in_transaction = True

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        self.sent.append(sql)
        return 0

    async def upload(self, text: str, blocks: Iterator[bytes]) -> Stored:
        self.sent.append("LOAD")
        return Stored(0, 0)


def test_where_nobody_asks_for_the_file_it_is_not_offered_for_ever() -> None:
    class Item:
        number: int

    proxy, batch = (
        Proxy(),
        BatchInsert("", "", "", False, "items", (declare(Item, implied=True).field("number"),)),
    )
    assert not asyncio.run(load_rows(proxy, batch, [(7,)]))
    assert [text.split()[0] for text in proxy.sent] == ["SAVEPOINT", "LOAD", "ROLLBACK", "RELEASE"]


UNKNOWN_SETTING = 1193
SETTINGS = {
    "files are forbidden, but only after the first look at the server": ("local_infile", "ON", "OFF"),
    "the server would commit parts of a file": ("wsrep_load_data_splitting", "OFF", "ON"),
}


@pytest.mark.parametrize("driver", ["asyncmy", "aiomysql"])
@pytest.mark.parametrize(("setting", "usual", "other"), SETTINGS.values(), ids=SETTINGS)
def test_rows_are_inserted_where(
    setting: str, usual: str, other: str, driver: str, request: pytest.FixtureRequest
) -> None:
    async def store(db: DataFlow, change: Callable[[], None]) -> None:
        async with db.transaction():
            await commands(db)
            change()
            await db.nodes.ThingBulkCreateNode(data=things())
            _, inserts = await commands(db)
            assert inserts > 0

    server = server_of(MySQL(own=True, settings=("max-connections=50",)), request)
    with server.database() as url, DataFlow(f"{url}?driver={driver}") as db:
        define_thing(db)
        db.run_sync(db.nodes.ThingListNode(limit=1))
        place = DatabaseURL.parse(url)
        with pymysql.connect(host=place.host, port=place.port or 0, user=place.username) as administrator:

            def change() -> None:
                try:
                    administrator.query(f"SET GLOBAL {setting} = {other}")
                except pymysql.OperationalError as error:
                    if error.args[0] != UNKNOWN_SETTING:
                        raise
                    # So it commits no part of a file, and there is nothing to look at.
                    pytest.skip("only servers that can be in a cluster of Galera have this setting")

            try:
                asyncio.run(store(db, change))
            finally:
                with suppress(pymysql.OperationalError):
                    administrator.query(f"SET GLOBAL {setting} = {usual}")
        assert stored(db, "ThingListNode") == things()
