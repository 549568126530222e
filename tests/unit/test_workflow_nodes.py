"""Adding nodes: their ids, their types, their parameters, and what is said of those that are wrong."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import FrozenInstanceError
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.abc import Codec
from dataflow.errors import DataFlowError, WorkflowBuildError, WorkflowError
from dataflow.sqlite.dialect import SQLiteDialect
from dataflow.types import ColumnType


@pytest.fixture
def db() -> Iterator[DataFlow]:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Order:
            customer: str
            total: int
            status: str = "pending"

        yield db


def problems(builder: WorkflowBuilder) -> tuple[str, ...]:
    with pytest.raises(WorkflowBuildError) as caught:
        builder.build()
    for problem in caught.value.problems:
        assert problem in str(caught.value)
    return caught.value.problems


def only_problem(builder: WorkflowBuilder) -> str:
    (problem,) = problems(builder)
    return problem


def test_what_is_known_is_checked_though_the_rest_is_connected(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderListNode", "all")
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("OrderCreateNode", {"customer": "Ann", "total": "x"}),
        ("OrderReadNode", {"conditions": "total = :total AND status = :status", "total": "x"}),
        ("OrderReadNode", {"conditions": {"total": "x"}}),
        ("OrderUpdateNode", {"id": 1, "total": "x"}),
        ("OrderUpdateNode", {"id": 1, "updates": {"total": "x"}}),
        ("OrderUpdateNode", {"id": "x"}),
        ("OrderDeleteNode", {"conditions": "total > :total AND status = :status", "total": "x"}),
        ("OrderListNode", {"filter": {"total": "x"}}),
        ("OrderBulkCreateNode", {"data": [{"customer": "Ann", "total": "x"}]}),
        ("OrderBulkCreateNode", {"data": [], "total": "x"}),
        ("OrderBulkUpdateNode", {"filter": {"total": "x"}}),
        ("OrderBulkUpsertNode", {"data": [{"id": 1, "total": "x"}]}),
    ]
    for number, (kind, parameters) in enumerate(wrong):
        builder.add_node(kind, f"{number}", parameters)
        builder.add_connection("all", "result", f"{number}", "status")
    assert [problem.partition(":")[0] for problem in problems(builder)] == [
        f"node '{number}'" for number in range(len(wrong))
    ]


def test_what_is_lacking_though_something_is_connected_is_known_at_build(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderListNode", "all")
    builder.add_node("OrderCreateNode", "new", {"total": 1})
    builder.add_connection("all", "count", "new", "status")
    assert builder.build().lacking == ("new",)


# Ids


def test_add_node_returns_the_id(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    assert builder.add_node("OrderListNode", "all orders", {}) == "all orders"
    assert [step.id for step in builder.build()] == ["all orders"]


def test_an_id_is_made_where_none_is_given_and_never_one_that_is_taken(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    taken = builder.add_node("OrderListNode")
    second = WorkflowBuilder(db)
    assert second.add_node("OrderListNode", taken) == taken
    made = [second.add_node("OrderListNode") for _ in range(3)]
    made += [second.add_node(lambda: 1), second.add_node(lambda: 2), second.add_node(db.nodes.OrderListNode)]
    assert len({taken, *made}) == 7
    assert all(made)
    assert [step.id for step in second.build()] == [taken, *made]


def test_an_id_that_was_made_can_be_connected(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    first = builder.add_node("OrderListNode")
    second = builder.add_node("OrderListNode")
    builder.add_connection(second, first)
    assert [step.id for step in builder.build()] == [second, first]


def test_an_id_that_is_used_twice_is_named(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    for id in ("a", "b", "a", "a"):
        builder.add_node("OrderListNode", id)
    assert only_problem(builder) == "the id 'a' is used twice"


@pytest.mark.parametrize("id", ["", 5, b"a"])
def test_an_id_is_a_text(id: Any, db: DataFlow) -> None:
    with pytest.raises(WorkflowError, match="id"):
        WorkflowBuilder(db).add_node("OrderListNode", id)


# Types


def test_an_unknown_type_suggests_the_nearest(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderCraeteNode", "make", {"customer": "Ann", "total": 1})
    problem = only_problem(builder)
    assert "'make'" in problem
    assert "'OrderCraeteNode'" in problem
    assert "did you mean 'OrderCreateNode'?" in problem


def test_what_is_neither_name_nor_function_is_no_node(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    nothing: Any = 7
    builder.add_node(nothing, "seven")
    assert "'seven'" in only_problem(builder)


def test_a_workflow_without_nodes_is_no_workflow() -> None:
    assert "no nodes" in only_problem(WorkflowBuilder())


# Parameters


def test_an_unknown_field_suggests_the_nearest(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderCreateNode", "make", {"costumer": "Ann", "total": 1})
    problem = only_problem(builder)
    assert "'make'" in problem
    assert "'costumer'" in problem
    assert "did you mean 'customer'?" in problem


@pytest.mark.parametrize(
    ("type", "parameters", "wrong", "right"),
    [
        ("OrderListNode", {"fliter": {}}, "fliter", "filter"),
        ("OrderListNode", {"filter": {"totl": 1}}, "totl", "total"),
        ("OrderListNode", {"filter": {"total": {"$gtee": 1}}}, "$gtee", "$gte"),
        ("OrderListNode", {"order_by": ["-totla"]}, "totla", "total"),
        ("OrderListNode", {"fields": ["custmer"]}, "custmer", "customer"),
        ("OrderReadNode", {"oder_id": 1}, "oder_id", "order_id"),
        ("OrderReadNode", {"condition": {"id": 1}}, "condition", "conditions"),
        ("OrderReadNode", {"conditions": {"custommer": "Ann"}}, "custommer", "customer"),
        ("OrderUpdateNode", {"id": 1, "updates": {"statsu": "x"}}, "statsu", "status"),
        ("OrderUpdateNode", {"id": 1, "update": {"status": "x"}}, "update", "updates"),
        ("OrderDeleteNode", {"order_idd": 1}, "order_idd", "order_id"),
        ("OrderBulkCreateNode", {"date": []}, "date", "data"),
        ("OrderBulkCreateNode", {"data": [{"customr": "Ann", "total": 1}]}, "customr", "customer"),
        ("OrderBulkCreateNode", {"data": [], "batch_sise": 10}, "batch_sise", "batch_size"),
        ("SQLNode", {"sql": "SELECT :amount", "parameters": {"amuont": 1}}, "amuont", "amount"),
        ("SQLNode", {"sql": "SELECT :amount", "amont": 1}, "amont", "amount"),
    ],
)
def test_an_unknown_name_is_named_and_the_nearest_suggested(
    type: str, parameters: dict[str, object], wrong: str, right: str, db: DataFlow
) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node(type, "it", parameters)
    problem = only_problem(builder)
    assert problem.startswith("node 'it': ")
    assert repr(wrong) in problem
    assert f"did you mean {right!r}?" in problem


@pytest.mark.parametrize(
    ("type", "parameters"),
    [
        ("OrderCreateNode", {"customer": 5, "total": 31337}),
        ("OrderCreateNode", {"customer": "Ann", "total": "secret value"}),
        ("OrderReadNode", {"id": "secret value"}),
        ("OrderListNode", {"limit": "secret value"}),
        ("OrderListNode", {"limit": -1}),
        ("OrderListNode", {"filter": "secret value"}),
        ("OrderListNode", {"count_only": "secret value"}),
        ("OrderUpdateNode", {"id": 1, "updates": "secret value"}),
        ("OrderBulkCreateNode", {"data": "secret value"}),
        ("OrderBulkCreateNode", {"data": [{"customer": "Ann", "total": "secret value"}]}),
        ("OrderBulkCreateNode", {"data": [], "batch_size": 0}),
        ("SQLNode", {"sql": "SELECT 1; SELECT 2"}),
        ("SQLNode", {"sql": "COMMIT"}),
        ("SQLNode", {"sql": "SELECT ?"}),
        ("SQLNode", {"sql": ""}),
        ("SQLNode", {"sql": "SELECT 'unclosed"}),
        ("SQLNode", {"sql": 5}),
        ("SQLNode", {"sql": "SELECT :a", "a": object()}),
    ],
)
def test_a_value_that_can_be_refused_at_build_is_refused_and_not_shown(
    type: str, parameters: dict[str, object], db: DataFlow
) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node(type, "it", parameters)
    problem = only_problem(builder)
    assert problem.startswith("node 'it': ")
    assert "secret" not in problem
    assert "31337" not in problem


def test_parameters_are_a_dict(db: DataFlow) -> None:
    pairs: Any = [("customer", "Ann")]
    with pytest.raises(WorkflowError, match=r"'it'.*dict"):
        WorkflowBuilder(db).add_node("OrderCreateNode", "it", pairs)


def test_parameters_that_change_later_do_not_change_the_workflow(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    parameters: dict[str, object] = {"customer": "Ann", "total": 1}
    builder.add_node("OrderCreateNode", "it", parameters)
    parameters["nonsense"] = 1
    (step,) = builder.build()
    assert dict(step.parameters) == {"customer": "Ann", "total": 1}


# Everything at once


def test_all_that_is_wrong_is_said_at_once(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderListNode", "twice")
    builder.add_node("OrderListNode", "twice")
    builder.add_node("OdrerListNode", "mistyped")
    builder.add_node("OrderCreateNode", "field", {"costumer": "Ann"})
    builder.add_node("OrderListNode", "c1")
    builder.add_node("OrderListNode", "c2")
    builder.add_connection("c1", "c2")
    builder.add_connection("c2", "c1")
    builder.add_connection("twice", "nobody")
    builder.add_connection("twice", "c1", condition="status == 'done'")
    builder.add_connection("twice", "recrods", "field", "customer")
    builder.add_connection("twice", "c1", condition="count >")
    found = problems(builder)
    for part in (
        "'twice' is used twice",
        "'OdrerListNode'",
        "'costumer'",
        "circle",
        "'nobody'",
        "never holds",
        "'recrods'",
        "count >",
    ):
        assert sum(part in problem for problem in found) == 1, part
    assert len(found) == 8


def test_a_node_of_an_unknown_type_is_not_reported_a_second_time_through_its_connections(
    db: DataFlow,
) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OdrerListNode", "a")
    builder.add_node(lambda x: x, "b")
    builder.add_connection("a", "records", "b", "x")
    assert "'OdrerListNode'" in only_problem(builder)


# The result


def test_a_workflow_is_frozen(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderCreateNode", "make", {"customer": "Ann", "total": 1})
    builder.add_node(lambda id: id, "use")
    builder.add_connection("make", "id", "use", "id")
    workflow: Any = builder.build()
    first, second = workflow.steps
    with pytest.raises(FrozenInstanceError):
        workflow.steps = ()
    with pytest.raises(AttributeError):
        first.id = "other"
    with pytest.raises(TypeError):
        first.parameters["customer"] = "Bob"
    with pytest.raises(TypeError):
        second.inputs["id"] = ()
    assert isinstance(workflow.steps, tuple)
    assert isinstance(workflow.edges, tuple)


def test_a_builder_goes_on_after_build_and_the_first_workflow_stays_what_it_was(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderListNode", "a")
    first = builder.build()
    again = builder.build()
    builder.add_node("OrderListNode", "b")
    builder.add_connection("b", "a")
    second = builder.build()
    assert [step.id for step in first] == [step.id for step in again] == ["a"]
    assert [step.id for step in second] == ["b", "a"]
    assert first.edges == ()


def test_a_builder_can_be_repaired(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderListNode", "a")
    builder.add_connection("a", "b")
    assert "'b'" in only_problem(builder)
    builder.add_node("OrderListNode", "b")
    assert [step.id for step in builder.build()] == ["a", "b"]


# What is settled when a workflow is built


@pytest.fixture
def shop(db: DataFlow) -> DataFlow:
    @db.model
    class Item:
        name: str
        price: Decimal
        __dataflow__: ClassVar = {"timestamps": False}

    @db.model
    class Draft:
        title: str
        __dataflow__: ClassVar = {"timestamps": False, "versioned": True}

    db.run_sync(db.nodes.OrderCreateNode(customer="Ann", total=1))
    return db


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("OrderReadNode", {"id": 1}),
        ("OrderReadNode", {"conditions": "total = :total", "total": 1}),
        ("OrderListNode", {"filter": {"total": {"$gt": 0}}, "order_by": ["-total"]}),
        ("OrderDeleteNode", {"id": 7}),
        ("OrderBulkDeleteNode", {"filter": {"total": 7}}),
    ],
)
def test_a_node_that_means_the_same_each_time_is_read_once(
    shop: DataFlow, kind: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = WorkflowBuilder(shop)
    builder.add_node(kind, "x", parameters)
    workflow = builder.build()
    expected, _ = LocalRuntime().execute(workflow)
    monkeypatch.setattr(type(workflow.steps[0].node), "prepare", None)
    results, _ = LocalRuntime().execute(workflow)
    assert results == expected


def test_a_node_that_notes_the_time_is_read_each_time(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderCreateNode", "new", {"customer": "Ann", "total": 1})
    builder.add_node(
        "OrderBulkCreateNode", "more", {"data": [{"customer": "Bob", "total": 1}], "return_rows": True}
    )
    builder.add_node("OrderUpdateNode", "old", {"id": 1, "total": 2})
    workflow = builder.build()
    times = []
    for _ in range(2):
        results, _ = LocalRuntime().execute(workflow)
        times += [
            results["new"]["created_at"],
            results["more"]["result"][0]["created_at"],
            results["old"]["updated_at"],
        ]
    assert len(set(times)) == 6
    assert times == sorted(times)


@pytest.mark.parametrize(("certain", "alone"), [(True, True), (False, False)])
def test_a_row_whose_values_can_certainly_be_read_is_changed_without_a_transaction_around_it(
    certain: bool, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def codec(self: object, type: ColumnType) -> Codec:
        return Codec(None, str, certain=certain)

    monkeypatch.setattr(SQLiteDialect, "codec", codec)
    with DataFlow() as db:

        @db.model
        class Note:
            text: str

        builder = WorkflowBuilder(db)
        builder.add_node("NoteUpdateNode", "x", {"id": 1, "text": "new"})
        assert ("a transaction by itself" in builder.build().explain().transaction) is alone


@pytest.mark.parametrize(
    ("kind", "parameters", "alone"),
    [
        ("OrderCreateNode", {"customer": "Ann", "total": 1}, True),
        ("OrderReadNode", {"id": 1}, True),
        ("OrderReadNode", {"conditions": {"total": 1}}, True),
        ("OrderListNode", {}, True),
        ("OrderListNode", {"aggregate": [{"$count": "n"}]}, True),
        ("DraftUpdateNode", {"id": 1, "title": "x"}, True),
        ("DraftUpdateNode", {"id": 1, "updates": {"title": "x"}}, True),
        # A second match is noticed after the statement, and so is a version that is another one.
        ("DraftUpdateNode", {"conditions": {"title": "a"}, "updates": {"title": "x"}}, False),
        ("DraftUpdateNode", {"id": 1, "title": "x", "version": 1}, False),
        # A price that cannot be read would be noticed after the statement as well.
        ("ItemUpdateNode", {"id": 1, "name": "x"}, False),
        ("DraftDeleteNode", {"id": 1}, True),
        ("DraftDeleteNode", {"id": 1, "version": 1}, False),
        ("DraftDeleteNode", {"conditions": {"title": "a"}}, False),
        ("OrderBulkCreateNode", {"data": []}, False),
        ("OrderBulkUpsertNode", {"data": []}, False),
        ("OrderBulkUpdateNode", {"filter": {"total": 1}, "update": {"total": 2}}, True),
        ("OrderBulkUpdateNode", {"data": [{"id": 1, "total": 2}]}, False),
        ("OrderBulkDeleteNode", {"filter": {"total": 9}}, True),
        ("SQLNode", {"sql": "SELECT 1 AS one"}, True),
        ("SQLNode", {"sql": "DELETE FROM orders"}, False),
    ],
)
def test_a_single_statement_that_nothing_can_refuse_afterwards_is_a_transaction_by_itself(
    shop: DataFlow, kind: str, parameters: dict[str, Any], alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = WorkflowBuilder(shop)
    builder.add_node(kind, "x", parameters)
    workflow = builder.build()
    assert ("a transaction by itself" in workflow.explain().transaction) is alone

    dialect = shop.databases()["primary"].dialect
    begin, begun = type(dialect).begin, []

    def noted(self: Any, *, writes: bool) -> str:
        begun.append(writes)
        return begin(self, writes=writes)

    for model in ("Order", "Item", "Draft"):  # makes the tables
        shop.run_sync(getattr(shop.nodes, f"{model}ListNode")())
    monkeypatch.setattr(type(dialect), "begin", noted)
    for run in (
        lambda: LocalRuntime().execute(workflow),
        lambda: shop.run_sync(getattr(shop.nodes, kind)(**parameters)),
    ):
        begun.clear()
        with suppress(DataFlowError):  # there is no such row
            run()
        assert begun == ([] if alone else [True]), kind
