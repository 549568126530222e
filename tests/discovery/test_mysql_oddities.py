"""MySQL's corners: keys over beginnings, names that differ in case alone, dates that are none, flags that count."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

import pytest

from dataflow import DataFlow
from dataflow.cli import main
from dataflow.errors import AccessDenied, ConfigurationError, UniqueViolation, UnknownName
from dataflow.url import DatabaseURL

from .databases import MYSQL, Existing, empty

pytestmark = pytest.mark.mysql

SHOP = """
CREATE TABLE words (word varchar(40), n int, PRIMARY KEY (word(3)));
CREATE TABLE blobs (raw blob, n int, PRIMARY KEY (raw(4)));
CREATE TABLE moments (id int PRIMARY KEY, day date, at datetime(6), span time(6), stamp timestamp NULL);
CREATE TABLE flags (id int PRIMARY KEY, flag tinyint(1), bits bit(1))
"""
# As servers without strict mode let them in.
ROWS = """
SET sql_mode = '', time_zone = '+00:00';
INSERT INTO words VALUES ('abcde', 1);
INSERT INTO blobs VALUES (x'00010203', 1);
INSERT INTO moments VALUES
    (1, '0000-00-00', '0000-00-00 00:00:00', '838:59:59', '0000-00-00 00:00:00'),
    (2, '2024-02-00', '2024-00-01 00:00:00', '-01:30:00', '2024-01-02 03:04:05'),
    (3, '2024-02-03', '2024-02-03 04:05:06.5', '23:59:59.25', NULL);
