"""DataFlow: through its runtimes, and by direct calls."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from benchmarks.contestants.contract import Contestant, InThread, OnLoop, Operation
from benchmarks.databases.sqlite import SQLiteStore
from benchmarks.subject import Row, define
from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, Workflow, WorkflowBuilder

__all__ = ["AsyncRuntimeDataFlow", "AwaitedDataFlow", "CalledDataFlow", "RuntimeDataFlow"]

Inputs = dict[str, dict[str, Any]]
Plan = tuple[Workflow, Callable[[Any], Inputs]]
"""A workflow, and the parameters of a run for an input."""


class _DataFlow(Contestant):
    def __init__(self, store: SQLiteStore) -> None:
        super().__init__()
        self.db = DataFlow(store.url)
        define(self.db)

    def plain(self, outcome: Any) -> Any:
        if isinstance(outcome, list):
            return [self.plain(one) for one in outcome]
        return outcome["deleted"] if "deleted" in outcome else outcome["result"]

    def plans(self) -> Mapping[str, Plan]:
        """Each operation as a workflow, built once and run with other parameters each time."""
        return {
            "read": (self._built(one="AccountReadNode"), lambda id: {"one": {"id": id}}),
            "create": (self._built(one="AccountCreateNode"), lambda row: {"one": row}),
            "update": (
                self._built(one="AccountUpdateNode"),
                lambda change: {"one": {"id": change[0], "updates": {"balance": change[1]}}},
            ),
            "delete": (self._built(one="AccountDeleteNode"), lambda id: {"one": {"id": id}}),
            "list": (self._built(one="AccountListNode"), lambda page: {"one": _page(page)}),
            "transfer": (
                self._built(
                    a="AccountReadNode",
                    b="AccountReadNode",
                    c="AccountUpdateNode",
                    d="AccountUpdateNode",
                    e="AccountCreateNode",
                ),
                lambda accounts: {
                    "a": {"id": accounts[0]},
                    "b": {"id": accounts[1]},
                    "c": {"id": accounts[0], "updates": {"balance": 1.0}},
                    "d": {"id": accounts[1], "updates": {"balance": 2.0}},
                    "e": accounts[2],
                },
            ),
            "bulk_create": (
                self._built(one="AccountBulkCreateNode"),
                lambda rows: {"one": {"data": rows}},
            ),
            "bulk_upsert": (
                self._built(one="AccountBulkUpsertNode"),
                lambda rows: {"one": {"data": rows, "match_fields": ["email"]}},
            ),
        }

    def _built(self, **nodes: str) -> Workflow:
        builder = WorkflowBuilder(self.db)
        for id, type in nodes.items():
            builder.add_node(type, id)
        for before, after in zip(nodes, list(nodes)[1:], strict=False):
            builder.add_connection(before, after)
        return builder.build()


class RuntimeDataFlow(_DataFlow, InThread):
    """Through ``LocalRuntime``."""

    def __init__(self, store: SQLiteStore) -> None:
        super().__init__(store)
        self._operations = {name: _executed(*plan) for name, plan in self.plans().items()}

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    def close(self) -> None:
        with self.db:
            pass


class CalledDataFlow(_DataFlow, InThread):
    """By ``db.run_sync(db.nodes...)``."""

    def operations(self) -> Mapping[str, Operation]:
        run, nodes = self.db.run_sync, self.db.nodes
        return {
            "read": lambda id: run(nodes.AccountReadNode(id=id)),
            "create": lambda row: run(nodes.AccountCreateNode(**row)),
            "update": lambda change: run(
                nodes.AccountUpdateNode(id=change[0], updates={"balance": change[1]})
            ),
            "delete": lambda id: run(nodes.AccountDeleteNode(id=id)),
            "list": lambda page: run(nodes.AccountListNode(**_page(page))),
            "bulk_create": lambda rows: run(nodes.AccountBulkCreateNode(data=rows)),
            "bulk_upsert": lambda rows: run(nodes.AccountBulkUpsertNode(data=rows, match_fields=["email"])),
        }

    def close(self) -> None:
        with self.db:
            pass


class AsyncRuntimeDataFlow(_DataFlow, OnLoop):
    """Through ``AsyncLocalRuntime``."""

    def __init__(self, store: SQLiteStore) -> None:
        super().__init__(store)
        self._operations = {name: _awaited(*plan) for name, plan in self.plans().items()}

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def finish(self) -> None:
        await self.db.close()


class AwaitedDataFlow(_DataFlow, OnLoop):
    """By ``await db.nodes...``, the five statements in ``db.transaction()``."""

    def operations(self) -> Mapping[str, Operation]:
        nodes = self.db.nodes
        return {
            "read": lambda id: nodes.AccountReadNode(id=id),
            "create": lambda row: nodes.AccountCreateNode(**row),
            "update": lambda change: nodes.AccountUpdateNode(id=change[0], updates={"balance": change[1]}),
            "delete": lambda id: nodes.AccountDeleteNode(id=id),
            "list": lambda page: nodes.AccountListNode(**_page(page)),
            "transfer": self._transfer,
            "bulk_create": lambda rows: nodes.AccountBulkCreateNode(data=rows),
            "bulk_upsert": lambda rows: nodes.AccountBulkUpsertNode(data=rows, match_fields=["email"]),
        }

    async def finish(self) -> None:
        await self.db.close()

    async def _transfer(self, accounts: tuple[int, int, Row]) -> Sequence[Any]:
        first, second, row = accounts
        nodes = self.db.nodes
        async with self.db.transaction():
            return [
                await nodes.AccountReadNode(id=first),
                await nodes.AccountReadNode(id=second),
                await nodes.AccountUpdateNode(id=first, updates={"balance": 1.0}),
                await nodes.AccountUpdateNode(id=second, updates={"balance": 2.0}),
                await nodes.AccountCreateNode(**row),
            ]


def _page(page: tuple[int, int]) -> dict[str, Any]:
    return {"filter": {"id": {"$gt": page[0]}}, "order_by": ["id"], "limit": page[1]}


def _executed(workflow: Workflow, inputs: Callable[[Any], Inputs]) -> Operation:
    execute = LocalRuntime().execute

    def one(item: Any) -> Any:
        results, _ = execute(workflow, inputs(item))
        return results["one"]

    def several(item: Any) -> Any:
        results, _ = execute(workflow, inputs(item))
        return list(results.values())

    return one if len(list(workflow)) == 1 else several


def _awaited(workflow: Workflow, inputs: Callable[[Any], Inputs]) -> Callable[[Any], Awaitable[Any]]:
    execute = AsyncLocalRuntime().execute

    async def one(item: Any) -> Any:
        results, _ = await execute(workflow, inputs(item))
        return results["one"]

    async def several(item: Any) -> Any:
        results, _ = await execute(workflow, inputs(item))
        return list(results.values())

    return one if len(list(workflow)) == 1 else several
