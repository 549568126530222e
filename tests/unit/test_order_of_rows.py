"""The order of rows is that of plain Python."""

import random
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow import DataFlow

from .things import REQUIRED, Color, Level, Row, stored

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=11))])
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "a",
            "A",
            "Z",
            "a ",
            "ä",
            "ﬀ",
            "\uffff",
            "😀",
            "\U0001d4b3",
            "10",
            "9",
            "NULL",
            "'",
            '"',
            "%",
            "_",
            "\\",
            "null\n",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)
AMOUNTS = st.one_of(
    st.sampled_from(
        [
            Decimal(text)
            for text in (
                "0",
                "-0",
                "0.1",
                "0.10",
                "-0.1",
                "9.5",
                "10",
                "10.05",
                "-2",
                "-1.5",
                "-1.55",
                "1E+40",
                "-1E+40",
                "1E-40",
                "-1E-40",
                "9007199254740993",
                "9007199254740992",
                "99",
                "100",
            )
        ]
    ),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
)
INTEGERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-(2**63), 2**63 - 1, 2**53, 2**53 + 1]),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "integer": INTEGERS,
    "whole": INTEGERS,
    "real": st.one_of(
        st.floats(allow_nan=False),
        st.sampled_from([0.0, -0.0, float("inf"), -float("inf"), 5e-324, 1.7976931348623157e308, 0.1, 1e22]),
    ),
    "text": TEXTS,
    "word": TEXTS,
    "amount": AMOUNTS,
    "flag": st.booleans(),
    "blob": st.one_of(st.sampled_from([b"", b"\0", b"\xff", b"a", b"a\0"]), st.binary(max_size=4)),
    "moment": st.one_of(
        st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES),
        st.sampled_from(
            [
                datetime.min.replace(tzinfo=UTC),
                datetime.max.replace(tzinfo=UTC),
                datetime(2024, 1, 1, tzinfo=UTC),
                datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
                datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            ]
        ),
    ),
    "day": st.one_of(st.dates(), st.sampled_from([date.min, date.max])),
    "clock": st.one_of(st.times(), st.sampled_from([time.min, time.max, time(12), time(12, 0, 0, 5)])),
    "span": st.timedeltas(timedelta(microseconds=-(2**63)), timedelta(microseconds=2**63 - 1)),
    "uuid": st.uuids(),
    "color": st.sampled_from(Color),
    "level": st.sampled_from(Level),
    "kind": st.sampled_from(["a", "B", "ä"]),
}
NAMES = tuple(VALUES)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    # Few values for each field, so that ties happen.
    pools = {name: draw(st.lists(values, min_size=2, max_size=4)) for name, values in VALUES.items()}
    cells = {
        name: st.sampled_from(pool if name in REQUIRED else [*pool, None]) for name, pool in pools.items()
    }
    return draw(st.lists(st.fixed_dictionaries(cells), max_size=8))


def comparable(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


@settings.get_profile("few")
@given(rows(), st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), min_size=1, max_size=3))
def test_rows_come_in_the_order_of_plain_python(
    things: DataFlow, rows: list[Row], criteria: list[tuple[str, bool]]
) -> None:
    expected = stored(things, rows)
    for name, descending in reversed(criteria):
        expected.sort(
            key=lambda row: () if row[name] is None else (comparable(row[name]),),
            reverse=descending,
        )
    order_by = [f"-{name}" if descending else name for name, descending in criteria]
    found = things.run_sync(things.nodes.ThingListNode(order_by=order_by, fields=["id"]))["records"]
    assert [row["id"] for row in found] == [row["id"] for row in expected]


ASCENDING: dict[str, list[Any]] = {
    "integer": [-(2**63), -1, 0, 2**53, 2**53 + 1, 2**63 - 1],
    "real": [-float("inf"), -1.5, 0.0, 5e-324, 0.1, 1e300, float("inf")],
    "text": ["", " ", "10", "9", "A", "Z", "a", "a ", "ab", "ä", "\uffff", "😀"],
    "amount": [
        Decimal(text)
        for text in [
            "-1E+40",
            "-100",
            "-10",
            "-9.5",
            "-1.55",
            "-1.5",
            "-1E-40",
            "0",
            "1E-40",
            "1.5",
            "1.55",
            "9.5",
            "10",
            "1E+40",
        ]
    ],
    "flag": [False, True],
    "blob": [b"", b"\0", b"a", b"a\0", b"b", b"\xff"],
    "moment": [
        datetime.min.replace(tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, microsecond=1, tzinfo=UTC),
        datetime(2024, 1, 1, microsecond=20, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 0, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
    "day": [date.min, date(999, 12, 31), date(2024, 2, 29), date.max],
    "clock": [time.min, time(9), time(9, microsecond=5), time(9, 0, 1), time(10), time.max],
    "span": [
        timedelta(microseconds=-(2**63)),
        timedelta(-1),
        timedelta(0),
        timedelta(microseconds=1),
        timedelta(days=9),
    ],
    "uuid": [UUID(int=0), UUID(int=10), UUID(int=2**100), UUID(int=2**128 - 1)],
    "color": [Color.BLUE, Color.GREEN, Color.RED],
    "level": [Level.LOW, Level.HIGH],
    "kind": ["B", "a", "ä"],
}


@pytest.mark.parametrize("name", ASCENDING)
def test_values_of_every_type_come_in_their_order(things: DataFlow, name: str) -> None:
    values: list[Any] = ASCENDING[name] if name in REQUIRED else [None, *ASCENDING[name]]
    base = {"whole": 0, "word": "", "level": Level.LOW}
    shuffled = random.Random(3).sample(values, len(values))
    stored(things, [{**base, name: value} for value in shuffled])
    for sign, expected in (("", values), ("-", values[::-1])):
        found = things.run_sync(things.nodes.ThingListNode(order_by=[f"{sign}{name}"], fields=[name]))
        assert [row[name] for row in found["records"]] == expected
