"""What a TransactionContextNode takes and tells."""

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder, node
from dataflow.errors import InvalidValue, UnknownName, WorkflowBuildError
from dataflow.nodes.transaction_context import TransactionContextNode
from dataflow.terms import Isolation, Terms

CONTEXT = TransactionContextNode()


@pytest.mark.parametrize("retries", [0, 1, 1000])
def test_it_takes_a_number_of_retries(retries: int) -> None:
    assert CONTEXT.prepare({"retries": retries}).retries == retries


@pytest.mark.parametrize("retries", [-1, 1001, True, 1.0, "3"])
def test_it_refuses_what_is_no_such_number(retries: object) -> None:
    with pytest.raises(InvalidValue, match="retries: expected a whole number from 0 to 1000"):
        CONTEXT.prepare({"retries": retries})


def test_what_it_is_not_told_is_as_usual() -> None:
    assert CONTEXT.prepare({}) == (Terms(), None)


def test_it_is_told_what_its_transaction_is_to_be() -> None:
    parameters = {"isolation_level": "serializable", "read_only": True, "timeout": 5, "retries": 2}
    assert CONTEXT.prepare(parameters) == (Terms(Isolation.SERIALIZABLE, True, 5.0), 2)


def test_it_suggests_the_nearest_of_its_parameters() -> None:
    with pytest.raises(UnknownName, match="did you mean 'retries'"):
        CONTEXT.check({}, ["retrys"])


def test_it_tells_its_terms_to_those_that_follow() -> None:
    with DataFlow("sqlite:///:memory:") as db:
        workflow = WorkflowBuilder(db)
        workflow.add_node("TransactionContextNode", "context", {"retries": 4, "timeout": 7})
        results, _ = LocalRuntime().execute(workflow.build())
    told = {"isolation_level": None, "read_only": False, "retries": 4, "timeout": 7.0}
    assert results["context"] == {**told, "result": told}


def test_only_a_function_that_was_marked_is_outside() -> None:
    @node(outside=True)
    def wait() -> None: ...

    @node
    def work() -> None: ...

    workflow = WorkflowBuilder()
    workflow.add_node(wait, "wait")
    workflow.add_node(work, "work")
    assert [step.outside for step in workflow.build().steps] == [True, False]


def test_a_function_that_is_outside_has_no_place_in_a_scope() -> None:
    @node(outside=True)
    def wait() -> None: ...

    with DataFlow("sqlite:///:memory:") as db:
        workflow = WorkflowBuilder(db)
        workflow.add_node("TransactionContextNode", "context")
        workflow.add_node(wait, "wait")
        workflow.add_node(lambda: None, "other")
        workflow.add_connection("context", "wait")
        with pytest.raises(WorkflowBuildError, match="'wait'"):
            workflow.build()


def test_it_takes_no_thread_of_its_own_but_goes_along_with_what_follows() -> None:
    async def wait() -> None:
        pass

    def block() -> None:
        pass

    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Account:
            name: str

        here = db.databases()["primary"]
        for node, place in (("AccountListNode", (here, True)), (wait, (None, False)), (block, (None, True))):
            workflow = WorkflowBuilder(db)
            workflow.add_node("TransactionContextNode", "terms")
            workflow.add_node(node, "work")
            (segment,) = workflow.build().block.segments
            assert (segment.database, segment.blocking) == place
        alone = WorkflowBuilder(db)
        alone.add_node("TransactionContextNode", "terms")
        (segment,) = alone.build().block.segments
        assert (segment.database, segment.blocking) == (None, False)
