"""How filters are read, very long lists and wide documents."""

import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from dataflow import DataFlow
from dataflow.filters.mongo import read_filter

from .things import MODEL, REQUIRED, Color, Level, stored


def many(name: str) -> list[Any]:
    """Very many values of a type, as different as the type allows."""
    number = 100_000 if name in ("integer", "text") else 20_000
    made: dict[str, Any] = {
        "integer": lambda i: i * 92233720368547 - 2**62,
        "real": lambda i: i / 7 - 1e3,
        "text": lambda i: f"{i} ä😀'\"",
        "amount": lambda i: Decimal(i).scaleb(-3),
        "flag": lambda i: True,
        "blob": lambda i: i.to_bytes(3, "big"),
        "moment": lambda i: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=i * 999_999),
        "day": lambda i: date.fromordinal(i + 1),
        "clock": lambda i: (datetime.min + timedelta(microseconds=i * 863_999)).time(),
        "span": lambda i: timedelta(microseconds=i * 10**10),
        "uuid": lambda i: UUID(int=i * 2**100),
        "color": lambda i: Color.RED,
        "level": lambda i: Level.LOW,
        "kind": lambda i: "ä",
    }
    return [made[name](i) for i in range(number)]


ABSENT: dict[str, Any] = {
    "integer": 1,
    "real": 0.1,
    "text": "none",
    "amount": Decimal("0.0001"),
    "flag": False,
    "blob": b"",
    "moment": datetime(1999, 1, 1, tzinfo=UTC),
    "day": date.max,
    "clock": time(23, 59, 59, 999_999),
    "span": timedelta(-1),
    "uuid": UUID(int=1),
    "color": Color.BLUE,
    "level": Level.HIGH,
    "kind": "a",
}


@pytest.mark.parametrize("name", ABSENT)
def test_a_list_of_very_many_members_works(things: DataFlow, name: str) -> None:
    members = many(name)
    base = {"whole": 0, "word": "", "level": Level.LOW}
    values = [members[0], members[len(members) * 7 // 9], members[-1], ABSENT[name]]
    if name not in REQUIRED:
        values.append(None)
    stored(things, [{**base, name: value} for value in values])
    shuffled = members[:]
    random.Random(1).shuffle(shuffled)

    def ids(wanted: object) -> list[int]:
        output = things.run_sync(things.nodes.ThingListNode(filter={name: wanted}, order_by=["id"]))
        return [row["id"] for row in output["records"]]

    if name in REQUIRED:
        assert ids({"$in": shuffled}) == [1, 2, 3]
        assert ids({"$nin": shuffled}) == [4]
    else:
        assert ids({"$in": [*shuffled, None]}) == [1, 2, 3, 5]
        assert ids({"$nin": shuffled}) == [4, 5]


def test_infinity_is_found_in_a_list(things: DataFlow) -> None:
    base = {"whole": 0, "word": "", "level": Level.LOW}
    infinity = float("inf")
    stored(things, [{**base, "real": value} for value in (infinity, -infinity, 0.5, None)])
    for members, expected in [([infinity], [1]), ([-infinity, 0.5], [2, 3]), ([infinity, None], [1, 4])]:
        for filter in ({"real": {"$in": members}}, {"$nor": [{"real": {"$nin": members}}]}):
            output = things.run_sync(things.nodes.ThingListNode(filter=filter, order_by=["id"]))
            assert [row["id"] for row in output["records"]] == expected


@pytest.mark.parametrize("operator", ["$or", "$and", "$nor"])
def test_a_wide_filter_works(things: DataFlow, operator: str) -> None:
    rows = [{"whole": number, "word": "", "level": Level.LOW} for number in range(5)]
    stored(things, rows)
    document = {operator: [{"whole": number, "word": ""} for number in range(2, 1302)]}
    expected = {"$or": [2, 3, 4], "$and": [], "$nor": [0, 1]}[operator]
    output = things.run_sync(things.nodes.ThingListNode(filter=document, order_by=["id"]))
    assert [row["whole"] for row in output["records"]] == expected


def test_sets_and_tuples_are_lists_of_members_too(things: DataFlow) -> None:
    stored(things, [{"whole": number, "word": "", "level": Level.LOW} for number in range(3)])
    for members in ({1, 2}, frozenset({1, 2}), (1, 2), range(1, 3)):
        output = things.run_sync(things.nodes.ThingListNode(filter={"whole": {"$in": members}}))
        assert output["count"] == 2


def test_values_are_coerced_as_everywhere(things: DataFlow) -> None:
    row = {
        "whole": 1,
        "word": "",
        "level": Level.LOW,
        "color": Color.RED,
        "day": date(2024, 5, 6),
        "moment": datetime(2024, 5, 6, 10, tzinfo=UTC),
        "amount": Decimal("1.50"),
        "real": 2.0,
        "uuid": UUID(int=5),
    }
    stored(things, [row])
    for document in [
        {"color": "red"},
        {"level": 1},
        {"day": "2024-05-06"},
        {"moment": "2024-05-06T12:00:00+02:00"},
        {"moment": {"$in": ["2024-05-06T10:00:00Z"]}},
        {"amount": Decimal("1.5")},
        {"amount": {"$in": [Decimal("1.500")]}},
        {"amount": {"$gt": 1}},
        {"real": 2},
        {"uuid": str(UUID(int=5))},
    ]:
        assert things.run_sync(things.nodes.ThingListNode(filter=document))["count"] == 1, document


def test_the_shape_holds_no_value_and_does_not_grow_with_a_list() -> None:
    one = read_filter(MODEL, {"text": {"$in": ["a"]}, "whole": {"$gt": 1}}, "filter")
    more = read_filter(MODEL, {"text": {"$in": ["b", "c", "d"]}, "whole": {"$gt": 2}}, "filter")
    assert one.shape == more.shape == ("and", ("$in", "text"), ("$gt", "whole"))
    assert (one.values, more.values) == ((("a",), 1), (("b", "c", "d"), 2))
