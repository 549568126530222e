"""Aggregations that make no sense: refused by name, before any statement."""

from typing import Any

import pytest

from dataflow import DataFlow, WorkflowBuilder
from dataflow.errors import DataFlowError, InvalidValue, UnknownName, WorkflowBuildError
from dataflow.testing.conformance.sales import GREATEST, aggregate, define_sale, sell

__all__ = ["PipelineMistakeTests"]


class PipelineMistakeTests:
    """A pipeline that cannot be right is refused."""

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
            ([{"$project": {"_id": 0, "region": 1}}], "no field '_id'"),
            ([{"$project": {"_id": 1}}], "no field '_id'"),
            ([{"$project": {"where": "$regoin"}}], "no field 'regoin'; did you mean 'region'"),
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
            ([{"$group": {"_id": "$"}}], r"expected a field with a \$"),
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
