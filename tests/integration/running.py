"""What tests of runs share: each runtime by one name, and steps that write or fail."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.runtime.options import TransactionMode
from dataflow.workflow.graph import Workflow

__all__ = [
    "MODES",
    "RUNTIMES",
    "Execute",
    "Names",
    "chain",
    "fail",
    "fail_async",
    "in_use",
    "make",
    "read_names",
    "run_sql",
]

MODES: tuple[TransactionMode, ...] = ("workflow", "node", "none")
RUNTIMES = ("local", "async", "async, overlapping")

Names = Callable[[], list[str]]


class Execute:
    """Runs a workflow by one of the runtimes.

    :param kind: which of ``RUNTIMES``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(
        self,
        workflow: Workflow,
        parameters: Mapping[str, Mapping[str, object]] | None = None,
        *,
        transaction: TransactionMode = "workflow",
    ) -> tuple[dict[str, Any], str]:
        """Its results, and the id of the run."""
        if self.kind == "local":
            return LocalRuntime(transaction=transaction).execute(workflow, parameters)
        concurrency = 4 if self.kind == "async, overlapping" else 1
        runtime = AsyncLocalRuntime(concurrency=concurrency, transaction=transaction)
        return asyncio.run(runtime.execute(workflow, parameters))

    def results(
        self, workflow: Workflow, transaction: TransactionMode = "workflow", **given: Any
    ) -> dict[str, Any]:
        """Its results.

        :param given: the parameters of nodes, by their ids.
        """
        return self(workflow, given, transaction=transaction)[0]


def make(builder: WorkflowBuilder, *ids: str) -> None:
    """Add nodes that make an item each, which bears the name of its node."""
    for id in ids:
        builder.add_node("ItemCreateNode", id, {"name": id})


def chain(builder: WorkflowBuilder, *ids: str) -> None:
    """Connect nodes, one to the next."""
    for source, target in pairwise(ids):
        builder.add_connection(source, target)


def fail(message: str = "no") -> None:
    raise ValueError(message)


async def fail_async() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


def run_sql(db: DataFlow, sql: str) -> dict[str, Any]:
    return db.run_sync(db.nodes.SQLNode(sql=sql))


def read_names(db: DataFlow) -> list[str]:
    """The names of the items, in the order in which they were made."""
    return [row["name"] for row in db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]]


def in_use(db: DataFlow) -> int:
    """How many connections are lent, of all its databases."""
    return sum(database.pool.in_use for database in db.databases().values())
