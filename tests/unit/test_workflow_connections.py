"""Connections: every form, what is ambiguous, what is only an order, circles and conditions."""

import time
from collections.abc import Iterator

import pytest

from dataflow import DataFlow, WorkflowBuilder
from dataflow.errors import DataFlowError, WorkflowBuildError, WorkflowError
from dataflow.workflow.graph import Workflow


@pytest.fixture
def db() -> Iterator[DataFlow]:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Order:
            customer: str
            total: int
            status: str = "pending"

        yield db


def giving() -> dict[str, int]:
    return {"x": 1, "y": 2}


def taking(x: object = None, y: object = None, z: object = None) -> None:
    return None


def two_nodes() -> WorkflowBuilder:
    builder = WorkflowBuilder()
    builder.add_node(taking, "b")
    builder.add_node(giving, "a")
    return builder


def edge(workflow: Workflow) -> tuple[str, str, str | None, str | None]:
    (edge,) = workflow.edges
    return edge.source, edge.target, None if edge.output is None else str(edge.output), edge.input


def only_problem(builder: WorkflowBuilder) -> str:
    with pytest.raises(WorkflowBuildError) as caught:
        builder.build()
    (problem,) = caught.value.problems
    return problem


# The forms


@pytest.mark.parametrize("condition", [None, "status == 'success'"])
@pytest.mark.parametrize(
    ("names", "meaning"),
    [
        (("a", "b"), ("a", "b", None, None)),
        (("a", "b", "x"), ("a", "b", "x", "x")),
        (("a", "x", "b", "y"), ("a", "b", "x", "y")),
        (("a", "b", "x", "y"), ("a", "b", "x", "y")),
        (("a", "x.0.id", "b", "y"), ("a", "b", "x.0.id", "y")),
        (("a", "b", "x.0.id", "y"), ("a", "b", "x.0.id", "y")),
        (("a", "result", "b", "input"), ("a", "b", None, None)),
        (("a", "b", "result", "input"), ("a", "b", None, None)),
        # A name that is an id too is harmless where no other reading exists.
        (("a", "x", "b", "a"), ("a", "b", "x", "a")),
        (("a", "b", "x", "b"), ("a", "b", "x", "b")),
        (("a", "b", "b"), ("a", "b", "b", "b")),
    ],
)
def test_every_form_is_understood(
    names: tuple[str, ...], meaning: tuple[str, str, str | None, str | None], condition: str | None
) -> None:
    def open_handed(**inputs: object) -> None:
        return None

    builder = WorkflowBuilder()
    builder.add_node(taking if "input" in names else open_handed, "b")
    builder.add_node(giving, "a")
    first, *rest = names
    builder.add_connection(first, *rest, condition=condition)
    workflow = builder.build()
    assert edge(workflow) == meaning
    assert [step.id for step in workflow] == ["a", "b"]
    assert (workflow.edges[0].condition is None) == (condition is None)


def test_two_readings_are_an_error_that_names_both() -> None:
    builder = two_nodes()
    builder.add_node(giving, "x")
    builder.add_connection("a", "x", "b", "y")
    problem = only_problem(builder)
    assert "'x'" in problem
    assert "'b'" in problem


def test_the_order_of_adding_does_not_matter_to_a_form() -> None:
    """Connections may come before the nodes that they connect."""
    builder = WorkflowBuilder()
    builder.add_connection("a", "x", "b", "y")
    builder.add_node(taking, "b")
    builder.add_node(giving, "a")
    assert edge(builder.build()) == ("a", "b", "x", "y")


@pytest.mark.parametrize("rest", [(), ("b", "x", "y", "z")])
def test_another_number_of_names_is_refused_at_once(rest: tuple[str, ...]) -> None:
    with pytest.raises(WorkflowError, match="add_connection takes"):
        WorkflowBuilder().add_connection("a", *rest)


def test_names_are_texts() -> None:
    names: list[object] = ["a", 5]
    with pytest.raises(WorkflowError, match="texts"):
        WorkflowBuilder().add_connection(*names)  # type: ignore[arg-type]


def test_a_condition_is_a_text() -> None:
    wrong: object = 5

    def build() -> None:
        builder = two_nodes()
        builder.add_connection("a", "b", condition=wrong)  # type: ignore[arg-type]
        builder.build()

    with pytest.raises(DataFlowError, match="condition"):
        build()


@pytest.mark.parametrize("names", [("ann", "b"), ("a", "bb"), ("a", "bb", "x"), ("a", "x", "bb", "y")])
def test_an_unknown_node_is_named(names: tuple[str, ...]) -> None:
    builder = two_nodes()
    builder.add_connection(*names)
    problem = only_problem(builder)
    assert repr("ann" if "ann" in names else "bb") in problem or "'x'" in problem


def test_an_unknown_node_suggests_the_nearest() -> None:
    builder = two_nodes()
    builder.add_node(giving, "create_order")
    builder.add_connection("crate_order", "b")
    assert "did you mean 'create_order'?" in only_problem(builder)


def test_a_node_cannot_feed_itself() -> None:
    builder = two_nodes()
    builder.add_connection("b", "b", "x")
    assert "itself" in only_problem(builder)


@pytest.mark.parametrize("path", [".x", "x.", "x..id", ""])
def test_a_path_with_a_hole_is_refused(path: str) -> None:
    builder = two_nodes()
    builder.add_connection("a", path, "b", "y")
    assert "connection" in only_problem(builder)


# Outputs and inputs


