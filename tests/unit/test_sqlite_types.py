"""How SQLite stores what it does not know, so that it sorts right and comes back equal."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from time import tzset
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataflow.abc import Column
from dataflow.sqlite.types import DECLARED, affinity, codec, decimal_key, logical_type, pack, stores
from dataflow.types import ColumnType, Kind, read_annotation

DECIMALS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(-1000, 1000, places=2),
    st.integers(-(10**20), 10**20).map(Decimal),
)


def column_type(annotation: object) -> ColumnType:
    return read_annotation(annotation, "X.x")[0]


def encoded(annotation: object, value: Any) -> Any:
    encode = codec(column_type(annotation)).encode
    return value if encode is None else encode(value)


@example(Decimal("-1.5"), Decimal("-1.55"))
@example(Decimal("-1.55"), Decimal("-1.5"))
@example(Decimal("9.5"), Decimal(10))
@example(Decimal("-9.5"), Decimal(-10))
@example(Decimal("1E-9"), Decimal("-1E-9"))
@example(Decimal("0.10"), Decimal("0.1"))
@given(DECIMALS, DECIMALS)
def test_the_key_of_a_decimal_sorts_as_the_number(one: Decimal, other: Decimal) -> None:
    left, right = decimal_key(encoded(Decimal, one)), decimal_key(encoded(Decimal, other))
    assert left is not None
    assert right is not None
    assert (left < right, left == right) == (one < other, one == other)


@given(DECIMALS, DECIMALS)
def test_equal_decimals_are_stored_alike_so_that_an_index_finds_them(one: Decimal, other: Decimal) -> None:
    assert (encoded(Decimal, one) == encoded(Decimal, other)) == (one == other)


def test_decimals_of_other_programs_have_a_key_too() -> None:
    stored: list[str | float] = ["1.50", 1.5, "15e-1", "+1.5", " 1.5"]
    assert {decimal_key(value) for value in stored} == {decimal_key("1.5")}
    assert decimal_key(None) is None
    assert decimal_key(7) == decimal_key("7.0")
    assert decimal_key("-0") == decimal_key("0") == decimal_key(0.0)


MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))


@given(st.lists(MOMENTS, min_size=2, max_size=2))
def test_moments_are_stored_as_text_that_sorts_like_them(moments: Sequence[datetime]) -> None:
    one, other = moments
    assert (encoded(datetime, one) < encoded(datetime, other)) == (one < other)


@given(st.times(), st.times())
def test_times_are_stored_as_text_that_sorts_like_them(one: time, other: time) -> None:
    assert (encoded(time, one) < encoded(time, other)) == (one < other)


@given(st.dates(), st.dates())
def test_days_are_stored_as_text_that_sorts_like_them(one: date, other: date) -> None:
    assert (encoded(date, one) < encoded(date, other)) == (one < other)


@given(st.uuids(), st.uuids())
def test_uuids_are_stored_as_text_that_sorts_like_them(one: UUID, other: UUID) -> None:
    assert (encoded(UUID, one) < encoded(UUID, other)) == (one < other)


def test_a_moment_is_stored_in_utc() -> None:
    east = datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert encoded(datetime, east) == "2023-12-31 23:00:00"


@pytest.mark.parametrize(
    "stored",
    ["2024-01-02 03:04:05", "2024-01-02T03:04:05Z", "2024-01-02 04:04:05+01:00", "2024-01-02T03:04:05.000"],
)
def test_moments_of_other_programs_are_read_in_utc(stored: str) -> None:
    decode = codec(column_type(datetime)).decode
    assert decode is not None
    moment = decode(stored)
    assert moment == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert moment.tzinfo is UTC


def test_a_day_of_other_programs_is_its_first_moment_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = codec(column_type(datetime)).decode
    assert decode is not None
    try:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("TZ", "Asia/Tokyo")
            tzset()
            moment = decode("2024-01-02")
    finally:
        tzset()
    assert repr(moment) == repr(datetime(2024, 1, 2, tzinfo=UTC))


def test_a_document_of_other_programs_may_have_spaces_around_it_and_nothing_else() -> None:
    decode = codec(column_type(dict)).decode
    assert decode is not None
    assert decode(' {"a": 1} ') == decode('{"a": 1} ') == {"a": 1}
    with pytest.raises(ValueError, match="Extra data"):
        decode('{"a": 1} {}')


class Color(Enum):
    RED = "red"


def test_members_of_an_enum_travel_as_their_values() -> None:
    kind = codec(column_type(Color))
    assert kind.encode is not None
    assert kind.decode is not None
    assert kind.encode(Color.RED) == "red"
    assert kind.decode("red") is Color.RED


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (int, [-(2**63), 2**63 - 1, 0]),
        (float, [0.1, 5e-324, 1.7976931348623157e308, float("inf"), -float("inf"), -0.0]),
        (str, ["", "'", '"', "\\", "\x01\x7f", "ä😀", "\u2028", "\uffff", "null", "1"]),
        (bytes, [b"", b"\0", b"\xff'", b"null"]),
        (bool, [True, False]),
    ],
)
def test_a_packed_list_is_taken_apart_by_sqlite_exactly(annotation: object, values: Sequence[Any]) -> None:
    kind = column_type(annotation)
    operand = "hex(?)" if kind.kind is Kind.BINARY else "?"
    with closing(sqlite3.connect(":memory:")) as raw:
        for value in values:
            stored = encoded(annotation, value)
            others = [encoded(annotation, other) for other in values if other != value]
            sql = f"SELECT {operand} IN (SELECT value FROM json_each(?))"
            assert raw.execute(sql, [stored, pack(kind)([*others, stored])]).fetchone() == (1,), value
            assert raw.execute(sql, [stored, pack(kind)(others)]).fetchone() == (0,), value


def test_json_is_stored_compact_and_readable() -> None:
    assert encoded(dict[str, Any], {"größe": [1, None]}) == '{"größe":[1,null]}'
    assert json.loads(encoded(list[Any], ["\u2028"])) == ["\u2028"]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("INTEGER", "INTEGER"), ("int", "INTEGER"), ("BIGINT UNSIGNED", "INTEGER"), ("POINT", "INTEGER"),
        ("VARCHAR(20)", "TEXT"), ("NCHAR(55)", "TEXT"), ("CLOB", "TEXT"), ("CHARINT", "INTEGER"),
        ("BLOB", "BLOB"), ("", "BLOB"), ("REAL", "REAL"), ("DOUBLE PRECISION", "REAL"), ("FLOAT", "REAL"),
        ("DECIMAL(10,5)", "NUMERIC"), ("BOOLEAN", "NUMERIC"), ("DATETIME", "NUMERIC"), ("STRING", "NUMERIC"),
    ],
)  # fmt: skip
def test_the_affinity_of_a_declared_type_is_the_one_that_sqlite_gives(declared: str, expected: str) -> None:
    assert affinity(declared) == expected
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.execute(f"CREATE TABLE t (a {declared})")
        raw.execute("INSERT INTO t VALUES ('1')")
        stored = raw.execute("SELECT typeof(a) FROM t").fetchone()[0]
    by_affinity = {"INTEGER": "integer", "NUMERIC": "integer", "REAL": "real", "TEXT": "text", "BLOB": "text"}
    assert stored == by_affinity[expected]


@pytest.mark.parametrize("kind", Kind)
def test_a_column_that_was_made_for_a_kind_holds_it(kind: Kind) -> None:
    column = Column("a", DECLARED[kind], nullable=True, has_default=False)
    assert stores(column, ColumnType(kind, object))


@pytest.mark.parametrize(
    ("declared", "kind", "holds"),
    [
        ("VARCHAR(20)", Kind.TEXT, True),
        ("TEXT", Kind.INTEGER, False),
        ("INTEGER", Kind.TEXT, False),
        ("BIGINT", Kind.INTEGER, True),
        ("DECIMAL(10,2)", Kind.DECIMAL, True),
        ("DATETIME", Kind.DATETIME, True),
        ("TIMESTAMP", Kind.DATETIME, True),
        ("BLOB", Kind.TEXT, False),
        ("", Kind.TEXT, True),
        *(("NUMERIC", kind, kind not in (Kind.TEXT, Kind.BINARY)) for kind in Kind),
    ],
)
def test_columns_of_other_programs_hold_what_they_can(declared: str, kind: Kind, holds: bool) -> None:
    column = Column("a", declared, nullable=True, has_default=False)
    assert stores(column, ColumnType(kind, object)) is holds


@pytest.mark.parametrize(
    ("declared", "kind", "python"),
    [
        ("INTEGER", Kind.INTEGER, int), ("bigint", Kind.INTEGER, int), ("VARCHAR(20)", Kind.TEXT, str),
        ("clob", Kind.TEXT, str), ("BLOB", Kind.BINARY, bytes), ("DOUBLE PRECISION", Kind.FLOAT, float),
        ("NUMERIC", Kind.DECIMAL, Decimal), ("decimal (10, 2)", Kind.DECIMAL, Decimal),
        ("NUMBER(5)", Kind.DECIMAL, Decimal), ("money", Kind.DECIMAL, Decimal),
        ("BOOLEAN", Kind.BOOLEAN, bool), ("bool", Kind.BOOLEAN, bool), ("boolean (1)", Kind.BOOLEAN, bool),
        ("datetime text", Kind.DATETIME, datetime), ("UUID TEXT", Kind.UUID, UUID),
    ],
)  # fmt: skip
def test_a_declaration_that_binds_the_values_tells_their_type(
    declared: str, kind: Kind, python: type
) -> None:
    assert logical_type(declared) == ColumnType(kind, python, inexact=kind is Kind.DECIMAL)


@pytest.mark.parametrize("declared", ["", "DATETIME", "DATE", "TIMESTAMP", "STRING", "(5)"])
def test_a_column_whose_declaration_binds_nothing_holds_anything(declared: str) -> None:
    assert logical_type(declared) == ColumnType(Kind.TEXT, object)
