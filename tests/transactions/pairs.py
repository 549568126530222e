"""Two databases of which one gives and the other takes, and what there is to see of them afterwards."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import QueryError
from dataflow.execution.database import Database
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision
from dataflow.testing.suite import server_of
from dataflow.transactions.borrowing import on_a_connection
from dataflow.transactions.decisions import Decisions
from dataflow.transactions.in_doubt import Outcome, branches_in_doubt, recover_branches
from dataflow.workflow.graph import Workflow

__all__ = ["MANAGER", "PAIRS", "RUNS", "Pair", "Run", "define", "pairs", "run_here", "say", "sites"]

MANAGER = "DistributedTransactionManagerNode"
PROVISIONS: dict[str, Provision | None] = {"postgres": Postgres(), "mysql": MySQL(), "sqlite": None}
PAIRS = {
    "postgres+postgres": ("postgres", "postgres"),
    "postgres+mysql": ("postgres", "mysql"),
    "mysql+postgres": ("mysql", "postgres"),
    "mysql+mysql": ("mysql", "mysql"),
    "sqlite+postgres": ("sqlite", "postgres"),
    "mysql+sqlite": ("mysql", "sqlite"),
}
"""The kinds of the one that gives and of the one that takes."""


def pairs(*names: str) -> list[Any]:
    """Parameters for tests of these pairs, or of all."""
    return [
        pytest.param(
            PAIRS[name],
            id=name,
            marks=[getattr(pytest.mark, kind) for kind in {*PAIRS[name]} - {"sqlite"}],
        )
        for name in names or PAIRS
    ]


class Pair(NamedTuple):
    """Two databases, with a model in each that the other does not have."""

    one: DataFlow
    two: DataFlow

    def workflow(self, **parameters: Any) -> WorkflowBuilder:
        """A workflow that is to happen on both or on none."""
        workflow = WorkflowBuilder()
        workflow.add_node(MANAGER, "together", parameters)
        return workflow

    def transfer(self, *functions: Callable[..., Any], **parameters: Any) -> Workflow:
        """Takes from the one and gives to the other, and does what else there is at the end."""
        workflow = self.workflow(**parameters)
        workflow.add_node("GiverUpdateNode", "take", {"id": 1, "updates": {"$inc": {"balance": -10}}})
        workflow.add_node("TakerUpdateNode", "give", {"id": 1, "updates": {"$inc": {"balance": 10}}})
        for function in functions:
            workflow.add_node(function)
        return workflow.build()

    def balances(self) -> tuple[int, int]:
        """What both have; where something is in doubt its row is locked, and may be read as it was."""
        return (
            self.one.run_sync(self.one.nodes.GiverReadNode(id=1))["balance"],
            self.two.run_sync(self.two.nodes.TakerReadNode(id=1))["balance"],
        )

    def databases(self) -> Sequence[Database]:
        return [db.databases()["primary"] for db in self]

    def in_doubt(self) -> list[str]:
        """The gids of what is prepared on these."""

        async def look() -> list[str]:
            found = [await branches_in_doubt(database) for database in self.databases()]
            return sorted({branch.gid for branches in found for branch in branches})

        return asyncio.run(look())

    def decisions(self) -> list[str]:
        """What is kept of decisions, at whichever home."""

        async def look() -> list[str]:
            states: list[str] = []
            for database in self.databases():
                with suppress(QueryError):  # where there is no such table, nothing was decided
                    rows = await on_a_connection(database, "a test", Decisions(database).all)
                    states += [row.state for row in rows]
            return states

        return asyncio.run(look())

    def recover(self, older_than: float = 0) -> Sequence[Outcome]:
        """End what is in doubt; a session of MariaDB that has just died may need a moment."""

        async def work() -> Sequence[Outcome]:
            return await recover_branches(self.databases(), older_than)

        return asyncio.run(work())

    def close(self) -> None:
        for db in self:
            with db:
                pass


@contextmanager
def sites(kinds: Sequence[str], request: pytest.FixtureRequest) -> Iterator[Sequence[str]]:
    """The URLs of empty databases of these kinds."""
    folder = request.getfixturevalue("tmp_path")
    with ExitStack() as stack:
        urls = []
        for number, kind in enumerate(kinds):
            provision = PROVISIONS[kind]
            if provision is None:
                urls.append(f"sqlite:///{folder}/{number}.db")
            else:
                urls.append(stack.enter_context(server_of(provision, request).database()))
        yield urls


def define(one: DataFlow, two: DataFlow) -> Pair:
    """The models of a pair."""

    @one.model
    class Giver:
        balance: int = 0

    @two.model
    class Taker:
        balance: int = 0

    return Pair(one, two)


async def say(db: DataFlow, *statements: str) -> None:
    """Run statements on a connection of their own."""
    connection = db.databases()["primary"].dialect.connection()
    await connection.open()
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


Run = Callable[[Workflow], Any]


def run_here(workflow: Workflow) -> Any:
    return LocalRuntime().execute(workflow)[0]


def run_on_a_loop(workflow: Workflow) -> Any:
    return asyncio.run(AsyncLocalRuntime().execute(workflow))[0]


RUNS = [pytest.param(run_here, id="local"), pytest.param(run_on_a_loop, id="asynchronous")]
