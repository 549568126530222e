"""What PostgreSQL has beyond plain tables: described in two queries, and used as it is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import InvalidValue
from dataflow.postgres.driver import PostgresConnection
from dataflow.url import DatabaseURL

from .databases import POSTGRES, Existing, empty

pytestmark = pytest.mark.postgres

SHOP = """
CREATE SCHEMA sales;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%') NOT NULL;
CREATE TABLE people (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name varchar(80) NOT NULL DEFAULT 'nobody',
    address email,
    mood mood,
    tags text[],
    points point,
    host inet,
    price numeric(8, 2),
    seen timestamp(3),
    document jsonb,
    initial text GENERATED ALWAYS AS (left(name, 1)) STORED,
    CONSTRAINT cheap CHECK (price < 1000)
);
COMMENT ON TABLE people IS 'Who buys';
COMMENT ON COLUMN people.mood IS 'on that day';
CREATE UNIQUE INDEX people_by_address ON people (address, name DESC) WHERE price > 1;
CREATE INDEX people_by_letter ON people (lower(name));
CREATE TABLE sales.orders (
    number int PRIMARY KEY,
    buyer bigint NOT NULL REFERENCES people ON DELETE CASCADE,
    total numeric(8, 2) DEFAULT 0,
    UNIQUE (buyer, total)
);
CREATE TABLE sales.people (id int PRIMARY KEY);
CREATE TABLE bookings (room int, during int4range, EXCLUDE USING gist (during WITH &&));
CREATE TABLE events (id int, day date NOT NULL, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW rich AS SELECT id, name, price FROM people WHERE price > 100;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS number FROM people;
INSERT INTO people (name, address, mood, tags, points, host, price, seen, document)
    VALUES ('Ann', 'ann@x', 'ok', '{a,b}', '(1,2)', '10.0.0.1', 3.5, '2024-05-01 12:00', '{"a": [1]}');
INSERT INTO events SELECT number, '2024-03-01', 'n' FROM generate_series(1, 40) AS number;
ANALYZE
"""


@pytest.fixture
def existing(request: pytest.FixtureRequest) -> Iterator[Existing]:
    with empty(POSTGRES, request) as database:
        yield database


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest) -> Iterator[Existing]:
    with empty(POSTGRES, request) as database:
        database.ask(*SHOP.strip().split(";\n"), "SELECT 1")
        yield database


def test_tables_and_views_of_all_schemas_are_found(schema: dict[str, dict[str, Any]]) -> None:
    assert {name: (shape["kind"], shape["traits"]) for name, shape in schema.items()} == {
        "bookings": ("table", []),
        "counted": ("view", ["materialized"]),
        "events": ("table", ["partitioned"]),
        "events_2024": ("table", ["partition"]),
        "people": ("table", []),
        "rich": ("view", []),
        "sales.orders": ("table", []),
        "sales.people": ("table", []),
    }


def test_rows_are_estimated_from_what_the_server_knows(schema: dict[str, dict[str, Any]]) -> None:
    rows = {name: shape["rows"] for name, shape in schema.items()}
    assert (rows["people"], rows["events"], rows["events_2024"], rows["rich"]) == (1, 40, 40, None)


def test_columns_say_what_they_are(schema: dict[str, dict[str, Any]]) -> None:
    columns = schema["people"]["columns"]
    told = {name: (column["type"], column["python"], column["nullable"]) for name, column in columns.items()}
    assert told == {
        "id": ("bigint", "int", False),
        "name": ("character varying(80)", "str", False),
        "address": ("email", "str", False),
        "mood": ("mood", "str", True),
        "tags": ("text[]", "list", True),
        "points": ("point", None, True),
        "host": ("inet", None, True),
        "price": ("numeric(8,2)", "Decimal", True),
        "seen": ("timestamp(3) without time zone", "datetime", True),
        "document": ("jsonb", "object", True),
        "initial": ("text", "str", True),
    }
    assert columns["id"]["identity"] == "always"
    assert columns["name"]["default"] == "'nobody'::character varying"
    assert columns["name"]["max_length"] == 80
    assert columns["mood"]["choices"] == ["sad", "ok", "happy"]
    assert columns["initial"]["generated"].startswith('"left"(')
    assert (schema["people"]["comment"], columns["mood"]["comment"]) == ("Who buys", "on that day")


def test_keys_indexes_and_constraints_are_told(schema: dict[str, dict[str, Any]]) -> None:
    assert schema["events"]["primary_key"] == ["id", "day"]
    assert schema["sales.orders"]["foreign_keys"] == [
        {
            "name": "orders_buyer_fkey",
            "columns": ["buyer"],
            "references": {"schema": None, "table": "people", "columns": ["id"]},
            "on_delete": "CASCADE",
            "on_update": "NO ACTION",
        }
    ]
    indexes = {index["name"]: index for index in schema["people"]["indexes"]}
    assert indexes["people_by_address"]["columns"] == ["address", "-name"]
    assert indexes["people_by_address"]["where"] == "(price > (1)::numeric)"
    assert indexes["people_by_letter"]["columns"] == ["(expression)"]
    kinds = {
        (constraint["kind"], *constraint["columns"])
        for name in ("people", "bookings", "sales.orders")
        for constraint in schema[name]["constraints"]
    }
    assert kinds == {("check", "price"), ("exclusion", "during"), ("unique", "buyer", "total")}


def test_rows_are_read_as_what_they_are(db: DataFlow) -> None:
    db.register_schema_as_models()
    row = db.run_sync(db.nodes.PersonReadNode(id=1))["record"]
    assert row == {
        "id": 1,
        "name": "Ann",
        "address": "ann@x",
        "mood": "ok",
        "tags": ["a", "b"],
        "points": "(1,2)",
        "host": "10.0.0.1/32",
        "price": Decimal("3.50"),
        "seen": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "document": {"a": [1]},
        "initial": "A",
    }
    found = db.run_sync(db.nodes.PersonListNode(filter={"host": "10.0.0.1/32", "mood": {"$in": ["ok"]}}))
    assert found["count"] == 1
    assert db.run_sync(db.nodes.RichListNode())["records"] == []
    assert db.run_sync(db.nodes.CountedListNode())["records"] == [{"number": 0}]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("initial", "B", "the database computes it"),
        ("id", 7, "the database numbers it"),
        ("host", "10.0.0.2", "its type inet is read as a text only"),
    ],
)
def test_what_cannot_be_written_says_why(db: DataFlow, field: str, value: object, why: str) -> None:
    db.register_schema_as_models(tables=["people"])
    values = {"name": "Bob", "address": "bob@x", field: value}
    calls = [
        db.nodes.PersonCreateNode(**values),
        db.nodes.PersonBulkCreateNode(data=[values]),
        db.nodes.PersonUpdateNode(conditions={"name": "Ann"}, updates={field: value}),
        db.nodes.PersonUpdateNode(conditions={"name": "Ann"}, updates={"$set": {field: value}}),
        db.nodes.PersonBulkUpdateNode(filter={"name": "Ann"}, update={field: value}),
        db.nodes.PersonBulkUpsertNode(data=[values], match_fields=["address"]),
    ]
    for call in calls:
        with pytest.raises(InvalidValue, match=why):
            db.run_sync(call)


def test_a_table_of_another_schema_is_written_as_any_other(db: DataFlow, shop: Existing) -> None:
    done = db.register_schema_as_models()
    assert set(done["registered_models"]) >= {"Person", "SalesPerson", "Order"}
    nodes = db.nodes
    try:
        assert db.run_sync(nodes.OrderCreateNode(number=1, buyer=1, total=Decimal("1.50")))["number"] == 1
        many = [{"number": number, "buyer": 1, "total": number} for number in range(2, 90)]
        assert db.run_sync(nodes.OrderBulkCreateNode(data=many))["inserted"] == 88
        some = [{"number": number, "total": number + 500} for number in range(2, 60)]
        assert db.run_sync(nodes.OrderBulkUpdateNode(data=some))["updated"] == 58
        both = [{"number": number, "buyer": 1, "total": number + 700} for number in range(80, 100)]
        assert db.run_sync(nodes.OrderBulkUpsertNode(data=both)) == {
            "inserted": 10,
            "updated": 10,
            "result": 20,
        }
        assert db.run_sync(nodes.OrderUpdateNode(id=1, updates={"$inc": {"total": 1}}))["total"] == Decimal(
            "2.50"
        )
        assert db.run_sync(nodes.OrderDeleteNode(id=1))["deleted"] == 1
        pipeline = [{"$match": {"total": {"$gt": 700}}}, {"$group": {"_id": None, "number": {"$sum": 1}}}]
        assert db.run_sync(nodes.OrderListNode(aggregate=pipeline))["records"][0]["number"] == 20
        assert shop.ask("SELECT count(*), min(number) FROM sales.orders") == [(98, 2)]
    finally:
        shop.ask("DELETE FROM sales.orders", "SELECT 1")


def test_a_model_of_a_partitioned_table_writes_to_its_partitions(db: DataFlow, shop: Existing) -> None:
    db.register_schema_as_models()
    db.run_sync(db.nodes.EventCreateNode(id=99, day="2024-07-01"))
    assert shop.ask("SELECT count(*) FROM events_2024 WHERE id = 99") == [(1,)]
    db.run_sync(db.nodes.EventDeleteNode(conditions={"id": 99}))


THOUSAND = """
DO $$ BEGIN FOR number IN 0..999 LOOP
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, name text UNIQUE, other int REFERENCES %I)',
        'table_' || number, 'table_' || greatest(number - 1, 0));
