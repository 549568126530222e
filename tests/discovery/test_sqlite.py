"""What SQLite has beyond plain tables: described without being counted, and used as it is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import InvalidValue, MissingValue

from .databases import SQLITE, Existing, empty

SHOP = """
CREATE TABLE typed (id INTEGER PRIMARY KEY, n INT CHECK (n > 0), t TEXT DEFAULT 'x') STRICT;
CREATE TABLE pairs (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE both (a TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE sums (
    id INTEGER PRIMARY KEY, w INT, v INT AS (w * 2), s INT GENERATED ALWAYS AS (w + 1) STORED,
    CONSTRAINT odd CHECK (w % 2 = 1)
);
CREATE UNIQUE INDEX part ON sums (w DESC, v) WHERE w > 3;
CREATE VIRTUAL TABLE places USING rtree(id, low, high);
CREATE VIEW counted AS SELECT count(*) AS n, max(w) AS m FROM sums;
CREATE TABLE gone (x INT);
CREATE VIEW broken AS SELECT x FROM gone;
DROP TABLE gone;
CREATE TABLE anything (id INTEGER PRIMARY KEY, stuff, bin BLOB, price DECIMAL(10, 2), seen DATETIME);
INSERT INTO sums (w) VALUES (1), (5);
INSERT INTO places VALUES (1, 2, 3);
INSERT INTO anything VALUES (1, 'a', x'00ff', 1.5, '2020-01-01'), (2, x'ff', NULL, 2, 17), (3, 7, NULL, NULL, NULL);
ANALYZE;
"""


@pytest.fixture
def shop(request: pytest.FixtureRequest) -> Iterator[Existing]:
    with empty(SQLITE, request) as database:
        with closing(sqlite3.connect(database.url.removeprefix("sqlite:///"))) as raw:
            raw.executescript(SHOP)
        yield database


def test_every_table_and_view_is_found(schema: dict[str, dict[str, Any]]) -> None:
    assert {name: (shape["kind"], shape["traits"]) for name, shape in schema.items()} == {
        "anything": ("table", []),
        "both": ("table", ["strict", "without rowid"]),
        "broken": ("view", ["broken"]),
        "counted": ("view", []),
        "pairs": ("table", ["without rowid"]),
        "places": ("table", ["virtual"]),
        "sums": ("table", []),
        "typed": ("table", ["strict"]),
    }
    assert (schema["sums"]["rows"], schema["anything"]["rows"], schema["counted"]["rows"]) == (2, 3, None)


def test_columns_keys_and_constraints_are_told(schema: dict[str, dict[str, Any]]) -> None:
    sums = schema["sums"]
    assert [column["generated"] for column in sums["columns"].values()] == [None, None, "virtual", "stored"]
    assert [constraint["name"] for constraint in sums["constraints"]] == ["odd"]
    assert sums["indexes"] == [{"name": "part", "columns": ["-w", "v"], "unique": True, "where": "w > 3"}]
    assert schema["pairs"]["primary_key"] == ["a", "b"]
    assert schema["typed"]["columns"]["t"]["default"] == "'x'"
    assert schema["typed"]["constraints"][0]["definition"] == "CHECK (n > 0)"


def test_what_cannot_be_looked_into_says_so_and_spoils_nothing(db: DataFlow) -> None:
    done = db.register_schema_as_models()
    assert done["success_count"] == 7
    assert set(done["errors"]) == {"broken"}
    assert "cannot read it" in done["errors"]["broken"]


def test_a_column_that_nothing_binds_is_read_as_what_it_holds(db: DataFlow) -> None:
    db.register_schema_as_models()
    rows = db.run_sync(db.nodes.AnythingListNode(order_by=["id"]))["records"]
    assert [tuple(row.values()) for row in rows] == [
        (1, "a", b"\x00\xff", Decimal("1.5"), "2020-01-01"),
        (2, b"\xff", None, Decimal(2), 17),
        (3, 7, None, None, None),
    ]
    for value in (7, b"\xff", "a"):
        assert db.run_sync(db.nodes.AnythingListNode(filter={"stuff": value}))["count"] == 1
    assert db.run_sync(db.nodes.AnythingListNode(filter={"seen": {"$gte": "2019"}}))["count"] == 1
    assert db.run_sync(db.nodes.CountedListNode(filter={"n": {"$gt": 1}}))["records"] == [{"n": 2, "m": 5}]
    assert db.run_sync(db.nodes.AnythingCreateNode(stuff=2.5, seen=18))["stuff"] == 2.5
    with pytest.raises(InvalidValue, match="expected str, int, float or bytes"):
        db.run_sync(db.nodes.AnythingCreateNode(stuff=[1]))


def test_a_virtual_table_is_listed(db: DataFlow) -> None:
    done = db.register_schema_as_models(tables=["places"])
    assert set(done["generated_nodes"]["places"]) == {"read", "list"}
    assert db.run_sync(db.nodes.PlaceListNode())["records"] == [{"id": 1, "low": 2.0, "high": 3.0}]


ODD = """
CREATE TABLE Users (Id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INT REFERENCES "users" ("ID"), boss_id INT REFERENCES USERS);
CREATE TABLE flags (id INTEGER PRIMARY KEY, flag BOOLEAN);
CREATE TABLE downwards (id INTEGER PRIMARY KEY DESC, n INT);
INSERT INTO Users VALUES (1, 'Ann');
INSERT INTO orders VALUES (1, 1, 1);
INSERT INTO flags VALUES (1, 0), (2, 1), (3, 'f'), (4, 'true'), (5, 2), (6, NULL);
"""


@pytest.fixture
def odd(request: pytest.FixtureRequest) -> Iterator[DataFlow]:
    with empty(SQLITE, request) as database:
        with closing(sqlite3.connect(database.url.removeprefix("sqlite:///"))) as raw:
            raw.executescript(ODD)
        with DataFlow(database.url, existing_schema_mode=True) as db:
            db.register_schema_as_models()
            yield db


def test_a_boolean_of_others_is_read_as_what_it_holds(odd: DataFlow) -> None:
    rows = odd.run_sync(odd.nodes.FlagListNode(order_by=["id"]))["records"]
    assert [row["flag"] for row in rows] == [False, True, "f", "true", 2, None]
    assert {type(row["flag"]) for row in rows[:2]} == {bool}
    assert odd.run_sync(odd.nodes.FlagListNode(filter={"flag": True}, count_only=True))["count"] == 1


def test_a_table_may_be_referred_to_in_another_spelling(odd: DataFlow) -> None:
    references = [one["references"] for one in odd.discover_schema()["orders"]["foreign_keys"]]
    assert references == [{"schema": None, "table": "Users", "columns": ["Id"]}] * 2
    [order] = odd.run_sync(odd.nodes.OrderListNode(include=["user", "boss"]))["records"]
    assert order["user"] == order["boss"] == {"Id": 1, "name": "Ann"}


def test_a_key_that_descends_is_numbered_by_nobody(odd: DataFlow) -> None:
    assert odd.discover_schema()["downwards"]["columns"]["id"]["identity"] is None
    with pytest.raises(MissingValue):
        odd.run_sync(odd.nodes.DownwardCreateNode(n=1))
    assert odd.run_sync(odd.nodes.DownwardCreateNode(id=7, n=1))["id"] == 7


def test_a_file_that_is_only_read_stays_as_it_is_to_the_byte(shop: Existing) -> None:
    file = Path(shop.url.removeprefix("sqlite:///"))
    before = file.read_bytes()
    with DataFlow(shop.url, existing_schema_mode=True) as db:
        db.discover_schema()
        db.register_schema_as_models()
        db.reconstruct_models_from_registry()
        assert db.run_sync(db.nodes.AnythingListNode(count_only=True))["count"] == 3
        assert file.read_bytes() == before
        db.run_sync(db.nodes.AnythingCreateNode(stuff=1))
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    # What tells the journal mode, and what counts the changes of the schema.
    written = file.read_bytes()
    assert (written[18:20], written[40:44]) == (before[18:20], before[40:44])
    with DataFlow(shop.url) as db:
        db.discover_schema()
    assert shop.ask("PRAGMA journal_mode") == [("wal",)]
