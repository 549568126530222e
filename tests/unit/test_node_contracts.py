"""What each node says of itself before it runs: its outputs, whether it writes, whether it needs a transaction."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

import pytest

from dataflow import DataFlow, Field
from dataflow.nodes.crud import UpdateNode
from dataflow.nodes.function import FunctionNode

ROW = frozenset({"id", "user_id", "name", "age", "record", "result", "found"})


class Contract(NamedTuple):
    """What is promised of a node.

    :param settled: whether equal parameters always come to the same, so that they are prepared once.
    :param alone: whether it is a single statement after which nothing can fail, so that it needs no transaction.
    """

    node: str
    parameters: Mapping[str, Any]
    outputs: frozenset[str]
    writes: bool
    settled: bool
    alone: bool


def id_of(contract: Contract) -> str:
    return f"{contract.node}: {', '.join(f'{name}={value}' for name, value in contract.parameters.items())}"


DELETED = frozenset({"deleted", "result", "id"})
OF_SEAT = frozenset({"row", "number"})
OF_NOTE = frozenset({"id", "note_id", "text", "version", "record", "result", "found"})
OF_SQL = frozenset({"records", "count", "affected", "result"})
OF_MANY = {
    "Create": frozenset({"inserted", "failed", "batches", "result"}),
    "Update": frozenset({"updated", "result"}),
    "Delete": frozenset({"deleted", "result"}),
    "Upsert": frozenset({"inserted", "updated", "result"}),
}
CONTRACTS = [
    Contract("UserCreateNode", {"name": "a"}, ROW, writes=True, settled=False, alone=True),
    Contract("UserReadNode", {"id": 1}, ROW, writes=False, settled=True, alone=True),
    Contract("UserReadNode", {"conditions": {"age": 1}}, ROW, writes=False, settled=True, alone=True),
    Contract("UserUpdateNode", {"id": 1, "age": 2}, ROW, writes=True, settled=False, alone=True),
    Contract(
        "UserUpdateNode", {"user_id": 1, "updates": {"age": 2}}, ROW, writes=True, settled=False, alone=True
    ),
    Contract(
        "UserUpdateNode",
        {"conditions": {"name": "a"}, "age": 2},
        ROW,
        writes=True,
        settled=False,
        alone=False,
    ),
    Contract("UserDeleteNode", {"id": 1}, DELETED, writes=True, settled=True, alone=True),
    Contract(
        "UserDeleteNode",
        {"conditions": {"name": "a"}},
        DELETED,
        writes=True,
        settled=True,
        alone=False,
    ),
    Contract(
        "UserListNode",
        {"filter": {"age": 1}},
        frozenset({"records", "count", "result"}),
        writes=False,
        settled=True,
        alone=True,
    ),
    Contract(
        "UserBulkCreateNode",
        {"data": [{"name": "a"}]},
        OF_MANY["Create"],
        writes=True,
        settled=False,
        alone=False,
    ),
    Contract(
        "UserBulkUpdateNode",
        {"filter": {"id": 1}, "update": {"age": 2}},
        OF_MANY["Update"],
        writes=True,
        settled=False,
        alone=True,
    ),
    Contract(
        "UserBulkUpdateNode",
        {"data": [{"id": 1, "age": 2}]},
        OF_MANY["Update"],
        writes=True,
        settled=False,
        alone=False,
    ),
    Contract(
        "UserBulkDeleteNode",
        {"filter": {"age": 1}},
        OF_MANY["Delete"],
        writes=True,
        settled=True,
        alone=True,
    ),
    Contract(
        "UserBulkUpsertNode",
        {"data": [{"id": 1, "name": "a"}]},
        OF_MANY["Upsert"],
        writes=True,
        settled=False,
        alone=False,
    ),
    Contract(
        "SQLNode",
        {"sql": "SELECT 1"},
        OF_SQL,
        writes=False,
        settled=False,
        alone=True,
    ),
    Contract(
        "SQLNode",
        {"sql": "DELETE FROM users"},
        OF_SQL,
        writes=True,
        settled=False,
        alone=False,
    ),
    Contract(
        "SeatReadNode",
        {"row": 1, "number": 2},
        OF_SEAT | {"record", "result", "found"},
        writes=False,
        settled=True,
        alone=True,
    ),
    Contract(
        "SeatDeleteNode",
        {"row": 1, "number": 2},
        OF_SEAT | {"deleted", "result"},
        writes=True,
        settled=True,
        alone=True,
    ),
    Contract(
        "SeatDeleteNode", {"row": 1}, OF_SEAT | OF_MANY["Delete"], writes=True, settled=True, alone=False
    ),
    Contract("NoteUpdateNode", {"id": 1, "text": "a"}, OF_NOTE, writes=True, settled=False, alone=True),
    Contract(
        "NoteUpdateNode",
        {"id": 1, "version": 2, "text": "a"},
        OF_NOTE,
        writes=True,
        settled=False,
        alone=False,
    ),
    Contract("NoteDeleteNode", {"id": 1, "version": 2}, DELETED, writes=True, settled=True, alone=False),
]


@pytest.fixture(scope="module")
def db() -> Iterator[DataFlow]:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class User:
            name: str
            age: int | None
            __dataflow__: ClassVar = {"timestamps": False}

        @db.model
        class Seat:
            row: int = Field(primary_key=True)
            number: int = Field(primary_key=True)
            __dataflow__: ClassVar = {"timestamps": False}

        @db.model
        class Note:
            text: str
            __dataflow__: ClassVar = {"timestamps": False, "versioned": True}

        yield db


@pytest.mark.parametrize("contract", [pytest.param(contract, id=id_of(contract)) for contract in CONTRACTS])
def test_a_node_keeps_its_contract(db: DataFlow, contract: Contract) -> None:
    node = db.find_node(contract.node)
    assert node.name == contract.node
    assert node.outputs == contract.outputs
    assert node.may_write(contract.parameters) is contract.writes
    assert node.settled is contract.settled
    assert not node.waits
    assert node.missing(contract.parameters.keys()) is None
    node.check(contract.parameters, contract.parameters.keys())
    assert node.alone(node.prepare(contract.parameters)) is contract.alone


def test_a_function_may_write_for_all_that_is_known_of_it() -> None:
    node = FunctionNode(lambda value: value)
    assert node.may_write({})
    assert not node.settled
    assert not node.alone(node.prepare({"value": 1}))


@pytest.mark.parametrize("kind", [list, tuple])
def test_all_rows_of_a_list_are_checked_before_the_first_is_sent(db: DataFlow, kind: type) -> None:
    data = kind([{"name": "a"}, {"name": "b"}, {"name": "c"}])
    prepared = db.find_node("UserBulkCreateNode").prepare({"data": data, "batch_size": 2})
    assert [batch.size for batch in prepared.input.checked] == [2, 1]


def test_rows_of_a_generator_are_checked_as_they_come(db: DataFlow) -> None:
    prepared = db.find_node("UserBulkCreateNode").prepare({"data": ({"name": name} for name in "abc")})
    assert prepared.input.checked is None


@pytest.mark.parametrize(("hint", "alone"), [(datetime, False), (int, True)])
def test_a_change_of_what_others_may_have_made_unreadable_needs_a_transaction(hint: Any, alone: bool) -> None:
    db = DataFlow("postgresql://nobody@127.0.0.1:1/none")
    db.model(
        type("Event", (), {"__annotations__": {"what": hint | None}, "__dataflow__": {"timestamps": False}})
    )
    ours = db.find_node("EventUpdateNode")
    assert ours.model is not None
    theirs = UpdateNode(db.databases()["primary"], replace(ours.model, existing=True))
    change = {"id": 1, "updates": {"what": None}}
    for node, expected in ((ours, True), (theirs, alone)):
        assert node.alone(node.prepare(change)) is expected
