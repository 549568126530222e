"""Functions as types of nodes of a database object: ``@db.node``, by name and without a graph."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder, node
from dataflow.errors import ModelError, UnknownName, ValidationError, WorkflowBuildError, WorkflowError
from dataflow.runtime.calls import NodeCall

Names = Callable[[], list[str]]
MEMORY = "sqlite:///:memory:"


def run(db: DataFlow, type: str, parameters: dict[str, object]) -> dict[str, Any]:
    workflow = WorkflowBuilder(db)
    workflow.add_node(type, "it", parameters)
    output: dict[str, Any] = LocalRuntime().execute(workflow.build())[0]["it"]
    return output


def define_refund(db: DataFlow, amount: int) -> Callable[..., Any]:
    @db.node
    def refund() -> int:
        return amount

    return refund


def define_another_refund(db: DataFlow) -> None:
    @db.node(name="refund")
    def give_back() -> int:
        return 0


# ---------------------------------------------------------------------- definition


def test_a_function_is_a_type_of_node_under_its_name_or_another_and_stays_what_it_is() -> None:
    with DataFlow(MEMORY) as db:

        def charge(amount: int, fee: int = 1) -> dict[str, int]:
            return {"total": amount + fee}

        assert db.node(charge) is charge
        assert db.node(name="PaymentNode")(charge) is charge
        assert charge(5) == {"total": 6}
        for type in ("charge", "PaymentNode"):
            assert run(db, type, {"amount": 7})["total"] == 8
            assert type in dir(db.nodes)
            assert repr(getattr(db.nodes, type)) == f"<{type}>"


def test_the_options_are_those_of_node() -> None:
    with DataFlow(MEMORY) as db:

        @db.node(name="SumNode", outputs=["total"], outside=True)
        def add_up(prices: list[int]) -> dict[str, int]:
            return {"total": sum(prices)}

        @db.node(repeatable=True)
        @node(outputs=["total"])
        def count(prices: list[int]) -> dict[str, int]:
            return {"total": len(prices)}

        for type, outside, repeatable in (("SumNode", True, False), ("count", False, True)):
            workflow = WorkflowBuilder(db)
            workflow.add_node(type, "sums", {"prices": [1, 2]})
            step = workflow.build().by_id["sums"]
            assert (step.outside, step.node.repeatable({})) == (outside, repeatable)
            workflow.add_node(lambda a: a, "after")
            workflow.add_connection("sums", "sum", "after", "a")
            with pytest.raises(WorkflowBuildError, match="'sum'"):
                workflow.build()


def test_defined_again_it_replaces_the_older_one() -> None:
    with DataFlow(MEMORY) as db:
        define_refund(db, 1)
        before = WorkflowBuilder(db)
        before.add_node("refund", "it")
        workflow = before.build()
        define_refund(db, 2)
        assert run(db, "refund", {})["result"] == 2
        assert LocalRuntime().execute(workflow)[0]["it"]["result"] == 1, "what was built stays"


def test_a_name_that_another_node_has_is_refused_and_changes_nothing(db: DataFlow) -> None:
    for name in ("ItemReadNode", "SQLNode", "TransactionContextNode"):
        with pytest.raises(ValidationError, match=f"there is a node type {name} already"):
            db.node(name=name)(lambda: 1)
    define_refund(db, 1)
    with pytest.raises(ValidationError, match=r"refund is defined twice.*define_another_refund.*rename"):
        define_another_refund(db)
    assert run(db, "refund", {})["result"] == 1
    assert run(db, "ItemReadNode", {"id": 1}) == {"found": False}


def test_a_model_cannot_take_the_name_of_a_function() -> None:
    with DataFlow(MEMORY) as db:
        db.node(name="OrderReadNode")(lambda: "read")
        with pytest.raises(ModelError, match="there is a node type OrderReadNode already"):

            @db.model
            class Order:
                total: int

        assert db.list_models() == []
        assert run(db, "OrderReadNode", {})["result"] == "read"


@pytest.mark.parametrize("name", [None, "", "refund node", "1st", 5, "a.b"])
def test_a_name_that_is_none_is_refused(name: Any) -> None:
    with DataFlow(MEMORY) as db:
        known = set(db.node_names())
        with pytest.raises(ValidationError, match="no name of a node"):
            db.node(name=name)(lambda: 1)
        assert set(db.node_names()) == known


def test_what_cannot_be_a_node_is_refused() -> None:
    with DataFlow(MEMORY) as db:
        wrong: Any = "refund"
        with pytest.raises(ValidationError, match="cannot be a node"):
            db.node(wrong)
        with pytest.raises(ValidationError, match="cannot be marked"):
            db.node(name="method", outside=True)("text".upper)
        with pytest.raises(ValidationError, match="usable by name"):
            db.node(name="positional")(lambda a, /: a)


def test_a_method_of_an_object_is_a_type_of_node() -> None:
    class Till:
        def __init__(self, fee: int) -> None:
            self.fee = fee

        def charge(self, amount: int) -> int:
            return amount + self.fee

    with DataFlow(MEMORY) as db:
        db.node(name="ChargeNode")(Till(2).charge)
        assert run(db, "ChargeNode", {"amount": 1})["result"] == 3


def test_a_name_that_is_not_there_suggests_the_nearest() -> None:
    with DataFlow(MEMORY) as db:
        db.node(name="PaymentRollbackNode")(lambda: 1)
        for builder in (WorkflowBuilder(db), WorkflowBuilder()):
            builder.add_node("PaymentRolbackNode", "undo")
            with pytest.raises(WorkflowBuildError, match="did you mean 'PaymentRollbackNode'"):
                builder.build()
        with pytest.raises(UnknownName, match="did you mean 'PaymentRollbackNode'"):
            _ = db.nodes.PaymentRolbackNode


# ---------------------------------------------------------------------- several databases


def test_it_is_found_among_the_open_databases() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///two.db"):
        define_refund(one, 1)
        workflow = WorkflowBuilder()
        workflow.add_node("refund", "it")
        assert LocalRuntime().execute(workflow.build())[0]["it"]["result"] == 1


def test_a_name_that_two_databases_define_is_an_error_unless_it_is_the_same_function() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///two.db") as two:
        define_refund(one, 1)
        define_refund(two, 2)
        workflow = WorkflowBuilder()
        workflow.add_node("refund", "it")
        assert LocalRuntime().execute(workflow.build())[0]["it"]["result"] == 2
        with DataFlow("sqlite:///three.db") as three:
            define_another_refund(three)
            with pytest.raises(WorkflowBuildError, match=r"refund.*WorkflowBuilder\(db\)"):
                workflow.build()
            assert run(one, "refund", {})["result"] == 1
            assert run(three, "refund", {})["result"] == 0


def test_one_of_two_is_taken_from_where_the_other_nodes_are() -> None:
    with DataFlow("sqlite:///one.db") as one, DataFlow("sqlite:///two.db") as two:
        define_refund(one, 1)
        define_another_refund(two)

        @two.model
        class Order:
            total: int

        workflow = WorkflowBuilder()
        workflow.add_node("refund", "it")
        workflow.add_node("OrderListNode", "orders")
        (function,) = (step.node for step in workflow.build() if step.id == "it")
        assert function is two.find_node("refund")


# ---------------------------------------------------------------------- without a graph


def define_stores(db: DataFlow) -> None:
    """Two functions that store an item and may fail then, a plain one and one that is asynchronous."""

    @db.node
    def store(name: str, fail: bool = False) -> str:
        db.run_sync(db.nodes.ItemCreateNode(name=name))
        if fail:
            raise LookupError(name)
        return name

    @db.node
    async def store_async(name: str, fail: bool = False) -> str:
        await asyncio.sleep(0)
        await db.nodes.ItemCreateNode(name=name)
        if fail:
            raise LookupError(name)
        return name


def called(db: DataFlow, call: NodeCall, way: str) -> dict[str, Any]:
    """The output of a call that is made in one of the ways in which one can."""

    async def awaited() -> dict[str, Any]:
        return await call

    async def in_a_loop() -> dict[str, Any]:
        return db.run_sync(call)

    match way:
        case "awaited":
            return asyncio.run(awaited())
        case "run_sync":
            return db.run_sync(call)
    return asyncio.run(in_a_loop())


@pytest.mark.parametrize("way", ["awaited", "run_sync", "run_sync in a loop"])
@pytest.mark.parametrize("type", ["store", "store_async"])
def test_a_call_is_a_transaction(type: str, way: str, db: DataFlow, names: Names) -> None:
    define_stores(db)
    store = getattr(db.nodes, type)
    assert called(db, store(name="a"), way) == {"result": "a"}
    with pytest.raises(LookupError):
        called(db, store(name="b", fail=True), way)
    with pytest.raises(ValidationError, match="'nam'"):
        called(db, store(nam="b"), way)
    with pytest.raises(ValidationError, match="needs a value for 'name'"):
        called(db, store(), way)
    assert names() == ["a"]


@pytest.mark.parametrize("type", ["store", "store_async"])
def test_a_call_within_a_transaction_is_a_part_of_it(type: str, db: DataFlow, names: Names) -> None:
    define_stores(db)
    store = getattr(db.nodes, type)

    async def some(fail: bool) -> None:
        async with db.transaction():
            await store(name="a")
            with pytest.raises(LookupError):
                await store(name="b", fail=True)
            await store(name="c")
            if fail:
                raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(some(fail=True))
    assert names() == []
    asyncio.run(some(fail=False))
    assert names() == ["a", "c"]


def test_a_call_inside_of_a_function_of_a_run_is_a_part_of_that(db: DataFlow, names: Names) -> None:
    define_stores(db)

    def several(fail: bool) -> None:
        for name, fails in (("a", False), ("b", True), ("c", False)):
            for store in (db.nodes.store, db.nodes.store_async):
                try:
                    db.run_sync(store(name=name + store.__name__[5:], fail=fails))
                except LookupError:
                    assert fails
        if fail:
            raise KeyError

    for fail, stored in ((True, []), (False, ["a", "a_async", "c", "c_async"])):
        workflow = WorkflowBuilder(db)
        workflow.add_node(several, "several", {"fail": fail})
        if fail:
            with pytest.raises(WorkflowError):
                LocalRuntime().execute(workflow.build())
        else:
            LocalRuntime().execute(workflow.build())
        assert names() == stored


def test_a_function_that_is_outside_cannot_be_called_within_a_transaction(db: DataFlow, names: Names) -> None:
    @db.node(outside=True)
    def mail() -> str:
        db.run_sync(db.nodes.ItemCreateNode(name="sent"))
        return "sent"

    async def within() -> None:
        async with db.transaction():
            await db.nodes.mail()

    with pytest.raises(WorkflowError, match="outside of the transaction"):
        asyncio.run(within())
    assert names() == []
    assert db.run_sync(db.nodes.mail()) == {"result": "sent"}
    assert names() == ["sent"]
