"""What the accumulators of a group make of values: exact, and of the type of their field."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from math import inf, isclose
from typing import Any, ClassVar, Literal
from uuid import UUID

import pytest

from dataflow import DataFlow
from dataflow.capabilities import Capability
from dataflow.errors import OutOfRange
from dataflow.testing.conformance.sales import (
    GREATEST,
    NOTHING_DECLARED,
    SMALLEST,
    accumulated,
    aggregate,
    of_each,
    sell,
)
from dataflow.testing.suite import requires

__all__ = ["AccumulatorTests"]


class AccumulatorTests:
    """Values are added up, averaged and compared without a loss."""

    def test_accumulators_ignore_nulls_and_nulls_are_a_group(self, db: DataFlow) -> None:
        sell(
            db,
            {"region": None, "amount": 4},
            {"region": "a", "amount": None},
            {"region": None, "amount": None},
            {"region": "b", "amount": 0},
        )
        group = {
            "_id": "$region",
            "sum": {"$sum": "$amount"},
            "avg": {"$avg": "$amount"},
            "min": {"$min": "$amount"},
            "max": {"$max": "$amount"},
            "n": {"$sum": 1},
        }
        assert aggregate(db, {"$group": group}, {"$sort": {"_id": 1}}) == [
            {"_id": None, "sum": 4, "avg": 4.0, "min": 4, "max": 4, "n": 2},
            {"_id": "a", "sum": 0, "avg": None, "min": None, "max": None, "n": 1},
            {"_id": "b", "sum": 0, "avg": 0.0, "min": 0, "max": 0, "n": 1},
        ]

    @pytest.mark.parametrize(
        ("column", "values", "expected"),
        [
            ("amount", [1, 2, None], 3),
            ("amount", [], 0),
            ("amount", [GREATEST, SMALLEST, GREATEST], GREATEST - 1),
            ("weight", [0.25, 0.5], 0.75),
            ("weight", [None], 0.0),
            ("price", [Decimal("0.1")] * 3 + [None], Decimal("0.3")),
            ("price", [None], Decimal(0)),
            ("price", [Decimal("1E+17"), Decimal("1E-20"), Decimal("-1E+17")], Decimal("1E-20")),
            ("price", [Decimal("1.50"), Decimal("-1.5")], Decimal(0)),
            (
                "took",
                [timedelta(days=1), timedelta(microseconds=-1)],
                timedelta(1) - timedelta(microseconds=1),
            ),
        ],
    )
    def test_sums_are_exact_and_of_the_type_of_the_field(
        self, db: DataFlow, column: str, values: list[Any], expected: Any
    ) -> None:
        sell(db, *of_each(column, values), {"product": 99})
        total = accumulated(db, {"$sum": f"${column}"})
        assert total == expected
        assert type(total) is type(expected)

    @requires(Capability.INFINITY)
    def test_the_sum_of_something_infinite_is_infinite(self, db: DataFlow) -> None:
        sell(db, *of_each("weight", [inf, 1.0]), {"product": 99})
        assert accumulated(db, {"$sum": "$weight"}) == inf

    @pytest.mark.parametrize(
        ("number", "expected"),
        [
            (1, 3),
            (0, 0),
            (-2, -6),
            (0.5, 1.5),
            (1.0, 3.0),
            (Decimal("0.1"), Decimal("0.3")),
            (Decimal(1), Decimal(3)),
        ],
    )
    def test_a_number_is_added_for_each_document(self, db: DataFlow, number: Any, expected: Any) -> None:
        sell(db, *of_each("amount", [None, None, None]))
        total = accumulated(db, {"$sum": number})
        assert total == expected
        assert type(total) is type(expected)

    @pytest.mark.parametrize(
        ("column", "values", "expected"),
        [
            ("amount", [1, 2, None], 1.5),
            ("weight", [0.25, 0.5], 0.375),
            ("weight", [None], None),
            ("price", [Decimal("0.1"), Decimal("0.2")], Decimal("0.15")),
            ("price", [Decimal(1), Decimal(1), None, Decimal(0)], Decimal("0.66666666666666666667")),
            ("price", [Decimal(-1), Decimal(-1), Decimal(0)], Decimal("-0.66666666666666666667")),
            ("price", [Decimal("1E-20"), Decimal(0)], Decimal("1E-20")),
            ("price", [Decimal("-1E-20"), Decimal(0)], Decimal("-1E-20")),
            ("price", [Decimal("1E+17"), Decimal("1E+17"), Decimal(1)], (2 * 10**37 + 10**20) // 3),
            ("price", [None], None),
            ("took", [timedelta(microseconds=1), timedelta(microseconds=2)], timedelta(microseconds=2)),
            ("took", [timedelta(microseconds=-1), timedelta(0)], timedelta(microseconds=-1)),
            ("took", [timedelta(days=90_000_000)] * 3, timedelta(days=90_000_000)),
        ],
    )
    def test_averages_are_as_exact_as_their_type(
        self, db: DataFlow, column: str, values: list[Any], expected: Any
    ) -> None:
        sell(db, *of_each(column, values))
        if isinstance(expected, int):  # in units of the last of 20 places
            expected = Decimal((0, tuple(map(int, str(expected))), -20))
        average = accumulated(db, {"$avg": f"${column}"})
        assert average == expected
        assert type(average) is type(expected)

    def test_the_least_and_the_greatest_are_found_in_every_kind_that_has_an_order(self, db: DataFlow) -> None:
        class Level(Enum):
            LOW = "low"
            HIGH = "high"

        @db.model
        class Sample:
            whole: int | None
            real: float | None
            flag: bool | None
            text: str | None
            blob: bytes | None
            amount: Decimal | None
            at: datetime | None
            day: date | None
            span: timedelta | None
            uuid: UUID | None
            level: Level | None
            choice: Literal["a", "B"] | None
            __dataflow__: ClassVar = NOTHING_DECLARED

        least = {
            "whole": SMALLEST,
            "real": -1.5,
            "flag": False,
            "text": "A",
            "blob": b"",
            "amount": Decimal("-10.5"),
            "at": datetime(1, 1, 1, tzinfo=UTC),
            "day": date(1, 1, 1),
            "span": timedelta(microseconds=-1),
            "uuid": UUID(int=0),
            "level": Level.HIGH,
            "choice": "B",
        }
        greatest = {
            "whole": GREATEST,
            "real": 1e300,
            "flag": True,
            "text": "\U0001f600",
            "blob": b"\xff\x00",
            "amount": Decimal("9.5"),
            "at": datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
            "day": date(9999, 12, 31),
            "span": timedelta(days=1),
            "uuid": UUID(int=2**128 - 1),
            "level": Level.LOW,
            "choice": "a",
        }
        middle = {"text": "z", "amount": Decimal(9), "blob": b"\xff", "real": 0.0}
        nulls = dict.fromkeys(least)
        db.run_sync(db.nodes.SampleBulkCreateNode(data=[nulls, greatest, {**nulls, **middle}, least]))
        for operator, expected in (("$min", least), ("$max", greatest)):
            group = {"_id": None, **{name: {operator: f"${name}"} for name in least}}
            output = db.run_sync(
                db.nodes.SampleListNode(aggregate=[{"$group": group}, {"$project": {"_id": 0}}])
            )
            assert output["records"] == [expected]
            assert {name: type(value) for name, value in output["records"][0].items()} == {
                name: type(value) for name, value in expected.items()
            }
        # Each kind makes groups, finds them again and puts them in order.
        for name, value in greatest.items():
            stages = [{"$group": {"_id": f"${name}"}}, {"$match": {"_id": {"$in": [value]}}}]
            assert db.run_sync(db.nodes.SampleListNode(aggregate=stages))["records"] == [{"_id": value}]
            stages = [{"$group": {"_id": f"${name}"}}, {"$sort": {"_id": -1}}, {"$limit": 1}]
            assert db.run_sync(db.nodes.SampleListNode(aggregate=stages))["records"] == [{"_id": value}]

    def test_equal_decimals_are_one_group_however_they_were_written(self, db: DataFlow) -> None:
        sell(
            db,
            *of_each(
                "price", [Decimal("1.50"), Decimal("1.5"), Decimal("15E-1"), Decimal(0), Decimal("-0.00")]
            ),
        )
        assert aggregate(db, {"$group": {"_id": "$price", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}) == [
            {"_id": Decimal(0), "n": 2},
            {"_id": Decimal("1.5"), "n": 3},
        ]

    @pytest.mark.parametrize("values", [[GREATEST, 1], [SMALLEST, -1]])
    def test_a_sum_beyond_64_bits_is_an_error(self, db: DataFlow, values: list[int]) -> None:
        sell(db, *of_each("amount", values))
        with pytest.raises(OutOfRange, match="does not fit"):
            accumulated(db, {"$sum": "$amount"})
        with pytest.raises(OutOfRange, match="does not fit"):
            accumulated(db, {"$sum": GREATEST})
        assert isclose(accumulated(db, {"$avg": "$amount"}), sum(values) / 2)
