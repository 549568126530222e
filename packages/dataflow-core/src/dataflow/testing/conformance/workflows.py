"""A run of a workflow is one transaction; a failure that is handled undoes its node alone."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import UniqueViolation, WorkflowBuildError, WorkflowExecutionError
from dataflow.testing.conformance.items import define_item, names
from dataflow.testing.suite import requires
from dataflow.workflow.graph import Workflow

__all__ = ["RUNTIMES", "WorkflowTests"]

RUNTIMES: dict[str, Callable[[Workflow], Any]] = {
    "local": lambda workflow: LocalRuntime().execute(workflow),
    "local, overlapping": lambda workflow: LocalRuntime(concurrency=3).execute(workflow),
    "async": lambda workflow: asyncio.run(AsyncLocalRuntime().execute(workflow)),
    "async, overlapping": lambda workflow: asyncio.run(AsyncLocalRuntime(concurrency=4).execute(workflow)),
}


def fail(message: str = "no") -> None:
    raise ValueError(message)


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("ItemCreateNode", {"name": "a"}),
    ("ItemReadNode", {"id": 1}),
    ("ItemUpdateNode", {"id": 1, "amount": 2}),
    ("ItemListNode", {}),
    ("ItemBulkCreateNode", {"data": [{"name": "b"}]}),
    ("ItemBulkUpdateNode", {"filter": {"id": 1}, "amount": 3}),
    ("ItemBulkUpsertNode", {"data": [{"id": 2, "name": "c"}]}),
    ("ItemBulkDeleteNode", {"filter": {"id": 2}}),
    ("ItemDeleteNode", {"id": 1}),
    ("SQLNode", {"sql": "SELECT 1 AS one"}),
]


class WorkflowTests:
    """What a run writes is kept whole or not at all."""

    def test_every_output_can_be_connected_and_what_is_none_cannot(self, db: DataFlow) -> None:
        define_item(db)
        for node, parameters in CALLS:
            for output in (*db.run_sync(getattr(db.nodes, node)(**parameters)), "outcome"):
                builder = WorkflowBuilder(db)
                builder.add_node(node, "one", parameters)
                builder.add_node(lambda value: value, "two")
                builder.add_connection("one", output, "two", "value")
                if output != "outcome":
                    builder.build()
                    continue
                with pytest.raises(WorkflowBuildError, match="no output 'outcome'"):
                    builder.build()

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_an_unhandled_failure_rolls_everything_back_and_says_so(self, db: DataFlow, runtime: str) -> None:
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "a"})
        builder.add_node("ItemBulkCreateNode", "two", {"data": [{"name": "b"}, {"name": "c"}]})
        builder.add_node("ItemListNode", "all")
        builder.add_node(fail, "boom", {"message": "no luck"})
        builder.add_node("ItemCreateNode", "three", {"name": "d"})
        with pytest.raises(WorkflowExecutionError) as caught:
            RUNTIMES[runtime](builder.build())
        error = caught.value
        assert error.node == "boom"
        assert isinstance(error.cause, ValueError)
        assert error.__cause__ is error.cause
        assert list(error.results) == ["one", "two", "all"]
        assert error.results["all"]["count"] == 3
        assert error.rolled_back == ("one", "two")
        for part in ("'boom'", "ValueError", "no luck", "one", "two"):
            assert part in str(error)
        assert names(db) == []

    @requires(Capability.SAVEPOINTS)
    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_a_handled_failure_undoes_the_node_alone(self, db: DataFlow, runtime: str) -> None:
        define_item(db)

        def write_and_fail() -> None:
            db.run_sync(db.nodes.ItemCreateNode(name="gone"))
            db.run_sync(db.nodes.ItemBulkCreateNode(data=[{"name": "gone too"}]))
            raise ValueError("no")

        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "before", {"name": "before"})
        builder.add_node(write_and_fail, "boom")
        builder.add_node("ItemCreateNode", "refund", {"name": "refund"})
        builder.add_node("ItemCreateNode", "thanks", {"name": "thanks"})
        builder.add_connection("before", "boom")
        builder.add_connection("boom", "refund", condition="status == 'failed'")
        builder.add_connection("boom", "thanks", condition="status == 'success'")
        results, _ = RUNTIMES[runtime](builder.build())
        assert {"before", "refund"} <= set(results)
        assert "thanks" not in results
        assert names(db) == ["before", "refund"]

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_a_handled_failure_as_the_first_node_leaves_a_transaction_that_works(
        self, db: DataFlow, runtime: str
    ) -> None:
        define_item(db)

        def write_and_fail() -> None:
            db.run_sync(db.nodes.ItemCreateNode(name="gone"))
            raise ValueError("no")

        builder = WorkflowBuilder(db)
        builder.add_node(write_and_fail, "boom")
        builder.add_node("ItemCreateNode", "after", {"name": "after"})
        builder.add_node(lambda: None, "last")
        builder.add_connection("boom", "after", condition="status == 'failed'")
        workflow = builder.build()
        RUNTIMES[runtime](workflow)
        assert names(db) == ["after"]
        builder.add_node(fail, "no")
        with pytest.raises(WorkflowExecutionError):
            RUNTIMES[runtime](builder.build())
        assert names(db) == ["after"]

    @requires(Capability.SAVEPOINTS)
    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_a_failure_of_the_database_is_handled_too(self, db: DataFlow, runtime: str) -> None:
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "a", "code": "x"})
        rows = [{"name": "b"}, {"name": "c", "code": "x"}, {"name": "d"}]
        builder.add_node("ItemBulkCreateNode", "many", {"data": rows, "batch_size": 1})
        builder.add_node("ItemCreateNode", "instead", {"name": "instead"})
        builder.add_connection(
            "many", "instead", condition="status == 'failed' and error_type == 'UniqueViolation'"
        )
        results, _ = RUNTIMES[runtime](builder.build())
        assert "instead" in results
        assert names(db) == ["a", "instead"]

    @requires(Capability.SAVEPOINTS)
    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_a_failure_that_no_edge_wants_is_unhandled(self, db: DataFlow, runtime: str) -> None:
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "a"})
        builder.add_node(fail, "boom")
        builder.add_node("ItemCreateNode", "instead", {"name": "instead"})
        builder.add_connection("boom", "instead", condition="status == 'failed' and error_type == 'KeyError'")
        with pytest.raises(WorkflowExecutionError) as caught:
            RUNTIMES[runtime](builder.build())
        assert caught.value.node == "boom"
        assert caught.value.rolled_back == ("one",)
        assert "boom" not in caught.value.results
        assert names(db) == []

    @requires(Capability.SAVEPOINTS)
    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_a_failure_in_the_handler_is_unhandled_and_names_the_handler(
        self, db: DataFlow, runtime: str
    ) -> None:
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "a"})
        builder.add_node(fail, "boom", {"message": "first"})
        builder.add_node(fail, "handler", {"message": "second"})
        builder.add_connection("boom", "handler", condition="status == 'failed'")
        with pytest.raises(WorkflowExecutionError, match="second") as caught:
            RUNTIMES[runtime](builder.build())
        assert caught.value.node == "handler"
        assert names(db) == []

    @requires(Capability.SAVEPOINTS)
    def test_an_async_failure_is_handled_and_undone(self, db: DataFlow) -> None:
        define_item(db)

        async def write_and_fail() -> None:
            await db.nodes.ItemCreateNode(name="gone")
            raise ValueError("no")

        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "before", {"name": "before"})
        builder.add_node(write_and_fail, "boom")
        builder.add_node("ItemCreateNode", "refund", {"name": "refund"})
        builder.add_connection("boom", "refund", condition="status == 'failed'")
        workflow = builder.build()
        LocalRuntime().execute(workflow)
        for concurrency in (1, 3):
            asyncio.run(AsyncLocalRuntime(concurrency=concurrency).execute(workflow))
        assert names(db) == ["before", "refund"] * 3

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_a_violation_is_mapped_and_rolls_back(self, db: DataFlow, runtime: str) -> None:
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "a", "code": "x"})
        builder.add_node("ItemCreateNode", "two", {"name": "b", "code": "x"})
        with pytest.raises(WorkflowExecutionError) as caught:
            RUNTIMES[runtime](builder.build())
        assert caught.value.node == "two"
        assert isinstance(caught.value.cause, UniqueViolation)
        assert (caught.value.cause.table, caught.value.cause.columns) == ("items", ("code",))
        assert names(db) == []
