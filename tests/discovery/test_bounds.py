"""What the columns of others hold: a value that would be rounded, cut or padded is refused before any SQL."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import InvalidValue, OutOfRange
from dataflow.execution.executor import Executor
from dataflow.statements import Statement

from .databases import MYSQL, POSTGRES, SQLITE, Existing, empty

GOODS = (
    "CREATE TABLE goods (id int PRIMARY KEY, price numeric(10,2), name varchar(5), code char(3), size smallint, "
    "number int{more})"
)
MORE = {
    SQLITE: "",
    POSTGRES: ", sizes smallint[], words varchar(2)[]",
    MYSQL: ", tiny tinyint(4), few int unsigned, middling mediumint, made year, raw binary(4), bits varbinary(2)",
}
OTHER_SCALES = "ALTER TABLE goods ADD round numeric(5,-2), ADD shares numeric(2,4)"
"""Numbers that are rounded before the point, and such as have more places behind it than digits."""
ALIKE: tuple[tuple[str, Any], ...] = (
    ("price", Decimal("1.234")),
    ("price", Decimal("123456789")),
    ("price", 123456789),
    ("name", "abcdef"),
    ("name", "abcde "),
    ("code", "abcd"),
    ("size", 2**15),
    ("number", -(2**31) - 1),
)
TOO_MUCH: dict[str, tuple[tuple[str, Any], ...]] = {
    # SQLite holds what it is given, save for the digits that a float has no room for.
    "sqlite": (("price", Decimal("12345678901234567.89")), ("price", Decimal("0.1234567890123456"))),
    "postgres": (
        *ALIKE,
        ("sizes", [1, -(2**15) - 1]),
        ("words", ["ok", "not"]),
    ),
    "mysql": (
        *ALIKE,
        ("tiny", 128),
        ("few", -1),
        ("middling", 2**23),
        ("made", 5),
        ("raw", b"12345"),
        ("bits", b"123"),
    ),
}
FITTING: dict[str, dict[str, Any]] = {
    "sqlite": {"price": Decimal("1234567890123.45"), "name": "a long one", "size": 2**40},
    "postgres": {"sizes": [2**15 - 1], "words": ["ab"]},
    "mysql": {"tiny": -128, "few": 2**32 - 1, "middling": -(2**23), "made": 2155, "raw": b"1234"},
}
OTHERS_TOO_MUCH = ("round", Decimal(150)), ("shares", Decimal("0.01"))
OTHERS_FITTING = {"round": Decimal(12_345_00), "shares": Decimal("-0.0099")}


class Seen(list[str]):
    """An observer that notes every statement."""

    def executed(self, statement: Statement, sql: str, seconds: float, error: BaseException | None) -> None:
        self.append(sql)


@pytest.fixture
def db(existing: Existing) -> Iterator[DataFlow]:
    existing.ask(GOODS.format(more=MORE[existing.kind]), "SELECT 1")
    if has_other_scales(existing):
        existing.ask(OTHER_SCALES)
    with DataFlow(existing.url, existing_schema_mode=True) as db:
        yield db


def has_other_scales(existing: Existing) -> bool:
    """Whether the server knows them, as PostgreSQL does from 15 on."""
    return existing.kind is POSTGRES and int(existing.ask("SHOW server_version_num")[0][0]) >= 150_000


def stored(db: DataFlow) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = db.run_sync(db.nodes.GoodListNode(order_by=["id"]))["records"]
    return rows


def test_what_does_not_fit_is_refused_before_any_sql(db: DataFlow, existing: Existing) -> None:
    seen = Seen()
    database = db.databases()["primary"]
    database.executor = Executor(database.dialect, observers=[seen])
    assert db.register_schema_as_models()["registered_models"] == ["Good"]
    nodes = db.nodes
    seen.clear()
    others = OTHERS_TOO_MUCH if has_other_scales(existing) else ()
    for name, value in (*TOO_MUCH[existing.kind.name], *others):
        row = {"id": 1, name: value}
        writes = [
            nodes.GoodCreateNode(**row),
            nodes.GoodUpdateNode(id=1, updates={name: value}),
            nodes.GoodBulkCreateNode(data=[{"id": 1}, row]),
            nodes.GoodBulkCreateNode(data=[{**row, "id": number} for number in range(30)]),
            nodes.GoodBulkUpdateNode(data=[row]),
            nodes.GoodBulkUpdateNode(filter={"id": 1}, update={name: value}),
            nodes.GoodBulkUpsertNode(data=[row]),
        ]
        if not isinstance(value, list):
            writes.append(nodes.GoodUpdateNode(id=1, updates={"$max": {name: value}}))
        for write in writes:
            with pytest.raises(InvalidValue, match=rf"Good\.{name}"):
                db.run_sync(write)
    assert seen == []


def test_what_fits_is_stored_as_it_is(db: DataFlow, existing: Existing) -> None:
    db.register_schema_as_models()
    least = {"price": Decimal("-99999999.99"), "name": "größe", "code": "abc", "size": -(2**15)}
    others = OTHERS_FITTING if has_other_scales(existing) else {}
    row = {"id": 1, "number": 2**31 - 1, **least, **FITTING[existing.kind.name], **others}
    db.run_sync(db.nodes.GoodCreateNode(**row))
    # Zeros beyond the places that a column has change nothing.
    db.run_sync(db.nodes.GoodBulkCreateNode(data=[{**row, "id": 2, "price": Decimal("1.5000")}, {"id": 3}]))
    first, second, _ = stored(db)
    assert {name: first[name] for name in row} == row
    assert second["price"] == Decimal("1.5")


def test_no_row_has_what_does_not_fit(db: DataFlow, existing: Existing) -> None:
    db.register_schema_as_models()
    row = {"id": 1, "price": Decimal("1.23"), "name": "ab", "size": 1}
    db.run_sync(db.nodes.GoodCreateNode(**row))

    def count(**parameters: Any) -> int:
        return len(db.run_sync(db.nodes.GoodListNode(**parameters))["records"])

    assert count(price=Decimal("1.234")) == 0
    assert count(filter={"price": {"$in": [Decimal("1.234"), Decimal("1.23")]}}) == 1
    assert count(filter={"price": {"$gt": Decimal("1.229")}}) == 1
    assert count(filter={"price": {"$gt": Decimal("1.234")}}) == 0
    assert count(filter={"size": {"$lt": 2**40}, "name": {"$lt": "abcdefgh"}}) == 1
    assert count(size=2**40) == 0
    assert db.run_sync(db.nodes.GoodReadNode(id=2**40))["found"] is False
    assert db.run_sync(db.nodes.GoodReadNode(conditions={"number": -(2**40)}))["found"] is False
    assert db.run_sync(db.nodes.GoodDeleteNode(id=2**40))["deleted"] == 0


def test_arithmetic_rounds_nothing(db: DataFlow, existing: Existing) -> None:
    db.register_schema_as_models()
    db.run_sync(db.nodes.GoodBulkCreateNode(data=[{"id": 1, "price": 2, "number": -2_000_000_000}]))

    def change(**changes: Any) -> Any:
        update = {f"${operator}": values for operator, values in changes.items()}
        return db.run_sync(db.nodes.GoodUpdateNode(id=1, updates=update))["record"]

    # A factor and what is added to an int need not be values of the column; what comes out must be one.
    assert change(mul={"price": Decimal("1.075")})["price"] == Decimal("2.15")
    assert change(inc={"number": 4_000_000_000})["number"] == 2_000_000_000
    if existing.kind is SQLITE:
        places, digits = Decimal("1.0000000000001"), Decimal("1e-15")
    else:
        places = Decimal("1.075")
        with pytest.raises(InvalidValue, match="2 after it"):
            change(inc={"price": Decimal("0.001")})
        with pytest.raises(OutOfRange):
            change(inc={"number": 2_000_000_000})
        digits = Decimal("1e8")
    with pytest.raises(OutOfRange):
        change(mul={"price": places})
    with pytest.raises((OutOfRange, InvalidValue)):
        change(inc={"price": digits})
    with pytest.raises(OutOfRange):
        db.run_sync(db.nodes.GoodBulkUpdateNode(filter={"id": 1}, update={"$mul": {"price": places}}))
    assert stored(db)[0]["price"] == Decimal("2.15")


@pytest.mark.mysql
def test_an_unsigned_number_may_become_less(request: pytest.FixtureRequest) -> None:
    with empty(MYSQL, request) as shop:
        shop.ask(
            "CREATE TABLE goods (id int PRIMARY KEY, few int unsigned)", "INSERT INTO goods VALUES (1, 1)"
        )
        with DataFlow(shop.url, existing_schema_mode=True) as db:
            db.register_schema_as_models()
            less = db.nodes.GoodUpdateNode(id=1, updates={"$inc": {"few": -1}})
            assert db.run_sync(less)["few"] == 0
            with pytest.raises(OutOfRange):
                db.run_sync(less)