END LOOP; END $$
"""


def test_two_queries_do_for_a_thousand_tables(existing: Existing, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    fetch = PostgresConnection.fetch

    async def counted(self: PostgresConnection, sql: str, parameters: Any) -> Any:
        asked.append(sql)
        return await fetch(self, sql, parameters)

    existing.ask(THOUSAND)
    monkeypatch.setattr(PostgresConnection, "fetch", counted)
    monkeypatch.setattr(PostgresConnection, "execute", lambda *_: pytest.fail("a statement more"))
    with DataFlow(existing.url, existing_schema_mode=True) as db:
        began = perf_counter()
        assert len(db.discover_schema()) == 1000
        print(f"1,000 tables are discovered in {perf_counter() - began:.2f} s")
        assert len(asked) == 2


def test_a_table_that_the_user_may_not_read_says_so(shop: Existing) -> None:
    name = DatabaseURL.parse(shop.url).database
    role = f"reader_of_{name}"  # several processes may share a server
    shop.ask(
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f"GRANT CONNECT ON DATABASE {name} TO {role}",
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT ON people TO {role}",
        "SELECT 1",
    )
    try:
        url = shop.url.split("://", 1)[0] + f"://{role}:x@" + shop.url.rpartition("@")[2]
        with DataFlow(url, existing_schema_mode=True) as db:
            done = db.register_schema_as_models(tables=["people", "events", "sales.orders"])
        assert done["registered_models"] == ["Person"]
        assert all("may not read" in reason for reason in done["errors"].values())
        assert set(done["errors"]) == {"events", "sales.orders"}
    finally:
        shop.ask(f"DROP OWNED BY {role}", f"DROP ROLE {role}", "SELECT 1")
