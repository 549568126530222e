"""Listed rows include those that they refer to, and those that refer to them."""

from typing import Annotated, Any, ClassVar

import pytest

from dataflow import DataFlow, Field, ForeignKey, LocalRuntime, WorkflowBuilder
from dataflow.errors import InvalidValue, UnknownName, ValidationError, WorkflowBuildError
from dataflow.execution.executor import Executor
from dataflow.statements import Select, Statement

__all__ = ["InclusionTests"]

Rows = list[dict[str, Any]]


class Seen:
    """An observer that notes the models of which rows are read."""

    def __init__(self) -> None:
        self.models: list[str] = []

    def executed(self, statement: Statement, sql: str, seconds: float, error: BaseException | None) -> None:
        if isinstance(statement, Select):
            self.models.append(statement.model.name)


def watched(db: DataFlow) -> list[str]:
    """The models that are read from now on; to be called before any is defined."""
    seen = Seen()
    database = db.databases()["primary"]
    database.executor = Executor(database.dialect, observers=[seen])
    return seen.models


def define_shop(db: DataFlow) -> None:
    """Customers, one of whom has recommended another, their orders, and the lines of these."""

    @db.model
    class Customer:
        name: str
        email: Annotated[str, Field(unique=True, max_length=100)]
        friend_id: Annotated[int, ForeignKey("Customer")] | None
        __dataflow__: ClassVar = {"timestamps": False}

    @db.model
    class Order:
        customer_id: Annotated[int, ForeignKey("Customer")] | None
        total: int
        __dataflow__: ClassVar = {"timestamps": False, "soft_delete": True}

    @db.model
    class Line:
        order_id: Annotated[int, Field(primary_key=True), ForeignKey("Order")]
        number: int = Field(primary_key=True)
        buyer: Annotated[str, Field(max_length=100), ForeignKey("Customer.email")] | None
        payer_email: Annotated[str, Field(max_length=100), ForeignKey("Customer.email")] | None
        __dataflow__: ClassVar = {"timestamps": False}

    people = [("Ann", "a@x", None), ("Bob", "b@x", 1), ("Cy", "c@x", 1)]
    db.run_sync(
        db.nodes.CustomerBulkCreateNode(
            data=[{"name": name, "email": email, "friend_id": friend} for name, email, friend in people]
        )
    )
    orders = [(1, 10), (2, 20), (1, 30), (None, 40)]
    db.run_sync(
        db.nodes.OrderBulkCreateNode(
            data=[{"customer_id": customer, "total": total} for customer, total in orders]
        )
    )
    lines = [(3, 1, "a@x", "a@x"), (1, 2, "b@x", None), (1, 1, None, "a@x")]
    db.run_sync(
        db.nodes.LineBulkCreateNode(
            data=[
                {"order_id": order, "number": number, "buyer": buyer, "payer_email": payer}
                for order, number, buyer, payer in lines
            ]
        )
    )


def rows(db: DataFlow, model: str, **parameters: Any) -> Rows:
    records: Rows = db.run_sync(getattr(db.nodes, f"{model}ListNode")(**parameters))["records"]
    return records


