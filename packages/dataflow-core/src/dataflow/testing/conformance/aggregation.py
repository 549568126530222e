"""Aggregations: each stage by hand."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.testing.conformance.sales import aggregate, define_sale, of_each, sell
from dataflow.testing.oracle.pipelines import evaluate

__all__ = ["AggregationTests"]


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

    def test_the_id_of_a_group_of_all_is_null_to_the_stages_after_it(self, db: DataFlow) -> None:
        sell(db, *of_each("amount", [1, 2]))
        group = {"$group": {"_id": None, "total": {"$sum": "$amount"}}}
        found = [{"_id": None, "total": 3}]
        assert aggregate(db, group, {"$match": {"_id": None}}) == found
        assert aggregate(db, group, {"$match": {"_id": {"$ne": "a"}}}) == found
        assert aggregate(db, group, {"$match": {"_id": {"$exists": True}}}) == []
        assert aggregate(db, group, {"$sort": {"_id": 1}}) == found

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
