"""Aggregations: each stage and each accumulator by hand, and generated pipelines beside a plain Python evaluator."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from math import inf, isclose
from typing import Any, ClassVar, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import DataFlowError, InvalidValue, OutOfRange, UnknownName, WorkflowBuildError
from dataflow.testing.examples import MANY
from dataflow.testing.oracle.pipelines import evaluate
from dataflow.testing.strategies.pipelines import pipelines

__all__ = ["AggregationTests"]

GREATEST, SMALLEST = 2**63 - 1, -(2**63)
MOMENTS = [datetime(2024, 2, 29, 23, 59, 59, number, UTC) for number in (0, 1, 999_999)]
NAMES = ["a", "B", "ä", "Ω", "", "a ", "%"]
NOTHING_DECLARED = {"timestamps": False}

COLUMNS: Mapping[str, type] = {
    "region": str,
    "product": int,
    "amount": int,
    "price": Decimal,
    "weight": float,
    "paid": bool,
    "sold_at": datetime,
    "took": timedelta,
}
# Few values, so that they meet again; halves and quarters, which floats add up without an error.
VALUES: Mapping[type, st.SearchStrategy[Any]] = {
    str: st.sampled_from(NAMES),
    int: st.integers(-3, 3),
    Decimal: st.decimals("-9.99", "20", places=2) | st.sampled_from([Decimal("1E+25"), Decimal("1E-25")]),
    float: st.integers(-8, 8).map(lambda quarters: quarters / 4),
    bool: st.booleans(),
    datetime: st.sampled_from(MOMENTS),
    timedelta: st.integers(-5, 5).map(lambda microseconds: timedelta(microseconds=microseconds)),
}
NULLABLE = ("region", "amount", "price", "weight", "sold_at")


def define_sale(db: DataFlow) -> None:
    @db.model
    class Sale:
        region: str | None = None
        product: int = 1
        amount: int | None = None
        price: Decimal | None = None
        weight: float | None = None
        paid: bool = False
        sold_at: datetime | None = None
        took: timedelta = timedelta()
        tags: list[str] = []  # noqa: RUF012 - a model copies it
        __dataflow__: ClassVar = NOTHING_DECLARED


def sell(db: DataFlow, *rows: Mapping[str, Any]) -> None:
    """Make the table, with these rows and no others."""
    define_sale(db)
    db.run_sync(db.nodes.SaleBulkCreateNode(data=list(rows)))


def aggregate(db: DataFlow, *stages: Mapping[str, Any], **parameters: Any) -> list[dict[str, Any]]:
    output = db.run_sync(db.nodes.SaleListNode(aggregate=list(stages), **parameters))
    assert output["count"] == len(output["records"])
    assert output["result"] == output["records"]
    records: list[dict[str, Any]] = output["records"]
    return records


def accumulated(db: DataFlow, accumulator: Mapping[str, Any]) -> Any:
    """What one accumulator makes of all rows."""
    ((_, value),) = aggregate(db, {"$group": {"_id": None, "x": accumulator}}, {"$project": {"_id": 0}})[
        0
    ].items()
    return value


def of_each(column: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    return [{column: value} for value in values]


def alike(one: Any, other: Any) -> bool:
    """Equal, save for the last digits of a float."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    return bool(one == other)


def alike_in_some_order(some: Sequence[Any], others: Sequence[Any]) -> bool:
    remaining = list(others)
    for one in some:
        position = next((at for at, other in enumerate(remaining) if alike(one, other)), None)
        if position is None:
            return False
        del remaining[position]
    return not remaining


