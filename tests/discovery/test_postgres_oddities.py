"""PostgreSQL's corners: who may read what, which schema is meant, types over types, and tables that inherit."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import UnknownNode, UnreadableValue
from dataflow.url import DatabaseURL

from .databases import POSTGRES, Existing, empty

pytestmark = pytest.mark.postgres

SHOP = """
CREATE DOMAIN letters AS varchar(20) NOT NULL;
CREATE DOMAIN code AS letters CHECK (VALUE <> '');
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN feeling AS mood;
CREATE DOMAIN mostly AS feeling;
CREATE TABLE layers (id int PRIMARY KEY, code code, mood mostly, many code[]);
INSERT INTO layers VALUES (1, 'ab', 'sad', '{x,y}');
CREATE TABLE places (id int PRIMARY KEY, name text);
CREATE TABLE cities (people int) INHERITS (places);
INSERT INTO places VALUES (1, 'sea');
INSERT INTO cities VALUES (1, 'Rome', 3);
CREATE TABLE partly (id int PRIMARY KEY, name text, secret text, other int REFERENCES places);
INSERT INTO partly VALUES (1, 'Ann', 'psst', 1);
CREATE SCHEMA sales;
CREATE SCHEMA old;
CREATE TABLE public.customers (id int PRIMARY KEY, name text);
CREATE TABLE sales.orders (id int PRIMARY KEY, customer_id int REFERENCES public.customers);
CREATE TABLE old.orders (id int PRIMARY KEY, customer_id int REFERENCES public.customers);
INSERT INTO public.customers VALUES (1, 'Ann');
INSERT INTO sales.orders VALUES (10, 1);
INSERT INTO old.orders VALUES (20, 1), (21, 1)
"""


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest) -> Iterator[Existing]:
    with empty(POSTGRES, request) as database:
        database.ask(*SHOP.strip().split(";\n"), "SELECT 1")
        yield database


@contextmanager
def role(database: Existing, name: str, *grants: str) -> Iterator[str]:
    """The URL for a user with these rights on a database."""
    base = DatabaseURL.parse(database.url).database
    user = f"{name}_{base}"[-60:]  # several processes may share a server
    database.ask(f"CREATE ROLE {user} LOGIN PASSWORD 'x'", f"GRANT CONNECT ON DATABASE {base} TO {user}")
    database.ask(*(grant.format(user) for grant in grants))
    try:
        yield database.url.split("://", 1)[0] + f"://{user}:x@" + database.url.rpartition("@")[2]
    finally:
        database.ask(f"DROP OWNED BY {user}", f"DROP ROLE {user}")


def row_of(db: DataFlow, node: str, **selector: Any) -> Any:
    return db.run_sync(getattr(db.nodes, node)(**selector))["record"]


def test_a_domain_over_a_domain_is_what_lies_under_both(db: DataFlow) -> None:
    columns = db.discover_schema()["layers"]["columns"]
    assert (columns["code"]["python"], columns["code"]["max_length"], columns["code"]["nullable"]) == (
        "str",
        20,
        False,
    )
    assert columns["mood"]["choices"] == ["sad", "happy"]
    db.register_schema_as_models(tables=["layers"])
    assert row_of(db, "LayerReadNode", id=1) == {"id": 1, "code": "ab", "mood": "sad", "many": "{x,y}"}
    changed = db.run_sync(db.nodes.LayerUpdateNode(id=1, updates={"code": "cd", "mood": "sad"}))
    assert changed["record"]["code"] == "cd"
    db.run_sync(db.nodes.LayerUpdateNode(id=1, updates={"code": "ab"}))


def test_the_key_of_a_table_that_others_inherit_from_tells_no_row_apart(db: DataFlow) -> None:
    assert db.discover_schema()["places"]["traits"] == ["inherited"]
    done = db.register_schema_as_models(tables=["places", "cities"])
    assert set(done["generated_nodes"]["places"]) == {"list", "read"}
    names = [row["name"] for row in db.run_sync(db.nodes.PlaceListNode(filter={"id": 1}))["records"]]
    assert sorted(names) == ["Rome", "sea"]
    with pytest.raises(UnknownNode):
        db.nodes.PlaceUpdateNode(id=1, updates={"name": "all"})


def test_a_column_that_the_user_may_not_read_is_left_out(shop: Existing) -> None:
    with (
        role(
            shop,
            "clerk",
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT (id, name), UPDATE (name) ON partly TO {}",
            "GRANT SELECT (name) ON customers TO {}",
        ) as url,
        DataFlow(url, existing_schema_mode=True) as db,
    ):
        columns = db.discover_schema()["partly"]["columns"]
        assert [name for name, column in columns.items() if column["forbidden"]] == ["secret", "other"]
        done = db.register_schema_as_models(tables=["partly", "customers", "places"])
        assert set(done["errors"]) == {"places"}
        assert row_of(db, "PartlyReadNode", id=1) == {"id": 1, "name": "Ann"}
        assert db.run_sync(db.nodes.PartlyUpdateNode(id=1, updates={"name": "Bob"}))["record"] == {
            "id": 1,
            "name": "Bob",
        }
        db.run_sync(db.nodes.PartlyUpdateNode(id=1, updates={"name": "Ann"}))
        # Without its key no row can be told from another.
        assert set(done["generated_nodes"]["customers"]) == {"list", "read"}
        assert db.run_sync(db.nodes.CustomerListNode())["records"] == [{"name": "Ann"}]


def test_tables_of_one_name_in_two_schemas_are_two_relations(db: DataFlow) -> None:
    db.register_schema_as_models()
    names = {
        label: done
        for label, done in db.register_schema_as_models()["generated_nodes"].items()
        if "rder" in label
    }
    assert set(names) == {"Order", "SalesOrder"}
    include = ["Order.customer_id", "SalesOrder.customer_id"]
    [customer] = db.run_sync(db.nodes.CustomerListNode(include=include))["records"]
    found = {name: [order["id"] for order in customer[name]] for name in include}
    assert found == {"Order.customer_id": [20, 21], "SalesOrder.customer_id": [10]}
    for name in ("orders", "orders_by_customer_id"):
        with pytest.raises(Exception, match=r"write 'Order.customer_id' or 'SalesOrder.customer_id'"):
            db.run_sync(db.nodes.CustomerListNode(include=[name]))


def test_a_model_stays_with_its_table_wherever_a_session_looks_first(request: pytest.FixtureRequest) -> None:
    with empty(POSTGRES, request) as shop:
        shop.ask(
            "CREATE TABLE things (id int PRIMARY KEY, name text)",
            "INSERT INTO things VALUES (1, 'public')",
            "CREATE SCHEMA closer",
        )
        closer = f"{shop.url}{'&' if '?' in shop.url else '?'}schema=closer"
        with DataFlow(shop.url) as db:
            assert db.register_schema_as_models()["persisted"] is True
            # The user's own schema is where PostgreSQL looks first.
            shop.ask(
                "DO $$ BEGIN EXECUTE format('CREATE SCHEMA %I', current_user); END $$",
                "CREATE TABLE things (id int PRIMARY KEY, name text)",
                "INSERT INTO things VALUES (1, 'mine')",
            )
            assert row_of(db, "ThingReadNode", id=1)["name"] == "public"
            updated = db.run_sync(db.nodes.ThingUpdateNode(id=1, updates={"name": "changed"}))
            assert updated["record"]["name"] == "changed"
            db.run_sync(db.nodes.ThingBulkUpsertNode(data=[{"id": 2, "name": "two"}]))
            assert shop.ask("SELECT count(*) FROM public.things") == [(2,)]
        with DataFlow(closer, existing_schema_mode=True) as other:
            schema = other.discover_schema()
            assert {"public.things", "public.dataflow_model_registry"} <= schema.keys()


def test_the_registry_knows_a_table_by_its_schema(request: pytest.FixtureRequest) -> None:
    with empty(POSTGRES, request) as shop:
        shop.ask(
            "CREATE SCHEMA a",
            "CREATE SCHEMA b",
            "CREATE TABLE a.things (id int PRIMARY KEY)",
            "CREATE TABLE b.things (id int PRIMARY KEY, name text)",
            "INSERT INTO a.things VALUES (7)",
        )
        base = DatabaseURL.parse(shop.url).database
        shop.ask(f"ALTER DATABASE {base} SET search_path = a, public")
        with DataFlow(shop.url) as db:
            assert db.register_schema_as_models(tables=["things"])["persisted"] is True
        shop.ask(f"ALTER DATABASE {base} SET search_path = b, a, public")
        with DataFlow(shop.url) as other:
            done = other.reconstruct_models_from_registry()
            assert (done["errors"], done["reconstructed_models"]) == ({}, ["Thing"])
            assert other.run_sync(other.nodes.ThingListNode())["records"] == [{"id": 7}]


COLLATED = """
CREATE COLLATION IF NOT EXISTS folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE SCHEMA far;
CREATE TABLE people (name text, age int);
CREATE TABLE far.people (id int PRIMARY KEY, name text COLLATE folding, age int);
INSERT INTO far.people VALUES (1, 'Ann', 1)
"""


def test_a_bulk_node_asks_the_right_schema_which_texts_are_the_same(request: pytest.FixtureRequest) -> None:
    with empty(POSTGRES, request) as shop:
        shop.ask(*COLLATED.strip().split(";\n"))
        with DataFlow(shop.url, existing_schema_mode=True) as db:
            nodes = db.register_schema_as_models()["generated_nodes"]["far.people"]
            data = [{"id": 2, "name": "bob", "age": 2}, {"id": 3, "name": "BOB", "age": 3}]
            upsert = getattr(db.nodes, nodes["bulk_upsert"])
            done = db.run_sync(upsert(data=data, match_fields=["name"], update_fields=["age"]))
            assert (done["inserted"], done["updated"]) == (1, 1)
            assert shop.ask("SELECT id, age FROM far.people ORDER BY id") == [(1, 1), (2, 3)]


def test_citext_is_a_text_that_the_database_folds(request: pytest.FixtureRequest) -> None:
    with empty(POSTGRES, request) as shop:
        shop.ask(
            "CREATE EXTENSION citext",
            "CREATE TABLE users (email citext PRIMARY KEY, age int)",
            "CREATE TABLE logins (id int PRIMARY KEY, email citext REFERENCES users)",
            "INSERT INTO users VALUES ('Ann@x', 1)",
            "INSERT INTO logins VALUES (1, 'Ann@x')",
        )
        with DataFlow(shop.url, existing_schema_mode=True) as db:
            db.register_schema_as_models()
            assert db.discover_schema()["users"]["columns"]["email"]["python"] == "str"
            done = db.run_sync(
                db.nodes.UserBulkUpsertNode(data=[{"email": "ANN@X", "age": 2}], match_fields=["email"])
            )
            assert (done["inserted"], done["updated"]) == (0, 1)
            assert (
                db.run_sync(db.nodes.UserBulkUpdateNode(data=[{"email": "ann@x", "age": 3}]))["updated"] == 1
            )
            assert shop.ask("SELECT email::text, age FROM users") == [("Ann@x", 3)]
            login = db.run_sync(db.nodes.LoginListNode(include=["email_user"]))["records"][0]
            assert login["email_user"] == {"email": "Ann@x", "age": 3}


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("date", "0044-03-15 BC"),
        ("date", "10000-01-01"),
        ("timestamp", "0044-03-15 00:00:00 BC"),
        ("timestamptz", "10000-01-01 00:00:00+00"),
        ("time", "24:00:00"),
    ],
)
def test_what_python_has_no_value_for_is_told_and_the_rest_is_read(
    shop: Existing, type: str, value: str
) -> None:
    shop.ask(
        "DROP TABLE IF EXISTS beyond",
        f"CREATE TABLE beyond (id int PRIMARY KEY, name text, day date, at {type})",
        f"INSERT INTO beyond VALUES (1, 'Ann', 'infinity', '{value}')",
    )
    with DataFlow(shop.url, existing_schema_mode=True) as db:
        db.register_schema_as_models(tables=["beyond"])
        with pytest.raises(UnreadableValue, match=r"^Beyond\.at: .* leave it out") as caught:
            db.run_sync(db.nodes.BeyondListNode(order_by=["id"], limit=5))
        assert value not in str(caught.value)
        with pytest.raises(UnreadableValue, match=r"^Beyond\.day or Beyond\.at: "):
            list(db.stream("BeyondListNode"))
        with pytest.raises(UnreadableValue, match=r"^Beyond\.day or Beyond\.at: "):
            db.run_sync(db.nodes.BeyondUpdateNode(id=1, updates={"name": "changed"}))
        fields = ["id", "name", "day"]
        rest = {"id": 1, "name": "Ann", "day": date.max}
        assert db.run_sync(db.nodes.BeyondListNode(fields=fields))["records"] == [rest]
        assert db.run_sync(db.nodes.BeyondListNode(fields=["id"]))["records"] == [{"id": 1}]
        asked = db.nodes.SQLNode(sql="SELECT CAST(at AS text) AS at FROM beyond")
        assert db.run_sync(asked)["records"] == [{"at": value}]