INSERT INTO flags VALUES (1, 0, b'0'), (2, 1, b'1'), (3, 127, NULL), (4, -1, NULL), (5, NULL, NULL)
"""


@pytest.fixture(scope="module")
def shop(request: pytest.FixtureRequest) -> Iterator[Existing]:
    with empty(MYSQL, request) as database:
        database.ask(*SHOP.strip().split(";\n"))
        database.ask(*ROWS.strip().split(";\n"))
        yield database


def test_a_key_over_beginnings_is_a_key(db: DataFlow, shop: Existing) -> None:
    done = db.register_schema_as_models()
    assert done["errors"] == {}
    assert db.discover_schema()["words"]["primary_key"] == ["word"]
    assert db.run_sync(db.nodes.WordReadNode(word="abcde"))["n"] == 1
    assert db.run_sync(db.nodes.WordUpdateNode(word="abcde", updates={"n": 2}))["n"] == 2
    assert db.run_sync(db.nodes.BlobReadNode(raw=b"\0\1\2\3"))["n"] == 1
    # Another word that begins alike is another row, which the key keeps out, and no new value for the first one.
    with pytest.raises(UniqueViolation):
        db.run_sync(db.nodes.WordBulkUpsertNode(data=[{"word": "abcxy", "n": 9}], match_fields=["word"]))
    assert db.run_sync(
        db.nodes.WordBulkUpsertNode(data=[{"word": "abcde", "n": 1}, {"word": "xyz", "n": 3}])
    ) == {"inserted": 1, "updated": 1, "result": 2}
    assert shop.ask("SELECT word, n FROM words ORDER BY word") == [("abcde", 1), ("xyz", 3)]
    db.run_sync(db.nodes.WordDeleteNode(word="xyz"))


def test_what_is_no_date_and_no_time_of_a_day_spoils_no_list(db: DataFlow) -> None:
    db.register_schema_as_models()
    rows = db.run_sync(db.nodes.MomentListNode(order_by=["id"]))["records"]
    assert [tuple(row.values())[1:] for row in rows] == [
        (
            "0000-00-00",
            "0000-00-00 00:00:00.000000",
            timedelta(hours=838, minutes=59, seconds=59),
            "0000-00-00 00:00:00",
        ),
        (
            "2024-02-00",
            "2024-00-01 00:00:00.000000",
            -timedelta(hours=1, minutes=30),
            datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        ),
        (
            date(2024, 2, 3),
            datetime(2024, 2, 3, 4, 5, 6, 500_000, tzinfo=UTC),
            time(23, 59, 59, 250_000),
            None,
        ),
    ]
    assert sum(1 for _ in db.stream("MomentListNode")) == 3


def test_a_flag_that_counts_is_read_as_its_number(db: DataFlow) -> None:
    db.register_schema_as_models()
    rows = db.run_sync(db.nodes.FlagListNode(order_by=["id"]))["records"]
    assert [row["flag"] for row in rows] == [False, True, 127, -1, None]
    assert [row["bits"] for row in rows] == [False, True, None, None, None]
    assert {type(row["flag"]) for row in rows[:2]} == {bool}


def test_tables_whose_names_differ_in_case_or_accents_are_apart(request: pytest.FixtureRequest) -> None:
    with empty(MYSQL, request) as shop:
        [(folds,)] = shop.ask("SELECT @@lower_case_table_names")
        names = ("users", "üsers") if folds else ("users", "Users", "üsers")
        for number, name in enumerate(names, start=1):
            columns = ", ".join(f"c{number}_{index} int" for index in range(number))
            shop.ask(
                f"CREATE TABLE `{name}` (id{number} int PRIMARY KEY, {columns}, up int, KEY `by{number}` (up), "
                f"CONSTRAINT to{number} FOREIGN KEY (up) REFERENCES `{name}` (id{number}))"
            )
        with DataFlow(shop.url, existing_schema_mode=True) as db:
            schema = db.discover_schema()
            for number, name in enumerate(names, start=1):
                own = [f"c{number}_{index}" for index in range(number)]
                assert list(schema[name]["columns"]) == [f"id{number}", *own, "up"]
                assert schema[name]["primary_key"] == [f"id{number}"]
                assert f"by{number}" in [index["name"] for index in schema[name]["indexes"]]
                [reference] = schema[name]["foreign_keys"]
                assert reference["references"] == {"schema": None, "table": name, "columns": [f"id{number}"]}
            assert db.register_schema_as_models()["success_count"] == len(names)


def test_a_column_may_be_referred_to_in_another_spelling(request: pytest.FixtureRequest) -> None:
    with empty(MYSQL, request) as shop:
        shop.ask(
            "CREATE TABLE users (Id int PRIMARY KEY)",
            "CREATE TABLE orders (id int PRIMARY KEY, User_Id int, FOREIGN KEY (USER_ID) REFERENCES users (ID))",
            "INSERT INTO users VALUES (7)",
            "INSERT INTO orders VALUES (1, 7)",
        )
        with DataFlow(shop.url, existing_schema_mode=True) as db:
            db.register_schema_as_models()
            [order] = db.run_sync(db.nodes.OrderListNode(include=["User_Id.User"]))["records"]
            assert order["User_Id.User"] == {"Id": 7}


@contextmanager
def user(database: Existing, *grants: str) -> Iterator[str]:
    """The URL for a user with these rights on tables of a database."""
    parts = DatabaseURL.parse(database.url)
    name = f"clerk_{parts.database}"[-32:]  # several processes may share a server
    rights = (grant.replace(" ON ", f" ON `{parts.database}`.") for grant in grants)
    database.ask(f"CREATE USER {name}@'%'", *(f"GRANT {right} TO {name}@'%'" for right in rights))
    try:
        yield database.url.partition("://")[0] + f"://{name}@" + database.url.rpartition("@")[2]
    finally:
        database.ask(f"DROP USER {name}@'%'")


def test_columns_that_the_user_may_not_read_are_left_out(request: pytest.FixtureRequest) -> None:
    with empty(MYSQL, request) as shop:
        shop.ask(
            "CREATE TABLE partly (id int PRIMARY KEY, name varchar(20), note text, secret text)",
            "CREATE TABLE pairs (a int, b int, n int, PRIMARY KEY (a, b))",
            "CREATE TABLE box (id int PRIMARY KEY)",
            "INSERT INTO partly VALUES (1, 'Ann', 'n', 'psst')",
            "INSERT INTO pairs VALUES (1, 2, 3)",
        )
        of_partly = "SELECT (id, name), INSERT (id, name, note), UPDATE (name) ON partly"
        of_pairs = "SELECT (b, n), UPDATE (n) ON pairs"
        with (
            user(shop, of_partly, of_pairs, "INSERT ON box") as url,
            DataFlow(url, existing_schema_mode=True) as db,
        ):
            columns = db.discover_schema()["partly"]["columns"]
            # Who may write it sees it too.
            assert {name: column["forbidden"] for name, column in columns.items()} == {
                "id": False,
                "name": False,
                "note": True,
            }
            done = db.register_schema_as_models()
            assert done["errors"] == {"box": "box: it has no columns that this user may read"}
            changed = db.run_sync(db.nodes.PartlyUpdateNode(id=1, updates={"name": "Bob"}))
            assert changed["record"] == {"id": 1, "name": "Bob"}
            db.run_sync(db.nodes.PartlyBulkCreateNode(data=[{"id": 2, "name": "Di"}]))
            db.run_sync(db.nodes.PartlyBulkUpdateNode(data=[{"id": 1, "name": "Cy"}]))
            rows = [{"id": 1, "name": "Cy"}, {"id": 2, "name": "Di"}]
            assert db.run_sync(db.nodes.PartlyListNode(order_by=["id"]))["records"] == rows
            with pytest.raises(AccessDenied):
                db.run_sync(db.nodes.PartlyDeleteNode(id=1))
            with pytest.raises(UnknownName):
                db.run_sync(db.nodes.PartlyListNode(filter={"secret": "psst"}))
            # Without all of its key no row can be told from another.
            assert set(done["generated_nodes"]["pairs"]) == {"list", "read"}
            assert db.run_sync(db.nodes.PairListNode())["records"] == [{"b": 2, "n": 3}]


def test_a_url_without_a_database_is_told(shop: Existing, capsys: pytest.CaptureFixture[str]) -> None:
    url = shop.url.rpartition("/")[0]
    with (
        DataFlow(url, existing_schema_mode=True) as db,
        pytest.raises(ConfigurationError, match="names no database"),
    ):
        db.discover_schema()
    assert main(["inspect", url]) == 1
    assert "names no database" in capsys.readouterr().err
