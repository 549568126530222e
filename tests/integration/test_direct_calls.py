"""Nodes without a graph: ``await db.nodes.X(...)`` and ``db.run_sync(...)`` take the very same path."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    ConfigurationError,
    DataFlowError,
    InvalidValue,
    MissingValue,
    MultipleRecords,
    RecordNotFound,
    UniqueViolation,
    UnknownName,
)
from dataflow.runtime.calls import NodeCall

Names = Callable[[], list[str]]
Call = Callable[[DataFlow, NodeCall], dict[str, Any]]


@pytest.fixture(params=["awaited", "run_sync", "run_sync in a loop"])
def call(request: pytest.FixtureRequest) -> Call:
    """Makes a call in each of the ways in which one can."""

    def call(db: DataFlow, node: NodeCall) -> dict[str, Any]:
        async def awaited() -> dict[str, Any]:
            return await node

        async def in_a_loop() -> dict[str, Any]:
            return db.run_sync(node)

        match request.param:
            case "awaited":
                return asyncio.run(awaited())
            case "run_sync":
                return db.run_sync(node)
        return asyncio.run(in_a_loop())

    return call


def as_workflow(db: DataFlow, type: str, parameters: dict[str, object]) -> dict[str, Any]:
    builder = WorkflowBuilder(db)
    builder.add_node(type, "node", parameters)
    output: dict[str, Any] = LocalRuntime().execute(builder.build())[0]["node"]
    return output


def test_a_call_gives_what_the_node_of_a_workflow_gives(call: Call, db: DataFlow) -> None:
    calls: list[tuple[str, dict[str, object]]] = [
        ("ItemCreateNode", {"id": 7, "name": "a", "amount": 5}),
        ("ItemReadNode", {"id": 7}),
        ("ItemReadNode", {"item_id": 8}),
        ("ItemUpdateNode", {"id": 7, "updates": {"amount": 6}}),
        ("ItemListNode", {"filter": {"amount": {"$gt": 1}}, "order_by": ["name"]}),
        ("ItemListNode", {"count_only": True}),
        (
            "ItemBulkCreateNode",
            {"data": [{"id": 1, "name": "b"}, {"id": 2, "name": "c"}], "return_rows": True},
        ),
        ("SQLNode", {"sql": "SELECT name FROM items WHERE id = :id", "id": 2}),
        ("SQLNode", {"sql": "UPDATE items SET amount = 1"}),
        ("ItemDeleteNode", {"id": 7}),
        ("ItemDeleteNode", {"id": 7}),
    ]
    with DataFlow("sqlite:///:memory:") as twin:

        @twin.model
        class Item:
            name: str
            amount: int = 0
            code: str | None = None
            __dataflow__ = {"timestamps": False}  # noqa: RUF012 - as every model writes it

        for type, parameters in calls:
            assert call(db, getattr(db.nodes, type)(**parameters)) == as_workflow(twin, type, parameters)


@pytest.mark.parametrize(
    ("type", "parameters", "error"),
    [
        ("ItemCreateNode", {"nam": "a"}, UnknownName),
        ("ItemCreateNode", {"amount": 1}, MissingValue),
        ("ItemCreateNode", {"name": 5}, InvalidValue),
        ("ItemReadNode", {}, MissingValue),
        ("ItemUpdateNode", {"id": 99, "amount": 1}, RecordNotFound),
        ("ItemUpdateNode", {"id": 1}, MissingValue),
        ("ItemUpdateNode", {"conditions": {"amount": 0}, "updates": {"amount": 1}}, MultipleRecords),
        ("ItemDeleteNode", {"conditions": {"amount": 0}}, MultipleRecords),
        ("ItemCreateNode", {"name": "c", "code": "x"}, UniqueViolation),
        (
            "ItemBulkCreateNode",
            {"data": [{"name": "c"}, {"name": "d", "code": "x"}], "batch_size": 1},
            UniqueViolation,
        ),
        ("SQLNode", {"sql": "SELECT :a"}, MissingValue),
    ],
)
def test_an_error_arrives_as_itself_and_nothing_stays(
    type: str,
    parameters: dict[str, object],
    error: type[Exception],
    call: Call,
    db: DataFlow,
    url: str,
    names: Names,
) -> None:
    key = "code(9)" if url.startswith("mysql") else "code"  # MySQL itself wants to know how much of a text
    db.run_sync(db.nodes.SQLNode(sql=f"CREATE UNIQUE INDEX one_code ON items ({key})"))
    db.run_sync(db.nodes.ItemBulkCreateNode(data=[{"name": "a", "code": "x"}, {"name": "b"}]))
    with pytest.raises(error):
        call(db, getattr(db.nodes, type)(**parameters))
    assert names() == ["a", "b"]
    assert db.run_sync(db.nodes.ItemListNode(filter={"amount": 0}))["count"] == 2
    assert (
        call(db, db.nodes.ItemCreateNode(name="z"))["id"] > 2
    )  # a row that was undone may have used up a number


def test_a_call_can_be_made_again(db: DataFlow, names: Names) -> None:
    call = db.nodes.ItemCreateNode(name="a")
    db.run_sync(call)

    async def main() -> None:
        await call
        await asyncio.gather(call, asyncio.ensure_future(call))

    asyncio.run(main())
    assert names() == ["a"] * 4


def test_a_call_can_be_a_task_in_a_group_and_waited_for(db: DataFlow, names: Names) -> None:
    async def main() -> None:
        async with asyncio.timeout(5):
            await asyncio.wait_for(db.nodes.ItemCreateNode(name="a"), 5)
            await asyncio.gather(*(db.nodes.ItemCreateNode(name="b") for _ in range(10)))

    asyncio.run(main())
    assert names() == ["a"] + ["b"] * 10


def test_run_sync_takes_calls_only(db: DataFlow) -> None:
    for wrong in (db.nodes.ItemListNode, None, "ItemListNode"):
        with pytest.raises(ConfigurationError, match=r"db\.nodes"):
            db.run_sync(wrong)  # type: ignore[call-overload]


def test_a_node_that_is_not_there_suggests_the_nearest(db: DataFlow) -> None:
    with pytest.raises(DataFlowError, match="did you mean 'ItemCreateNode'"):
        db.nodes.ItmeCreateNode(name="a")


def test_many_threads_call_at_once(db: DataFlow, names: Names) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: db.run_sync(db.nodes.ItemCreateNode(name=f"n{number}")), range(200)))
    assert len(set(names())) == 200


def test_many_loops_share_one_database(db: DataFlow, names: Names) -> None:
    async def main(number: int) -> None:
        await db.nodes.ItemCreateNode(name=f"n{number}")
        await asyncio.gather(*(db.nodes.ItemListNode() for _ in range(3)))

    for number in range(10):
        asyncio.run(main(number))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: asyncio.run(main(number)), range(10, 30)))
    assert sorted(names()) == sorted(f"n{number}" for number in range(30))
