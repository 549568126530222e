"""Filters on values that a column cannot hold: no row is equal to them, and every one is less or more."""

from decimal import Decimal
from typing import ClassVar

import pytest

from dataflow import DataFlow

__all__ = ["FilterBoundTests"]

GREAT = Decimal("1E+40")
FINE = Decimal("1E-40")
MORE_THAN_HALF = Decimal(f"0.5{'0' * 38}1")
LESS_THAN_HALF = Decimal(f"0.4{'9' * 39}")
LESS_THAN_ALL = Decimal(f"-1.{'0' * 39}1")


def measured(db: DataFlow) -> None:
    """Rows with a null, and with numbers around nothing."""

    @db.model
    class Measure:
        name: str
        amount: Decimal | None
        ratio: float | None
        __dataflow__: ClassVar = {"timestamps": False}

    numbers = {"null": None, "minus": "-1", "half": "0.5", "one": "1"}
    rows = [
        {
            "name": name,
            "amount": None if number is None else Decimal(number),
            "ratio": None if number is None else float(number),
        }
        for name, number in numbers.items()
    ]
    db.run_sync(db.nodes.MeasureBulkCreateNode(data=rows))


class FilterBoundTests:
    """What a database cannot hold is compared all the same, as any other would."""

    @pytest.mark.parametrize(
        ("condition", "found"),
        [
            (GREAT, []),
            ({"$ne": GREAT}, ["null", "minus", "half", "one"]),
            ({"$gt": GREAT}, []),
            ({"$gte": GREAT}, []),
            ({"$lt": GREAT}, ["minus", "half", "one"]),
            ({"$lte": -GREAT}, []),
            ({"$gt": -GREAT}, ["minus", "half", "one"]),
            ({"$between": [-GREAT, GREAT]}, ["minus", "half", "one"]),
            ({"$in": [GREAT, Decimal(1)]}, ["one"]),
            ({"$in": [GREAT]}, []),
            ({"$nin": [GREAT, None]}, ["minus", "half", "one"]),
            ({"$not": {"$lt": GREAT}}, ["null"]),
            (FINE, []),
            ({"$gt": MORE_THAN_HALF}, ["one"]),
            ({"$gte": MORE_THAN_HALF}, ["one"]),
            ({"$lt": MORE_THAN_HALF}, ["minus", "half"]),
            ({"$lte": MORE_THAN_HALF}, ["minus", "half"]),
            ({"$gt": LESS_THAN_HALF}, ["half", "one"]),
            ({"$lte": LESS_THAN_ALL}, []),
        ],
    )
    def test_a_decimal_that_no_column_holds_is_equal_to_none_and_less_or_more_than_all(
        self, condition: object, found: list[str], db: DataFlow
    ) -> None:
        measured(db)
        rows = db.run_sync(db.nodes.MeasureListNode(filter={"amount": condition}, order_by=["id"]))
        assert [row["name"] for row in rows["records"]] == found

    @pytest.mark.parametrize("number", [float("inf"), float("nan")])
    def test_numbers_that_are_none_are_more_than_all(self, number: float, db: DataFlow) -> None:
        measured(db)

        def names(condition: object) -> list[str]:
            rows = db.run_sync(db.nodes.MeasureListNode(filter={"ratio": condition}, order_by=["id"]))
            return [row["name"] for row in rows["records"]]

        assert names(number) == names({"$gt": number}) == names({"$in": [number]}) == []
        assert names({"$lt": number}) == names({"$lte": number}) == ["minus", "half", "one"]
        assert names({"$ne": number}) == ["null", "minus", "half", "one"]
