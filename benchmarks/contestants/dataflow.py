"""DataFlow: through its runtimes, and by direct calls."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from benchmarks.contestants.contract import Contestant, InThread, OnLoop, Operation
from benchmarks.databases.addresses import CONNECTIONS
from benchmarks.databases.contract import ClosableStore
from benchmarks.subject import SEEDED, Row, rows
from dataflow import AsyncLocalRuntime, DataFlow, Field, LocalRuntime, Workflow, WorkflowBuilder
from dataflow.nodes.listing import CONTROLS

__all__ = [
    "AiomysqlDataFlow",
    "AsyncRuntimeDataFlow",
    "AwaitedDataFlow",
    "CalledDataFlow",
    "RuntimeDataFlow",
    "connect",
    "define",
    "make",
]

Inputs = dict[str, dict[str, Any]]
Plan = tuple[Workflow, Callable[[Any], Inputs]]
"""A workflow, and the parameters of a run for an input."""

BY_AGE = [
    {"$group": {"_id": "$age", "n": {"$sum": 1}, "total": {"$sum": "$balance"}}},
    {"$sort": {"_id": 1}},
]

Given = Callable[[Any], dict[str, Any]]

# Each operation that is a single node, and its parameters for an input.
NODES: Mapping[str, tuple[str, Given]] = {
    "read": ("AccountReadNode", lambda id: {"id": id}),
    "create": ("AccountCreateNode", lambda row: row),
    "update": (
        "AccountUpdateNode",
        lambda change: {"id": change[0], "updates": {"balance": change[1]}},
    ),
    "delete": ("AccountDeleteNode", lambda id: {"id": id}),
    "list": (
        "AccountListNode",
        lambda page: {"filter": {"id": {"$gt": page[0]}}, "order_by": ["id"], "limit": page[1]},
    ),
    "bulk_create": ("AccountBulkCreateNode", lambda rows: {"data": rows}),
    "upsert": ("AccountBulkUpsertNode", lambda rows: {"data": rows, "match_fields": ["email"]}),
    "bulk_update": ("AccountBulkUpdateNode", lambda changes: {"data": changes}),
    "increment": (
        "AccountBulkUpdateNode",
        lambda after: {"filter": {"id": {"$gt": after}}, "update": {"$inc": {"age": 1}}},
    ),
    "bulk_delete": ("AccountBulkDeleteNode", lambda after: {"filter": {"id": {"$gt": after}}}),
    "delete_ids": ("AccountBulkDeleteNode", lambda ids: {"filter": {"id": {"$in": ids}}}),
    "aggregate": ("AccountListNode", lambda nothing: {"aggregate": BY_AGE}),
}
SINGLE = frozenset({"read", "create", "update", "delete", "list"})


def define(db: DataFlow) -> None:
    """Define the model: a key, six fields and two stamps, as a program might have it."""

    @db.model
    class Account:
        id: int
        name: str
        email: str = Field(unique=True)
        age: int
        balance: float
        active: bool = True
        meta: dict[str, Any]
        created_at: datetime
        updated_at: datetime


def make(url: str) -> None:
    """Make the table and its first rows, of which everybody has a copy."""

    async def made() -> None:
        async with DataFlow(url) as db:
            define(db)
            await db.nodes.AccountBulkCreateNode(data=rows(1, SEEDED))

    asyncio.run(made())


def connect(store: ClosableStore, said_by_the_url: str = "") -> DataFlow:
    """The database object for a store, with its model."""
    pool = {} if store.database == "sqlite" else {"pool_size": CONNECTIONS, "pool_max_overflow": 0}
    db = DataFlow(f"{store.url}{said_by_the_url}", **pool)
    define(db)
    return db


class _DataFlow(Contestant):
    said_by_the_url = ""

    def __init__(self, store: ClosableStore) -> None:
        super().__init__()
        self.db = connect(store, self.said_by_the_url)
        self.takes_a_generator = self._has("upsert")

    def plain(self, outcome: Any) -> Any:
        if isinstance(outcome, list):
            return [self.plain(one) for one in outcome if "isolation_level" not in one]
        if "deleted" in outcome or "updated" in outcome:
            return sum(outcome.get(what, 0) for what in ("deleted", "inserted", "updated"))
        result = outcome["result"]
        if isinstance(result, list) and result and "_id" in result[0]:
            return [{"age": one.pop("_id"), **one} for one in result]
        return result

    def plans(self) -> Mapping[str, Plan]:
        """Each operation as a workflow, built once and run with other parameters each time."""
        plans: dict[str, Plan] = {
            operation: (self._built(one=type), _for_one(given))
            for operation, (type, given) in NODES.items()
            if self._has(operation)
        }
        plans["transfer"] = (
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
        )
        plans["scope_of_one"] = (
            self._built(scope="TransactionContextNode", a="AccountReadNode"),
            lambda id: {"a": {"id": id}},
        )
        plans["scope_of_two"] = (
            self._built(scope="TransactionContextNode", a="AccountUpdateNode", b="AccountUpdateNode"),
            lambda accounts: {
                "a": {"id": accounts[0], "updates": {"balance": 1.0}},
                "b": {"id": accounts[1], "updates": {"balance": 2.0}},
            },
        )
        return plans

    def _has(self, operation: str) -> bool:
        type, _ = NODES[operation]
        return type in dir(self.db.nodes) and (operation != "aggregate" or "aggregate" in CONTROLS)

    def _built(self, **nodes: str) -> Workflow:
        builder = WorkflowBuilder(self.db)
        for id, type in nodes.items():
            builder.add_node(type, id)
        for before, after in zip(nodes, list(nodes)[1:], strict=False):
            builder.add_connection(before, after)
        return builder.build()


class RuntimeDataFlow(_DataFlow, InThread):
    """Through ``LocalRuntime``."""

    def __init__(self, store: ClosableStore) -> None:
        super().__init__(store)
        self._operations = {name: _executed(*plan) for name, plan in self.plans().items()}

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    def close(self) -> None:
        with self.db:
            pass


class CalledDataFlow(_DataFlow, InThread):
    """By ``db.run_sync(db.nodes...)``. Nothing in bulk: the price of a call makes no difference there."""

    def operations(self) -> Mapping[str, Operation]:
        return {operation: self._called(NODES[operation]) for operation in SINGLE}

    def _called(self, node: tuple[str, Given]) -> Operation:
        run, nodes, (type, given) = self.db.run_sync, self.db.nodes, node
        return lambda item: run(getattr(nodes, type)(**given(item)))

    def close(self) -> None:
        with self.db:
            pass


class AsyncRuntimeDataFlow(_DataFlow, OnLoop):
    """Through ``AsyncLocalRuntime``."""

    def __init__(self, store: ClosableStore) -> None:
        super().__init__(store)
        self._operations = {name: _awaited(*plan) for name, plan in self.plans().items()}

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def finish(self) -> None:
        await self.db.close()


class AiomysqlDataFlow(AsyncRuntimeDataFlow):
    """The same on the driver that needs no compiler."""

    said_by_the_url = "?driver=aiomysql"


class AwaitedDataFlow(_DataFlow, OnLoop):
    """By ``await db.nodes...``, what is more than one of them in ``db.transaction()``."""

    def operations(self) -> Mapping[str, Operation]:
        return {
            **{operation: self._called(NODES[operation]) for operation in SINGLE},
            "transfer": self._transfer,
            "scope_of_one": self._read_one,
            "scope_of_two": self._set_both,
        }

    def _called(self, node: tuple[str, Given]) -> Operation:
        nodes, (type, given) = self.db.nodes, node
        return lambda item: getattr(nodes, type)(**given(item))

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

    async def _read_one(self, id: int) -> Sequence[Any]:
        async with self.db.transaction():
            return [await self.db.nodes.AccountReadNode(id=id)]

    async def _set_both(self, accounts: tuple[int, int]) -> Sequence[Any]:
        first, second = accounts
        nodes = self.db.nodes
        async with self.db.transaction():
            return [
                await nodes.AccountUpdateNode(id=first, updates={"balance": 1.0}),
                await nodes.AccountUpdateNode(id=second, updates={"balance": 2.0}),
            ]


def _for_one(given: Given) -> Callable[[Any], Inputs]:
    return lambda item: {"one": given(item)}


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