def test_an_unknown_output_suggests_the_nearest(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderListNode", "all")
    builder.add_node(taking, "use")
    builder.add_connection("all", "recrods.0.id", "use", "x")
    problem = only_problem(builder)
    assert "'recrods'" in problem
    assert "did you mean 'records'?" in problem


def test_an_unknown_input_suggests_the_nearest(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node(giving, "a")
    builder.add_node("OrderReadNode", "read")
    builder.add_connection("a", "x", "read", "odrer_id")
    problem = only_problem(builder)
    assert "'read'" in problem
    assert "did you mean 'order_id'?" in problem


def test_an_unknown_input_of_a_function_suggests_the_nearest() -> None:
    def greet(name: str) -> str:
        return name

    builder = WorkflowBuilder()
    builder.add_node(giving, "a")
    builder.add_node(greet, "greet", {"name": "Ann"})
    builder.add_connection("a", "x", "greet", "nmae")
    assert "did you mean 'name'?" in only_problem(builder)


@pytest.mark.parametrize("type", ["OrderCreateNode", "OrderReadNode", "OrderListNode", "OrderBulkCreateNode"])
def test_input_only_orders(type: str, db: DataFlow) -> None:
    parameters: dict[str, dict[str, object]] = {
        "OrderCreateNode": {"customer": "Ann", "total": 1},
        "OrderReadNode": {"id": 1},
        "OrderListNode": {},
        "OrderBulkCreateNode": {"data": []},
    }
    builder = WorkflowBuilder(db)
    builder.add_node(type, "second", parameters[type])
    builder.add_node("OrderListNode", "first")
    builder.add_connection("first", "result", "second", "input")
    workflow = builder.build()
    assert [step.id for step in workflow] == ["first", "second"]
    assert edge(workflow) == ("first", "second", None, None)


def test_input_feeds_a_function_that_has_a_parameter_of_that_name() -> None:
    builder = WorkflowBuilder()
    builder.add_node(giving, "a")
    builder.add_node(lambda input: input, "b")
    builder.add_connection("a", "x", "b", "input")
    assert edge(builder.build()) == ("a", "b", "x", "input")


def test_an_input_that_is_a_parameter_too_is_an_error() -> None:
    builder = WorkflowBuilder()
    builder.add_node(giving, "a")
    builder.add_node(taking, "b", {"y": 5})
    builder.add_connection("a", "x", "b", "y")
    problem = only_problem(builder)
    assert "'b'" in problem
    assert "'y'" in problem


# The order


def test_nodes_keep_the_order_in_which_they_were_added_where_nothing_else_is_said() -> None:
    builder = WorkflowBuilder()
    for id in "dbca":
        builder.add_node(taking, id)
    assert [step.id for step in builder.build()] == list("dbca")


def test_connections_win_and_only_as_far_as_they_must() -> None:
    builder = WorkflowBuilder()
    for id in "dbcae":
        builder.add_node(taking, id)
    builder.add_connection("a", "d")
    assert [step.id for step in builder.build()] == list("bcade")


def test_a_circle_is_named_in_its_order() -> None:
    builder = WorkflowBuilder()
    for id in ("before", "a", "b", "c", "after"):
        builder.add_node(taking, id)
    for source, target in [("before", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "after")]:
        builder.add_connection(source, target)
    problem = only_problem(builder)
    assert "circle" in problem
    assert any(" -> ".join(map(repr, names)) in problem for names in ("abca", "bcab", "cabc"))
    assert "before" not in problem
    assert "after" not in problem


def test_a_circle_through_conditions_is_a_circle() -> None:
    builder = two_nodes()
    builder.add_connection("a", "b", condition="status == 'success'")
    builder.add_connection("b", "a", condition="status == 'failed'")
    assert "circle" in only_problem(builder)


# Conditions


@pytest.mark.parametrize(
    "condition",
    [
        "status == 'fail'",
        "status == 'failed' and status == 'success'",
        "status != 'failed' and status != 'success'",
        "false",
        "status in ('done', 'ok')",
    ],
)
def test_a_condition_that_never_holds_is_an_error(condition: str) -> None:
    builder = two_nodes()
    builder.add_connection("a", "b", condition=condition)
    assert "never holds" in only_problem(builder)


def test_a_condition_on_an_output_that_is_not_there_suggests_the_nearest(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("OrderListNode", "all")
    builder.add_node(taking, "b")
    builder.add_connection("all", "b", condition="conut > 0")
    assert "did you mean 'count'?" in only_problem(builder)


@pytest.mark.parametrize(
    "condition", ["", "count >", "__import__('os')", "a b", "f(x)", "1 +", "status = 'failed'"]
)
def test_a_condition_that_cannot_be_read_is_an_error(condition: str) -> None:
    builder = two_nodes()
    builder.add_connection("a", "b", condition=condition)
    assert "connection" in only_problem(builder)


# Size


def test_a_workflow_of_two_thousand_nodes_is_built_fast_and_without_recursion(db: DataFlow) -> None:
    started = time.process_time()
    builder = WorkflowBuilder(db)
    last = ""
    for _ in range(1000):
        last, before = builder.add_node("OrderReadNode", None, {} if last else {"id": 1}), last
        if before:
            builder.add_connection(before, "id", last, "id")
    for _ in range(1000):
        builder.add_connection(builder.add_node(giving), last)
    workflow = builder.build()
    assert len(workflow.steps) == 2000
    assert workflow.steps[-1].id == last
    assert len(workflow.explain().nodes) == 2000
    assert workflow.to_mermaid().count("-->") >= 1999
    assert time.process_time() - started < 5


def test_a_circle_of_two_thousand_nodes_is_found_fast() -> None:
    builder = WorkflowBuilder()
    for number in range(2000):
        builder.add_node(taking, f"n{number}")
        builder.add_connection(f"n{number}", f"n{(number + 1) % 2000}")
    started = time.process_time()
    assert "circle" in only_problem(builder)
    assert time.process_time() - started < 3