class AggregationTests:
    """A pipeline does what MongoDB's does."""

    def test_a_group_has_an_id_and_its_accumulators(self, db: DataFlow) -> None:
        sell(
            db,
            {"product": 1, "amount": 2, "price": Decimal("1.10")},
            {"product": 2, "amount": 5, "price": Decimal("3")},
            {"product": 1, "amount": 3, "price": Decimal("2.2")},
        )
        groups = aggregate(
            db,
            {
                "$group": {
                    "_id": "$product",
                    "sold": {"$sum": "$amount"},
                    "rows": {"$sum": 1},
                    "same": {"$count": {}},
                    "dearest": {"$max": "$price"},
                    "cheapest": {"$min": "$price"},
                    "middle": {"$avg": "$amount"},
                }
            },
            {"$sort": {"sold": -1, "_id": 1}},
        )
        assert groups == [
            {
                "_id": 1,
                "sold": 5,
                "rows": 2,
                "same": 2,
                "dearest": Decimal("2.2"),
                "cheapest": Decimal("1.1"),
                "middle": 2.5,
            },
            {
                "_id": 2,
                "sold": 5,
                "rows": 1,
                "same": 1,
                "dearest": Decimal(3),
                "cheapest": Decimal(3),
                "middle": 5.0,
            },
        ]

    def test_a_group_of_all_is_one_document(self, db: DataFlow) -> None:
        sell(db, *of_each("amount", [1, 2, None]))
        assert aggregate(
            db, {"$group": {"_id": None, "total": {"$sum": "$amount"}, "rows": {"$sum": 1}}}
        ) == [{"_id": None, "total": 3, "rows": 3}]

    def test_a_group_by_several_fields_has_a_document_as_its_id(self, db: DataFlow) -> None:
        sell(db, {"region": "a", "paid": True}, {"region": "a"}, {"region": None}, {"region": "a"})
        by = {"where": "$region", "paid": "$paid"}
        groups = aggregate(db, {"$group": {"_id": by, "n": {"$sum": 1}}}, {"$sort": {"n": -1, "_id": 1}})
        assert groups == [
            {"_id": {"where": "a", "paid": False}, "n": 2},
            {"_id": {"where": None, "paid": False}, "n": 1},
            {"_id": {"where": "a", "paid": True}, "n": 1},
        ]

    def test_the_parts_of_an_id_are_fields_of_the_stages_after_it(self, db: DataFlow) -> None:
        sell(db, {"region": "a", "paid": True}, {"region": "b"}, {"region": "c"}, {"region": "c"})
        group = {"$group": {"_id": {"where": "$region", "paid": "$paid"}, "n": {"$sum": 1}}}
        assert aggregate(
            db,
            group,
            {"$match": {"_id.paid": False, "_id.where": {"$gt": "a"}}},
            {"$sort": {"_id.where": -1}},
            {"$project": {"_id": 0, "where": "$_id.where"}},
        ) == [{"where": "c"}, {"where": "b"}]
        assert aggregate(
            db, group, {"$group": {"_id": "$_id.paid", "regions": {"$sum": 1}}}, {"$sort": {"_id": 1}}
        ) == [
            {"_id": False, "regions": 2},
            {"_id": True, "regions": 1},
        ]
        assert aggregate(
            db, group, {"$project": {"_id": 0, "key": "$_id"}}, {"$sort": {"key": 1}}, {"$limit": 1}
        ) == [{"key": {"where": "a", "paid": True}}]

    @pytest.mark.parametrize(
        "stages",
        [
            [],
            [{"$match": {"amount": 1}}],
            [{"$group": {"_id": None, "n": {"$sum": 1}}}],
            [{"$group": {"_id": "$region", "n": {"$sum": 1}}}],
            [{"$count": "n"}],
            [{"$sort": {"amount": 1}}, {"$limit": 3}],
            [{"$match": {"amount": 7}}, {"$group": {"_id": None, "n": {"$max": "$amount"}}}, {"$count": "n"}],
        ],
    )
    def test_nothing_aggregates_to_nothing(self, db: DataFlow, stages: list[dict[str, Any]]) -> None:
        sell(db)
        assert aggregate(db, *stages) == []

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
            ("weight", [inf, 1.0], inf),
            ("price", [Decimal("0.1")] * 3 + [None], Decimal("0.3")),
            ("price", [None], Decimal(0)),
            ("price", [Decimal("1E+30"), Decimal("1E-30"), Decimal("-1E+30")], Decimal("1E-30")),
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

    @pytest.mark.parametrize(
        ("number", "expected"), [(1, 3), (0, 0), (-2, -6), (0.5, 1.5), (Decimal("0.1"), Decimal("0.3"))]
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
            ("price", [Decimal("1E+40"), Decimal("1E+40"), Decimal(1)], (2 * 10**60 + 10**20) // 3),
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

    def test_the_filter_and_the_fields_of_the_node_come_first(self, db: DataFlow) -> None:
        sell(db, {"region": "a", "amount": 1}, {"region": "a", "amount": 2}, {"region": "b", "amount": 3})
        stages: list[dict[str, Any]] = [{"$limit": 1}, {"$project": {"amount": 1}}]
        assert aggregate(db, *stages, filter={"amount": {"$gt": 1}}) == [{"amount": 2}]
        assert aggregate(db, *stages, region="b") == [{"amount": 3}]
        assert aggregate(db, *stages, region="b", filter={"amount": 2}) == []

    def test_stages_take_effect_in_the_order_in_which_they_stand(self, db: DataFlow) -> None:
        sell(db, *of_each("amount", [5, 1, 4, 2, 3]))
        ascending, descending = {"$sort": {"amount": 1}}, {"$sort": {"amount": -1}}
        large, shown = {"$match": {"amount": {"$gt": 2}}}, {"$project": {"amount": 1}}

        def amounts(*stages: Mapping[str, Any]) -> list[int]:
            return [document["amount"] for document in aggregate(db, *stages, shown)]

        assert amounts(ascending, {"$limit": 3}, large) == [3]
        assert amounts(ascending, large, {"$limit": 3}) == [3, 4, 5]
        assert amounts(ascending, {"$limit": 3}, {"$skip": 1}) == [2, 3]
        assert amounts(ascending, {"$skip": 1}, {"$limit": 3}) == [2, 3, 4]
        assert amounts(ascending, {"$skip": 1}, {"$skip": 2}) == [4, 5]
        assert amounts(ascending, {"$limit": 2}, {"$limit": 4}) == [1, 2]
        assert amounts(ascending, {"$limit": 3}, descending) == [3, 2, 1]
        assert amounts(ascending, descending) == [5, 4, 3, 2, 1]
        assert amounts({"$limit": 2}, descending) == [5, 1]
        assert amounts(descending, {"$limit": 4}, large, {"$skip": 1}) == [4, 3]
        assert aggregate(
            db, descending, {"$limit": 2}, {"$group": {"_id": None, "n": {"$sum": "$amount"}}}
        ) == [{"_id": None, "n": 9}]

    def test_an_order_outlives_the_field_that_it_is_by(self, db: DataFlow) -> None:
        sell(db, *({"amount": amount, "product": product} for product, amount in enumerate([2, 1, 2, 3])))
        stages: list[dict[str, Any]] = [
            {"$sort": {"amount": -1}},
            {"$project": {"product": 1}},
            {"$limit": 3},
        ]
        assert aggregate(db, *stages, {"$match": {"product": {"$ne": 7}}}) == [
            {"product": 3},
            {"product": 0},
            {"product": 2},
        ]

    def test_ties_come_by_key_and_nulls_are_smallest(self, db: DataFlow) -> None:
        sell(
            db,
            *(
                {"region": region, "amount": amount}
                for region, amount in [("b", 1), ("a", 1), (None, 1), ("c", None)]
            ),
        )
        group = {"$group": {"_id": "$region", "n": {"$sum": 1}, "top": {"$max": "$amount"}}}
        assert [one["_id"] for one in aggregate(db, group, {"$sort": {"n": -1}})] == [None, "a", "b", "c"]
        assert [one["_id"] for one in aggregate(db, group, {"$limit": 3})] == [None, "a", "b"]
        assert [one["_id"] for one in aggregate(db, group, {"$sort": {"top": 1}})] == ["c", None, "a", "b"]
        assert [one["_id"] for one in aggregate(db, group, {"$sort": {"top": -1}})] == [None, "a", "b", "c"]
        assert [one["id"] for one in aggregate(db, {"$sort": {"amount": -1}})] == [1, 2, 3, 4]

    def test_groups_are_filtered_by_what_they_accumulated(self, db: DataFlow) -> None:
        sell(
            db,
            {"region": "a", "price": Decimal("9.5"), "took": timedelta(1)},
            {"region": "a", "price": Decimal("1.5")},
            {"region": "b", "price": Decimal(12)},
            {"region": "c"},
        )
        group = {
            "$group": {
                "_id": "$region",
                "total": {"$sum": "$price"},
                "mean": {"$avg": "$price"},
                "n": {"$sum": 1},
                "took": {"$max": "$took"},
                "middle": {"$avg": "$product"},
            }
        }

        def regions(filter: Mapping[str, Any]) -> list[str]:
            return [one["_id"] for one in aggregate(db, group, {"$match": filter}, {"$sort": {"_id": 1}})]

        assert regions({"total": {"$gt": 11}}) == ["b"]
        assert regions({"total": {"$gte": Decimal("11.0")}}) == ["a", "b"]
        assert regions({"mean": {"$in": [Decimal("5.5"), None]}}) == ["a", "c"]
        assert regions({"mean": {"$not": {"$gt": 6}}}) == ["a", "c"]
        assert regions({"$or": [{"n": 2}, {"_id": {"$in": ["c", "d"]}}]}) == ["a", "c"]
        assert regions({"took": timedelta(1), "n": {"$ne": 1}}) == ["a"]
        assert regions({"middle": {"$gt": 0.5, "$lt": 1.5}}) == ["a", "b", "c"]

    def test_a_stage_of_a_pipeline_knows_every_operator_of_filters(self, db: DataFlow) -> None:
        sell(
            db,
            {"region": "north", "amount": 1, "tags": ["new", "red"]},
            {"region": "north", "amount": 2, "tags": ["red"]},
            {"region": "south", "amount": 4, "tags": ["new"]},
        )
        group = {"$group": {"_id": {"region": "$region"}, "n": {"$sum": "$amount"}}}

        def sums(*stages: Mapping[str, Any]) -> list[int]:
            return sorted(one["n"] for one in aggregate(db, *stages))

        assert sums({"$match": {"tags.0": "new"}}, group) == [1, 4]
        assert sums({"$limit": 2}, {"$match": {"tags": {"$contains": "new"}}}, group) == [1]
        assert sums(group, {"$match": {"_id.region": {"$regex": "^no"}}}) == [3]
        assert sums(group, {"$match": {"_id.region": {"$like": "%th"}, "n": {"$between": [4, 9]}}}) == [4]
        assert sums(group, {"$match": {"n": {"$exists": True}, "_id.region": {"$ilike": "S%"}}}) == [4]

    def test_groups_are_grouped_again(self, db: DataFlow) -> None:
        sell(
            db,
            *({"region": region, "product": product} for region in "ab" for product in (1, 1, 2)),
            {"region": "a"},
        )
        assert aggregate(
            db,
            {"$group": {"_id": {"region": "$region", "product": "$product"}, "n": {"$sum": 1}}},
            {"$group": {"_id": "$_id.region", "products": {"$count": {}}, "most": {"$max": "$n"}}},
            {"$sort": {"most": -1}},
        ) == [{"_id": "a", "products": 2, "most": 3}, {"_id": "b", "products": 2, "most": 2}]

    def test_project_keeps_drops_and_renames(self, db: DataFlow) -> None:
        sell(db, {"region": "a", "amount": 1})
        assert aggregate(db, {"$project": {"amount": 1, "id": True}}) == [{"amount": 1, "id": 1}]
        dropped = dict.fromkeys(["id", "product", "price", "weight", "paid", "sold_at", "took", "tags"], 0)
        assert aggregate(db, {"$project": dropped}) == [{"region": "a", "amount": 1}]
        assert aggregate(
            db, {"$project": {"Region": "$region", "region": "$amount", "again": "$amount"}}
        ) == [{"Region": "a", "region": 1, "again": 1}]
        group = {"$group": {"_id": "$region", "sum": {"$sum": "$amount"}}}
        assert aggregate(db, group, {"$project": {"total": "$sum"}}) == [{"_id": "a", "total": 1}]
        assert aggregate(db, group, {"$project": {"_id": 0, "sum": 1, "region": "$_id"}}) == [
            {"region": "a", "sum": 1}
        ]
        assert aggregate(db, group, {"$project": {"_id": 0}}) == [{"sum": 1}]
        assert aggregate(db, group, {"$project": {"sum": 0}}) == [{"_id": "a"}]
        assert aggregate(db, {"$project": {"tags": 1}}) == [{"tags": []}]

    def test_count_tells_how_many_documents_arrive(self, db: DataFlow) -> None:
        sell(db, *of_each("region", ["a", "a", "b", None]))
        assert aggregate(db, {"$match": {"region": {"$ne": None}}}, {"$count": "n"}) == [{"n": 3}]
        assert aggregate(db, {"$group": {"_id": "$region"}}, {"$count": "regions"}) == [{"regions": 3}]

    @pytest.mark.parametrize(
        "name", ['"', "'; --", "a b", "größe", "A", "SELECT", "ß" * 200, "c1", "size", "q1", "%s", "?"]
    )
    def test_a_result_may_have_any_name(self, db: DataFlow, name: str) -> None:
        sell(db, {"region": "a"}, {"region": "b"}, {"region": "b"})
        assert aggregate(
            db,
            {"$group": {"_id": {name: "$region"}, name: {"$sum": 1}, name.swapcase() + "_": {"$sum": 2}}},
            {"$match": {name: {"$gt": 1}}},
            {"$sort": {name: 1}},
            {"$limit": 5},
            {"$project": {"_id": 1, name: 1}},
            {"$match": {name: 2}},
        ) == [{"_id": {name: "b"}, name: 2}]

    def test_a_pipeline_of_many_stages_is_still_one_statement(self, db: DataFlow) -> None:
        sell(db, *of_each("amount", range(60)))
        stages = [
            stage
            for number in range(25)
            for stage in ({"$limit": 60 - number}, {"$match": {"amount": {"$ne": 3 * number}}})
        ]
        expected = evaluate(aggregate(db), stages).documents
        assert len(expected) > 10
        assert aggregate(db, *stages) == expected

    def test_a_name_that_does_not_exist_is_refused_with_the_nearest(self, db: DataFlow) -> None:
        sell(db)
        wrong: list[tuple[list[Any], str]] = [
            ([{"$mach": {}}], r"stage 1 has no stage '\$mach'; did you mean '\$match'"),
            ([{"$lookup": {}}], r"stage 1 has no stage '\$lookup'"),
            ([{"$limit": 1}, {"$sort": {"amuont": 1}}], "no field 'amuont'; did you mean 'amount'"),
            ([{"$match": {"regoin": "a"}}], "no field 'regoin'; did you mean 'region'"),
            ([{"$group": {"_id": "$regoin"}}], "no field 'regoin'; did you mean 'region'"),
            (
                [{"$group": {"_id": None, "x": {"$sum": "$amonut"}}}],
                "no field 'amonut'; did you mean 'amount'",
            ),
            (
                [{"$group": {"_id": None, "x": {"$summ": "$amount"}}}],
                r"x has no accumulator '\$summ'; did you mean '\$sum'",
            ),
            ([{"$group": {"_id": None, "x": {"$push": "$amount"}}}], r"no accumulator '\$push'"),
            (
                [{"$group": {"_id": "$region", "n": {"$sum": 1}}}, {"$sort": {"region": 1}}],
                "no field 'region'",
            ),
            ([{"$project": {"region": 1}}, {"$match": {"amount": 1}}], "no field 'amount'"),
            ([{"$project": {"regions": 1}}], "no field 'regions'; did you mean 'region'"),
            ([{"$project": {"regions": 0}}], "no field 'regions'; did you mean 'region'"),
            ([{"$project": {"_id": 0}}], "no field '_id'"),
        ]
        for stages, message in wrong:
            with pytest.raises(UnknownName, match=message):
                aggregate(db, *stages)

    def test_what_cannot_be_aggregated_is_refused_before_any_statement(self, db: DataFlow) -> None:
        sell(db)
        for stages, message in [
            ("$match", "expected a list of stages"),
            ({"$match": {}}, "expected a list of stages"),
            ([{"$group": {"_id": {7: "$region"}}}], "names are texts"),
            ([{"$project": ["region"]}], "expected a dict"),
            ([{"$sort": ["region"]}], "expected a dict"),
            ([{"$group": {f"n{n}": {"$count": {}} for n in range(501)}}], "more than 500 fields"),
            ([{}], "stage 1: a stage is a dict with one key"),
            ([{"$limit": 1, "$skip": 1}], "a stage is a dict with one key"),
            (["$limit"], "a stage is a dict with one key"),
            ([{"$limit": 1}] * 51, "more than 50 stages"),
            ([{"$match": {"$or": [{"amount": 1}] * 5_001}}] * 2, "more than 10000 values"),
            ([{"$project": {f"field{number}": 1 for number in range(501)}}], "more than 500 fields"),
            ([{"$limit": 0}], "must be 1 or greater"),
            ([{"$limit": True}], "expected int, got bool"),
            ([{"$limit": "1"}], "expected int, got str"),
            ([{"$skip": -1}], "must be 0 or greater"),
            ([{"$count": "_id"}], "_id is the name of what a group is grouped by"),
            ([{"$skip": 2**63}], "64 bits"),
            ([{"$sort": {}}], "expected a dict such as"),
            ([{"$sort": {"amount": "asc"}}], "1 means ascending"),
            ([{"$sort": {"amount": True}}], "1 means ascending"),
            ([{"$sort": {"tags": 1}}], "tags holds JSON"),
            ([{"$group": {"n": {"$sum": 1}}}], "say by which field"),
            ([{"$group": {"_id": "region"}}], r"expected a field with a \$"),
            ([{"$group": {"_id": "$$ROOT"}}], r"expected a field with a \$"),
            ([{"$group": {"_id": {}}}], "expected a dict such as"),
            (
                [{"$group": {"_id": {"day": {"$dayOfYear": "$sold_at"}}}}],
                r"expressions are not supported.*\$dayOfYear",
            ),
            ([{"$group": {"_id": "$tags"}}], "tags holds JSON"),
            ([{"$group": {"_id": "$tags.0"}}], "a path into JSON is supported in"),
            ([{"$group": {"_id": None, "x": {"$sum": "$tags"}}}], "tags holds json, which is not added up"),
            (
                [{"$group": {"_id": None, "x": {"$sum": "$region"}}}],
                "region holds text, which is not added up",
            ),
            (
                [{"$group": {"_id": None, "x": {"$sum": "$paid"}}}],
                "paid holds boolean, which is not added up",
            ),
            ([{"$group": {"_id": None, "x": {"$avg": "$sold_at"}}}], "sold_at holds datetime"),
            ([{"$group": {"_id": None, "x": {"$avg": 1}}}], r"expected a field with a \$"),
            ([{"$group": {"_id": None, "x": {"$sum": True}}}], r"expected a field with a \$"),
            ([{"$group": {"_id": None, "x": {"$sum": 2**63}}}], "64 bits"),
            ([{"$group": {"_id": None, "x": {"$sum": float("nan")}}}], "NaN"),
            ([{"$group": {"_id": None, "x": {"$max": "$tags"}}}], "tags holds JSON"),
            ([{"$group": {"_id": None, "x": {"$count": 1}}}], "takes an empty dict"),
            (
                [{"$group": {"_id": None, "x": {"$sum": {"$multiply": ["$price", "$amount"]}}}}],
                r"not supported.*\$multiply",
            ),
            ([{"$group": {"_id": None, "x": 1}}], "expected one accumulator"),
            ([{"$group": {"_id": None, "x.y": {"$sum": 1}}}], "has no dot"),
            ([{"$group": {"_id": None, "$x": {"$sum": 1}}}], "does not begin with"),
            ([{"$group": {"_id": None, "": {"$sum": 1}}}], "is not empty"),
            ([{"$group": {"_id": None, "a\0": {"$sum": 1}}}], "a name is a text"),
            ([{"$count": ""}], "a name is a text"),
            ([{"$count": 1}], "a name is a text"),
            ([{"$project": {}}], "expected a dict such as"),
            ([{"$project": {"region": 1, "amount": 0}}], "either say what stays or what goes"),
            ([{"$project": {"x": {"$add": ["$amount", 1]}}}], "expressions are not supported"),
            ([{"$project": {"x": 2}}], "expressions are not supported"),
            ([{"$project": {"x": "region"}}], r"expected a field with a \$"),
            ([{"$group": {"_id": "$region"}}, {"$project": {"_id": 0}}], "no field is left"),
            ([{"$group": {"_id": None, "n": {"$sum": 1}}}, {"$match": {"n": "1"}}], "expected int, got str"),
        ]:
            with pytest.raises(InvalidValue, match=message) as caught:
                db.run_sync(db.nodes.SaleListNode(aggregate=stages))
            assert str(caught.value).startswith(("SaleListNode aggregate", "$group of Sale"))

    @pytest.mark.parametrize(
        ("name", "value", "stage"),
        [
            ("order_by", ["amount"], "$sort"),
            ("limit", 0, "$limit"),
            ("offset", 1, "$skip"),
            ("fields", ["amount"], "$project"),
            ("count_only", True, "$count"),
        ],
    )
    def test_what_the_pipeline_says_is_not_said_beside_it(
        self, db: DataFlow, name: str, value: object, stage: str
    ) -> None:
        sell(db)
        with pytest.raises(InvalidValue, match=rf"{name} cannot stand beside aggregate; write \{stage}"):
            aggregate(db, **{name: value})
        assert aggregate(db, **{name: None}) == []

    def test_a_workflow_refuses_a_wrong_pipeline_when_it_is_built(self, db: DataFlow) -> None:
        define_sale(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("SaleListNode", "top", {"aggregate": [{"$group": {"_id": "$prodcut"}}]})
        with pytest.raises(WorkflowBuildError, match="did you mean 'product'"):
            workflow.build()

    def test_a_workflow_aggregates_what_its_other_nodes_wrote(self, db: DataFlow) -> None:
        define_sale(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("SaleCreateNode", "one", {"region": "a", "amount": 1})
        workflow.add_node("SaleCreateNode", "two", {"region": "b", "amount": 2})
        total = {"$group": {"_id": None, "total": {"$sum": "$amount"}}}
        workflow.add_node("SaleListNode", "of_a", {"aggregate": [total]})
        workflow.add_node("SaleListNode", "of_all", {"aggregate": [total]})
        workflow.add_connection("one", "region", "of_a", "region")
        workflow.add_connection("two", "of_a")
        workflow.add_connection("two", "of_all")
        results, _ = LocalRuntime().execute(workflow.build())
        assert results["of_a"]["result"] == [{"_id": None, "total": 1}]
        assert results["of_all"]["result"] == [{"_id": None, "total": 3}]

    def test_a_message_shows_no_value(self, db: DataFlow) -> None:
        sell(db, {"amount": GREATEST}, {"amount": GREATEST})
        secret = "canary-7e1f"
        wrong: list[list[Any]] = [
            [{"$match": {"amount": secret}}],
            [{"$limit": secret}],
            [{"$group": {"_id": None, "x": {"$sum": [secret]}}}],
            [{"$match": {"amount": GREATEST}}, {"$group": {"_id": None, "x": {"$sum": "$amount"}}}],
        ]
        for stages in wrong:
            with pytest.raises(DataFlowError) as caught:
                aggregate(db, *stages)
            assert secret not in str(caught.value)
            assert str(GREATEST) not in str(caught.value)

    def test_generated_pipelines_do_what_plain_python_does(self, db: DataFlow) -> None:
        define_sale(db)
        rows = st.lists(
            st.fixed_dictionaries(
                {
                    name: VALUES[type] | st.none() if name in NULLABLE else VALUES[type]
                    for name, type in COLUMNS.items()
                }
            ),
            max_size=8,
        )
        numbers = count(1)

        @MANY
        @given(rows=rows, stages=pipelines(COLUMNS, VALUES))
        def check(rows: list[dict[str, Any]], stages: list[dict[str, Any]]) -> None:
            # A batch of its own for each example: to make a table anew would take much longer.
            table = [{"id": next(numbers), **row} for row in rows]
            if table:
                db.run_sync(db.nodes.SaleBulkCreateNode(data=table))
            ids = [row["id"] for row in table]
            found = aggregate(db, *stages, filter={"id": {"$in": ids}})
            stored = [{**row, "tags": []} for row in table]
            expected, ordered = evaluate(stored, stages)
            agree = alike if ordered else alike_in_some_order
            assert agree(found, expected), f"{found}\nexpected: {expected}"

        check()