class InclusionTests:
    """``include`` brings rows of other models, with one more statement for each of them."""

    def test_the_row_that_is_referred_to(self, db: DataFlow) -> None:
        define_shop(db)
        ann, bob = rows(db, "Customer", filter={"id": {"$lte": 2}}, order_by=["id"])
        orders = rows(db, "Order", include=["customer"], order_by=["id"])
        assert [order["customer"] for order in orders] == [ann, bob, ann, None]
        assert [order["customer_id"] for order in orders] == [1, 2, 1, None]
        orders[0]["customer"]["name"] = "Eve"
        assert orders[2]["customer"]["name"] == "Ann"

    def test_the_rows_that_refer_to_it_in_the_order_of_their_key(self, db: DataFlow) -> None:
        define_shop(db)
        [ann, bob, cy] = rows(db, "Customer", include=["orders"], order_by=["id"])
        assert [order["total"] for order in ann["orders"]] == [10, 30]
        assert bob["orders"] == rows(db, "Order", filter={"id": 2})
        assert cy["orders"] == []
        [order] = rows(db, "Order", filter={"id": 1}, include=["lines"])
        assert [line["number"] for line in order["lines"]] == [1, 2]

    def test_each_relation_is_one_statement_however_many_rows_there_are(self, db: DataFlow) -> None:
        seen = watched(db)
        define_shop(db)
        for parameters in ({}, {"filter": {"total": {"$gt": 10}}}, {"limit": 2}):
            seen.clear()
            rows(db, "Order", include=["customer", "lines"], **parameters)
            assert seen == ["Order", "Customer", "Line"]
        seen.clear()
        assert rows(db, "Order", include=["customer"], filter={"total": 0}) == []
        assert len(rows(db, "Order", include=["customer"], filter={"total": 40})) == 1
        assert seen == ["Order", "Order"]

    def test_a_model_that_refers_to_itself(self, db: DataFlow) -> None:
        define_shop(db)
        [ann, bob, _] = rows(db, "Customer", include=["friend", "customers"], order_by=["id"])
        assert (ann["friend"], [one["name"] for one in ann["customers"]]) == (None, ["Bob", "Cy"])
        assert (bob["friend"]["name"], bob["customers"]) == ("Ann", [])

    def test_two_fields_that_refer_to_one_model_are_told_apart(self, db: DataFlow) -> None:
        define_shop(db)
        line = rows(db, "Line", include=["buyer_customer", "payer"], filter={"number": 2})[0]
        assert (line["buyer_customer"]["name"], line["payer"]) == ("Bob", None)
        ann = rows(db, "Customer", include=["lines_by_buyer", "lines_by_payer_email"], filter={"id": 1})[0]
        assert [line["order_id"] for line in ann["lines_by_buyer"]] == [3]
        assert [line["order_id"] for line in ann["lines_by_payer_email"]] == [1, 3]
        with pytest.raises(InvalidValue, match="write 'lines_by_buyer' or 'lines_by_payer_email'"):
            rows(db, "Customer", include=["lines"])

    def test_fields_that_were_not_asked_for_are_left_out(self, db: DataFlow) -> None:
        define_shop(db)
        [order] = rows(db, "Order", fields=["total"], include=["customer", "lines"], filter={"id": 3})
        assert order.keys() == {"total", "customer", "lines"}
        assert (order["customer"]["name"], len(order["lines"])) == ("Ann", 1)
        [order] = rows(db, "Order", fields=["customer_id"], include=["customer"], filter={"id": 3})
        assert order.keys() == {"customer_id", "customer"}

    def test_deleted_rows_are_not_included(self, db: DataFlow) -> None:
        define_shop(db)
        db.run_sync(db.nodes.OrderDeleteNode(id=1))
        [ann] = rows(db, "Customer", include=["orders"], filter={"id": 1})
        assert [order["id"] for order in ann["orders"]] == [3]
        [line] = rows(db, "Line", include=["order"], filter={"number": 2})
        assert (line["order_id"], line["order"]) == (1, None)
        orders = rows(db, "Order", include=["customer"], include_deleted=True, filter={"id": 1})
        assert orders[0]["customer"]["name"] == "Ann"

    def test_many_rows(self, db: DataFlow) -> None:
        define_shop(db)
        db.run_sync(db.nodes.OrderBulkCreateNode(data=[{"customer_id": 2, "total": n} for n in range(5_000)]))
        [bob] = rows(db, "Customer", include=["orders"], filter={"id": 2})
        assert len(bob["orders"]) == 5_001
        orders = rows(db, "Order", include=["lines", "customer"])
        assert sum(len(order["lines"]) for order in orders) == 3
        assert sum(order["customer"] is None for order in orders) == 1

    def test_what_cannot_be_included_is_said_before_any_statement(self, db: DataFlow) -> None:
        seen = watched(db)
        define_shop(db)
        seen.clear()
        with pytest.raises(UnknownName, match="did you mean 'customer'"):
            rows(db, "Order", include=["custmer"])
        with pytest.raises(InvalidValue, match="customer and customer_id_customer are the same"):
            rows(db, "Order", include=["customer", "customer_id_customer"])
        with pytest.raises(InvalidValue, match="expected a list of names"):
            rows(db, "Order", include="customer")
        with pytest.raises(InvalidValue, match="count_only"):
            rows(db, "Order", include=["customer"], count_only=True)
        with pytest.raises(InvalidValue, match="aggregate"):
            rows(db, "Order", include=["customer"], aggregate=[{"$count": "n"}])
        with pytest.raises(ValidationError, match="stream"):
            db.stream("OrderListNode", include=["customer"])
        builder = WorkflowBuilder(db)
        builder.add_node("OrderListNode", "orders", {"include": ["custmer"]})
        with pytest.raises(WorkflowBuildError, match="did you mean 'customer'"):
            builder.build()
        assert seen == []

    def test_in_a_workflow_and_its_explanation(self, db: DataFlow) -> None:
        define_shop(db)
        builder = WorkflowBuilder(db)
        builder.add_node("CustomerListNode", "people", {"include": ["orders", "friend"], "order_by": ["id"]})
        workflow = builder.build()
        sql = workflow.explain().nodes[0].sql or ""
        assert [part.split('"')[1].strip("`") for part in sql.replace("`", '"').split("; ")] == [
            "customers",
            "orders",
            "customers",
        ]
        results, _ = LocalRuntime().execute(workflow)
        assert [len(one["orders"]) for one in results["people"]["records"]] == [2, 1, 0]
