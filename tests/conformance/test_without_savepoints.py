"""A dialect without savepoints passes the suite by declaring it, and says what it therefore cannot do."""

import asyncio
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import InvalidValue, ScopeLost, WorkflowBuildError, WorkflowExecutionError
from dataflow.plugins import GROUP, Plugins

from . import broken_dialects
from .conftest import RunSuite
from .test_defects import STEADY

SUITE = """
from contextlib import contextmanager
from dataclasses import dataclass

from dataflow.testing import Provision, Server, Suite
from dataflow.testing.conformance.bulk_create import BulkCreateTests
from dataflow.testing.conformance.bulk_create_failures import BulkCreateFailureTests
from dataflow.testing.conformance.delete import DeleteTests
from dataflow.testing.conformance.streams import StreamTests
from dataflow.testing.conformance.transactions import TransactionTests
from dataflow.testing.conformance.workflows import WorkflowTests


class Memory(Server):
    @contextmanager
    def database(self):
        yield "without-savepoints:///:memory:"


@dataclass(frozen=True)
class Simple(Provision):
    name = "simple"

    def start(self, session):
        return Memory()


class TestSimple(
    BulkCreateTests, BulkCreateFailureTests, DeleteTests, StreamTests, TransactionTests, WorkflowTests, Suite
):
    provision = Simple()
"""


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch) -> Iterator[DataFlow]:
    """A database without savepoints, with the model Item."""
    monkeypatch.setitem(sys.modules, "broken_dialects", broken_dialects)
    loaded = Plugins(found=[*entry_points(group=GROUP), EntryPoint("broken", "broken_dialects", GROUP)])
    monkeypatch.setattr("dataflow.plugins.plugins", lambda: loaded)
    with DataFlow("without-savepoints:///:memory:") as db:

        @db.model
        class Item:
            name: str

        yield db


def names(db: DataFlow) -> list[str]:
    return [row["name"] for row in db.run_sync(db.nodes.ItemListNode())["records"]]


def fail() -> None:
    raise ValueError("no")


def test_the_suite_is_green(packages: str, run_suite: RunSuite) -> None:
    run = run_suite(SUITE, "--tb=short", "-k", f"{STEADY} or interpreter", path=packages)
    assert run.code == 0, run.output
    assert len(run.outcomes["XFAIL"]) >= 14


def test_an_edge_that_takes_up_a_failure_in_a_transaction_is_refused_at_build(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(fail, "boom")
    builder.add_node("ItemCreateNode", "instead", {"name": "b"})
    builder.add_connection("one", "boom")
    builder.add_connection("boom", "instead", condition="status == 'failed'")
    with pytest.raises(WorkflowBuildError, match="sqlite has no savepoints, and 'one' before it"):
        builder.build()


def test_an_edge_may_take_up_the_failure_of_what_comes_first(db: DataFlow) -> None:
    def write_and_fail() -> None:
        db.run_sync(db.nodes.ItemCreateNode(name="gone"))
        fail()

    builder = WorkflowBuilder(db)
    builder.add_node(write_and_fail, "boom")
    builder.add_node("ItemCreateNode", "instead", {"name": "b"})
    builder.add_connection("boom", "instead", condition="status == 'failed'")
    LocalRuntime().execute(builder.build())
    assert names(db) == ["b"]


def test_what_only_a_run_shows_ends_it_with_the_reason(db: DataFlow) -> None:
    def write() -> None:
        db.run_sync(db.nodes.ItemCreateNode(name="a"))

    builder = WorkflowBuilder(db)
    builder.add_node(write, "write")
    builder.add_node(fail, "boom")
    builder.add_node("ItemCreateNode", "instead", {"name": "b"})
    builder.add_connection("write", "boom")
    builder.add_connection("boom", "instead", condition="status == 'failed'")
    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(builder.build())
    assert isinstance(caught.value.cause, ValueError)
    assert "sqlite has no savepoints" in caught.value.cause.__notes__[0]
    assert names(db) == []


def test_a_part_that_failed_keeps_the_whole_from_being_committed(db: DataFlow) -> None:
    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            with pytest.raises(ValueError, match="no"):
                await part()

    async def part() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="gone")
            fail()

    with pytest.raises(ScopeLost, match="nothing of it was kept"):
        asyncio.run(main())
    assert names(db) == []


def test_bad_rows_cannot_be_set_aside(db: DataFlow) -> None:
    call = db.nodes.ItemBulkCreateNode(data=[{"name": "a"}], on_error="continue")
    with pytest.raises(InvalidValue, match="takes savepoints, which sqlite does not have"):
        db.run_sync(call)
    builder = WorkflowBuilder(db)
    builder.add_node("ItemBulkCreateNode", "many", {"on_error": "continue", "data": []})
    with pytest.raises(WorkflowBuildError, match="takes savepoints"):
        builder.build()
