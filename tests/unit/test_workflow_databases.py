"""Where the types of nodes come from: a database that the builder is bound to, or all that are open."""

import gc
from typing import Any

import pytest

from dataflow import DataFlow, WorkflowBuilder
from dataflow.errors import ConfigurationError, WorkflowBuildError
from dataflow.nodes.registry import OpenDatabases
from dataflow.workflow.graph import Workflow

MEMORY = "sqlite:///:memory:"


def define_order(db: DataFlow) -> type:
    @db.model
    class Order:
        total: int

    return Order


def define_another_order(db: DataFlow) -> type:
    @db.model
    class Order:
        amount: int

    return Order


def listing(builder: WorkflowBuilder) -> Workflow:
    builder.add_node("OrderListNode", "all")
    return builder.build()


def database_of(workflow: Workflow) -> Any:
    (database,) = workflow.databases
    return database


def test_a_type_is_found_among_the_open_databases() -> None:
    with DataFlow(MEMORY) as db:
        define_order(db)
        assert database_of(listing(WorkflowBuilder())) is database_of(listing(WorkflowBuilder(db)))


def test_a_model_gives_a_builder_of_its_database() -> None:
    with DataFlow(MEMORY) as one, DataFlow("sqlite:///other.db") as two:
        order = define_order(one)
        define_another_order(two)
        builder: WorkflowBuilder = order.create_workflow()  # type: ignore[attr-defined]
        assert database_of(listing(builder)) is database_of(listing(WorkflowBuilder(one)))
        assert database_of(listing(one.create_workflow())) is database_of(listing(WorkflowBuilder(one)))


def test_a_name_that_two_databases_define_is_an_error_that_says_what_to_do() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///two.db") as two:
        define_order(one)
        define_another_order(two)
        with pytest.raises(WorkflowBuildError, match=r"OrderListNode.*WorkflowBuilder\(db\)"):
            listing(WorkflowBuilder())
        assert database_of(listing(WorkflowBuilder(one))) is not database_of(listing(WorkflowBuilder(two)))


def test_the_same_class_defined_again_replaces_the_older_one() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///two.db") as two:
        define_order(one)
        define_order(two)
        assert database_of(listing(WorkflowBuilder())) is database_of(listing(WorkflowBuilder(two)))


def test_a_class_for_the_same_url_replaces_the_older_one() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///one.db") as two:
        define_order(one)
        define_another_order(two)
        assert database_of(listing(WorkflowBuilder())) is database_of(listing(WorkflowBuilder(two)))


def test_a_class_defined_again_in_one_database_replaces_the_older_one() -> None:
    with DataFlow(MEMORY) as db:
        define_order(db)
        define_order(db)
        assert db.list_models() == ["Order"]
        listing(WorkflowBuilder())


def test_a_workflow_keeps_what_it_was_built_with() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///two.db") as two:
        define_order(one)
        before = listing(WorkflowBuilder())
        define_order(two)
        assert database_of(before) is database_of(listing(WorkflowBuilder(one)))


def test_a_database_that_was_closed_offers_nothing_any_more() -> None:
    db = DataFlow(MEMORY)
    define_order(db)
    db.run_sync(db.nodes.OrderListNode())
    with db:
        pass
    with pytest.raises(WorkflowBuildError, match="OrderListNode"):
        listing(WorkflowBuilder())


def test_a_database_that_nobody_holds_is_gone_at_once() -> None:
    """Databases are held weakly, and without a circle that only the collector could break."""
    gc.disable()
    try:
        db = DataFlow(MEMORY)
        define_order(db)
        listing(WorkflowBuilder())
        del db
        with pytest.raises(WorkflowBuildError, match="OrderListNode"):
            listing(WorkflowBuilder())
    finally:
        gc.enable()


def test_the_databases_that_are_open_are_known_the_newest_first_and_as_long_as_they_live() -> None:
    known = OpenDatabases()
    with DataFlow(MEMORY) as one, DataFlow(MEMORY) as two, DataFlow(MEMORY) as three:
        for db in (one, two, three):
            known.add(db)
        assert known.engines() == [three, two, one]
        known.add(one)
        assert known.engines() == [one, three, two]
        known.remove(three)
        known.remove(three)
        assert known.engines() == [one, two]
    del one, two, three, db
    gc.collect()
    assert known.engines() == []


def test_a_name_stands_for_the_one_that_is_left() -> None:
    with DataFlow("sqlite:///one.db") as one:
        define_order(one)
        two = DataFlow("sqlite:///two.db")
        define_another_order(two)
        del two
        gc.collect()
        assert database_of(listing(WorkflowBuilder())) is database_of(listing(WorkflowBuilder(one)))


def test_a_builder_of_a_database_that_is_gone_says_so() -> None:
    db = DataFlow(MEMORY)
    order: Any = define_order(db)
    del db
    gc.collect()
    with pytest.raises(ConfigurationError, match="Order"):
        order.create_workflow()


def test_a_node_of_a_database_can_be_added_itself() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///two.db") as two:
        define_order(one)
        define_another_order(two)
        builder = WorkflowBuilder()
        builder.add_node(one.nodes.OrderCreateNode, "one", {"total": 1})
        builder.add_node(two.nodes.OrderCreateNode, "two", {"amount": 1})
        workflow = builder.build()
        assert set(workflow.databases) == {
            *listing(WorkflowBuilder(one)).databases,
            *listing(WorkflowBuilder(two)).databases,
        }


def test_a_node_that_every_database_offers_is_taken_from_where_the_others_are() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///two.db") as two:
        define_order(one)

        @two.model
        class Other:
            total: int

        for type, db in [("OrderListNode", one), ("OtherListNode", two)]:
            builder = WorkflowBuilder()
            builder.add_node("SQLNode", "sql", {"sql": "SELECT 1 AS one"})
            builder.add_node(type, "all")
            assert database_of(builder.build()) in listing_databases(db)


def listing_databases(db: DataFlow) -> tuple[object, ...]:
    builder = WorkflowBuilder(db)
    builder.add_node("SQLNode", "sql", {"sql": "SELECT 1 AS one"})
    return builder.build().databases


def test_a_node_that_every_database_offers_is_an_error_where_nothing_decides() -> None:
    with DataFlow("sqlite:///one.db"), DataFlow("sqlite:///two.db"):
        builder = WorkflowBuilder()
        builder.add_node("SQLNode", "sql", {"sql": "SELECT 1 AS one"})
        with pytest.raises(WorkflowBuildError, match="SQLNode"):
            builder.build()


def test_a_bound_builder_knows_nothing_of_other_databases() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///two.db") as two:
        define_order(one)
        with pytest.raises(WorkflowBuildError, match="OrderListNode"):
            listing(WorkflowBuilder(two))


def test_an_attribute_that_is_no_node_is_an_error_that_suggests_the_nearest() -> None:
    with DataFlow(MEMORY) as db:
        define_order(db)
        assert "OrderCreateNode" in dir(db.nodes)
        with pytest.raises(Exception, match="did you mean 'OrderCreateNode'"):
            _ = db.nodes.OderCreateNode
        # What Python asks of any attribute.
        assert not hasattr(db.nodes, "OderCreateNode")


def test_nothing_was_opened_for_all_that(tmp_path: Any) -> None:
    file = tmp_path / "never.db"
    with DataFlow(f"sqlite:///{file}") as db:
        define_order(db)
        workflow = listing(WorkflowBuilder(db))
        workflow.explain()
        workflow.to_mermaid()
    assert not file.exists()
