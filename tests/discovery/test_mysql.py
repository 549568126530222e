"""What MySQL and MariaDB have beyond plain tables: described in two queries, and used as it is."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import InvalidValue
from dataflow.mysql.driver import MySQLConnection

from .databases import MYSQL, Existing, empty

pytestmark = pytest.mark.mysql

SHOP = """
CREATE TABLE people (
    id int unsigned AUTO_INCREMENT PRIMARY KEY,
    name varchar(80) NOT NULL DEFAULT 'nobody' COMMENT 'as on the letter',
    mood enum('sad','it''s ok','happy'),
    likes set('tea','cake'),
    points point,
    price decimal(8,2) unsigned,
    active tinyint(1) DEFAULT 1,
    born year,
    flags bit(4),
    big bigint unsigned,
    raw varbinary(20),
    initial varchar(1) AS (left(name, 1)) STORED,
    twice int AS (id2 * 2) VIRTUAL,
    id2 int,
    secret varchar(20) {invisible},
    CONSTRAINT cheap CHECK (price < 1000),
    UNIQUE KEY by_name (name, price),
    KEY by_beginning (name(5))
) COMMENT = 'Who buys';
CREATE TABLE orders (
    number int PRIMARY KEY,
    buyer int unsigned NOT NULL,
    CONSTRAINT bought FOREIGN KEY (buyer) REFERENCES people (id) ON DELETE CASCADE
);
CREATE VIEW rich AS SELECT id, name, price FROM people WHERE price > 100;
CREATE TABLE gone (id int);
CREATE VIEW broken AS SELECT id FROM gone;
DROP TABLE gone;
INSERT INTO people (name, mood, likes, points, price, born, flags, big, raw, id2, secret)
    VALUES ('Ann', 'it''s ok', 'tea,cake', ST_GeomFromText('POINT(1 2)'), 3.5, 1999, b'101', 18446744073709551615,
        x'00ff', 4, 'psst');
ANALYZE TABLE people
"""


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest) -> Iterator[Existing]:
    with empty(MYSQL, request) as database:
        is_mariadb = "mariadb" in database.ask("SELECT version()")[0][0].lower()
        knows = is_mariadb or database.ask("SELECT version() >= '8.0.23'") == [(1,)]
        database.ask(*SHOP.format(invisible="INVISIBLE" if knows else "").strip().split(";\n"))
        yield database


def test_columns_say_what_they_are(schema: dict[str, dict[str, Any]]) -> None:
    columns = schema["people"]["columns"]
    assert {name: column["python"] for name, column in columns.items()} == {
        "id": "int",
        "name": "str",
        "mood": "str",
        "likes": "str",
        "points": None,
        "price": "Decimal",
        "active": "bool",
        "born": "int",
        "flags": "bytes",
        "big": "int",
        "raw": "bytes",
        "initial": "str",
        "twice": "int",
        "id2": "int",
        "secret": "str",
    }
    assert "unsigned" in columns["price"]["type"]
    assert columns["mood"]["choices"] == ["sad", "it's ok", "happy"]
    assert columns["id"]["identity"] == "by default"
    assert "nobody" in columns["name"]["default"]
    assert columns["price"]["default"] is None
    assert "name" in columns["initial"]["generated"]
    assert "id2" in columns["twice"]["generated"]
    assert columns["secret"]["hidden"] is True
    assert (schema["people"]["comment"], columns["name"]["comment"]) == ("Who buys", "as on the letter")


def test_keys_indexes_constraints_and_estimates_are_told(schema: dict[str, dict[str, Any]]) -> None:
    people, orders = schema["people"], schema["orders"]
    assert (people["primary_key"], people["rows"], people["kind"], schema["rich"]["kind"]) == (
        ["id"],
        1,
        "table",
        "view",
    )
    (reference,) = orders["foreign_keys"]
    assert (reference["columns"], reference["references"]["table"], reference["on_delete"]) == (
        ["buyer"],
        "people",
        "CASCADE",
    )
    indexes = {index["name"]: index for index in people["indexes"]}
    assert (indexes["by_name"]["columns"], indexes["by_name"]["unique"]) == (["name", "price"], True)
    assert indexes["by_beginning"]["columns"] == ["(expression)"]
    kinds = {(constraint["kind"], constraint["name"]) for constraint in people["constraints"]}
    assert kinds == {("check", "cheap"), ("unique", "by_name")}


def test_rows_are_read_as_what_they_are(db: DataFlow) -> None:
    done = db.register_schema_as_models()
    assert set(done["errors"]) == {"broken"}
    row = db.run_sync(db.nodes.PersonReadNode(id=1))["record"]
    assert row == {
        "id": 1,
        "name": "Ann",
        "mood": "it's ok",
        "likes": "tea,cake",
        "points": "POINT(1 2)",
        "price": Decimal("3.5"),
        "active": True,
        "born": 1999,
        "flags": b"\x05",
        "big": 18446744073709551615,
        "raw": b"\x00\xff",
        "initial": "A",
        "twice": 8,
        "id2": 4,
        "secret": "psst",
    }
    assert db.run_sync(db.nodes.PersonListNode(filter={"points": "POINT(1 2)"}))["count"] == 1
    assert db.run_sync(db.nodes.RichListNode())["records"] == []


def test_rows_are_written_but_for_what_the_server_computes(db: DataFlow, shop: Existing) -> None:
    db.register_schema_as_models()
    made = db.run_sync(db.nodes.PersonCreateNode(name="Bob", mood="sad", price=Decimal("2.5")))
    try:
        assert (made["initial"], made["active"], made["secret"]) == ("B", True, None)
        stored = db.run_sync(db.nodes.OrderBulkCreateNode(data=[{"number": 7, "buyer": made["id"]}]))
        assert stored["inserted"] == 1
        for field in ("initial", "twice", "points"):
            with pytest.raises(InvalidValue, match="cannot be written"):
                db.run_sync(db.nodes.PersonUpdateNode(id=made["id"], updates={field: "1"}))
    finally:
        shop.ask("DELETE FROM people WHERE name = 'Bob'")
    assert shop.ask("SELECT count(*) FROM orders") == [(0,)]


def test_two_queries_do_however_many_tables_there_are(db: DataFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    fetch = MySQLConnection.fetch

    async def counted(self: MySQLConnection, sql: str, parameters: Any) -> Any:
        asked.append(sql)
        return await fetch(self, sql, parameters)

    monkeypatch.setattr(MySQLConnection, "fetch", counted)
    assert len(db.discover_schema()) == 4
    assert len(asked) == 2
