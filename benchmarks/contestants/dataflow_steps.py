"""DataFlow: the same steps as a saga, and as transactions that know nothing of each other."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from benchmarks.contestants.contract import OnLoop, Operation
from benchmarks.contestants.dataflow import connect
from benchmarks.databases.contract import ClosableStore
from benchmarks.workloads import STEPS
from dataflow import AsyncLocalRuntime, Workflow, WorkflowBuilder

__all__ = ["ApartDataFlow", "SagaDataFlow"]

IDS = tuple(f"step{number}" for number in range(STEPS))
Changes = Sequence[tuple[int, float]]


class ApartDataFlow(OnLoop):
    """Each step is a transaction."""

    def __init__(self, store: ClosableStore) -> None:
        super().__init__()
        self.db = connect(store)
        self._workflow = self._built()

    def operations(self) -> Mapping[str, Operation]:
        return {"steps": self._take}

    async def finish(self) -> None:
        await self.db.close()

    def _built(self) -> Workflow:
        builder = WorkflowBuilder(self.db)
        for id in IDS:
            builder.add_node("AccountUpdateNode", id)
        for before, after in pairwise(IDS):
            builder.add_connection(before, after)
        return builder.build()

    async def _take(self, changes: Changes) -> Sequence[Any]:
        given = {step: {"id": id, "balance": balance} for step, (id, balance) in _steps(changes)}
        results, _ = await AsyncLocalRuntime(transaction="node").execute(self._workflow, given)
        return [results[id]["result"] for id in IDS]


class SagaDataFlow(ApartDataFlow):
    """All of them are a saga."""

    def _built(self) -> Workflow:
        steps = [{"id": id, "node": "AccountUpdateNode", "compensation": None} for id in IDS]
        builder = WorkflowBuilder(self.db)
        builder.add_node("TransactionManagerNode", "saga", {"pattern": "saga", "steps": steps})
        return builder.build()

    async def _take(self, changes: Changes) -> Sequence[Any]:
        given = {
            f"{step}.{name}": value
            for step, (id, balance) in _steps(changes)
            for name, value in (("id", id), ("balance", balance))
        }
        results, _ = await AsyncLocalRuntime().execute(self._workflow, {"saga": given})
        return [results["saga"]["steps"][id]["result"] for id in IDS]


def _steps(changes: Changes) -> Iterator[tuple[str, tuple[int, float]]]:
    return zip(IDS, changes, strict=True)
