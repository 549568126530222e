"""What was committed outlives every connection and process; what was not leaves no trace."""

import subprocess
import sys

import pytest

from dataflow import DataFlow, Field
from dataflow.errors import DataFlowError, UniqueViolation
from dataflow.testing.conformance.items import define_item, names

__all__ = ["DurabilityTests"]

PROGRAM = """
import sys
from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.testing.conformance.items import define_item

db = DataFlow(sys.argv[1], auto_migrate=True)
define_item(db)

def wait_to_be_killed():
    print("ready", flush=True)
    sys.stdin.readline()

db.run_sync(db.nodes.ItemCreateNode(name="committed"))
workflow = WorkflowBuilder(db)
workflow.add_node("ItemCreateNode", "write", {"name": "lost"})
workflow.add_node(wait_to_be_killed, "wait")
LocalRuntime().execute(workflow.build())
"""


class DurabilityTests:
    """One database, seen by one program after the other."""

    def test_what_was_committed_is_there_when_all_connections_were_closed(self, url: str) -> None:
        with DataFlow(url, auto_migrate=True) as first:
            define_item(first)
            stored = first.run_sync(first.nodes.ItemCreateNode(name="a", amount=7, code="ä"))["record"]
        with DataFlow(url, auto_migrate=True) as second:
            define_item(second)
            assert second.run_sync(second.nodes.ItemReadNode(id=stored["id"]))["record"] == stored
            assert second.run_sync(second.nodes.ItemCreateNode(name="b"))["id"] > stored["id"]
            with pytest.raises(UniqueViolation):
                second.run_sync(second.nodes.ItemCreateNode(name="c", code="ä"))

    def test_two_database_objects_see_what_the_other_commits(self, url: str) -> None:
        with DataFlow(url, auto_migrate=True) as one, DataFlow(url, auto_migrate=True) as two:
            for db in (one, two):
                define_item(db)
            for number in range(10):
                one.run_sync(one.nodes.ItemCreateNode(name=f"{number}"))
                two.run_sync(two.nodes.ItemUpdateNode(conditions={"name": f"{number}"}, amount=number))
            assert names(two) == [f"{number}" for number in range(10)]
            amounts = [
                row["amount"] for row in one.run_sync(one.nodes.ItemListNode(order_by=["id"]))["records"]
            ]
            assert amounts == list(range(10))

    def test_a_program_that_is_killed_leaves_what_it_committed_and_no_more(self, url: str) -> None:
        command = [sys.executable, "-c", PROGRAM, url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            program.kill()
        with DataFlow(url, auto_migrate=True) as db:
            define_item(db)
            assert names(db) == ["committed"]
            db.run_sync(db.nodes.ItemCreateNode(name="after"))
            assert names(db) == ["committed", "after"]

    def test_a_later_version_of_a_program_adds_what_is_new(self, url: str) -> None:
        with DataFlow(url, auto_migrate=True) as db:
            define_item(db)
            db.run_sync(db.nodes.ItemCreateNode(name="old"))
        with DataFlow(url, auto_migrate=True) as db:

            @db.model
            class Item:
                name: str
                amount: int = 0
                code: str | None = Field(unique=True)
                color: str = "red"
                __dataflow__ = {"timestamps": False}  # noqa: RUF012 - as every model writes it

            [old] = db.run_sync(db.nodes.ItemListNode())["records"]
            assert (old["name"], old["color"]) == ("old", "red")

    def test_a_schema_that_exists_is_used_and_nothing_is_added(self, url: str) -> None:
        with DataFlow(url, auto_migrate=True) as db:
            define_item(db)
            db.run_sync(db.nodes.ItemCreateNode(name="a"))
        for options in ({"auto_migrate": False}, {"existing_schema_mode": True}):
            with DataFlow(url, **options) as db:

                @db.model
                class Item:
                    id: int
                    name: str
                    amount: int

                @db.model
                class Missing:
                    id: int

                assert db.run_sync(db.nodes.ItemListNode(filter={"name": "a"}, fields=["name"]))["count"] == 1
                with pytest.raises(DataFlowError):
                    db.run_sync(db.nodes.MissingListNode())
