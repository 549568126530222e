"""The node that a manager of steps becomes: a saga."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from time import time
from typing import Any, NamedTuple

from dataflow.errors import InvalidValue, MissingValue, UnknownName, WorkflowError
from dataflow.execution.scope import open_scope
from dataflow.nodes.contract import Output, Place
from dataflow.terms import read_terms
from dataflow.transactions.crash import crash_point
from dataflow.transactions.documents import write_document
from dataflow.transactions.headers import DONE, RUNNING, Headers
from dataflow.transactions.ids import new_id
from dataflow.transactions.ledger import ensure_tables
from dataflow.transactions.owners import holding, me
from dataflow.transactions.plan import Plan
from dataflow.transactions.saga import Saga

__all__ = ["SagaNode"]


class Prepared(NamedTuple):
    """What a saga is given.

    :param given: for each step, values by name.
    :param inputs: the same as a document.
    :param timeout: after how many seconds it goes back.
    """

    given: Mapping[str, Mapping[str, object]]
    inputs: str
    timeout: float | None


class SagaNode:
    """Takes its steps one after the other, and undoes those that were done where one fails.

    It takes the input ``x`` of its step ``a`` as ``a.x``, and ``timeout``.

    :param id: its own in the workflow.
    """

    database = None
    model = None
    outputs = frozenset({"saga_id", "state", "steps", "result"})
    settled = False
    waits = True
    outside = True

    def __init__(self, name: str, id: str, plan: Plan) -> None:
        self.name = name
        self.plan = plan
        self._id = id
        self._stages = {stage.id: stage for stage in plan.stages}
        self._definition = plan.definition.write()
        self._places = write_document(
            {f"{task.step}.{task.direction}": task.database.place for task in plan.tasks}
        )

    def may_write(self, parameters: Mapping[str, object]) -> bool:
        return True

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        read_terms(None, None, parameters.get("timeout"))
        for name in names:
            if name != "timeout":
                self._check_name(name)
        for step, values in _by_step(parameters).items():
            task = self._stages[step].do
            task.node.check(values, [*values, *task.action.parameters])

    def missing(self, names: Collection[str]) -> str | None:
        given = _by_step(dict.fromkeys(names))
        for step, stage in self._stages.items():
            action = stage.do.action
            names = [*action.parameters, *action.inputs, *given.get(step, ())]
            lacking = stage.do.node.missing([*names, "idempotency_key"])
            if lacking is not None:
                return f"step {step!r}: {lacking}"
        return None

    def prepare(self, parameters: Mapping[str, Any]) -> Prepared:
        self.check(parameters, parameters)
        lacking = self.missing(parameters)
        if lacking is not None:
            raise MissingValue(lacking)
        given = _by_step(parameters)
        for step, stage in self._stages.items():
            if not stage.do.action.inputs:
                # What can be known to be wrong is refused before the first step is done.
                stage.do.node.prepare(stage.values({}, given.get(step, {}), ""))
        timeout = read_terms(None, None, parameters.get("timeout")).timeout
        return Prepared(given, write_document(given), timeout)

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        # Its steps are committed one by one.
        return False

    def alone(self, prepared: Prepared) -> bool:
        return False

    async def run(self, scope: Place, prepared: Prepared) -> Output:
        if open_scope() is not None:
            raise WorkflowError(
                f"{self.name} commits step by step, which cannot be done inside a transaction that is open; run it "
                "outside of that"
            )
        id, deadline = new_id(), None if prepared.timeout is None else time() + prepared.timeout
        await ensure_tables(self.plan.home, self.plan.databases)
        with holding(id):
            crash_point("saga.begin.before_header")
            await Headers(self.plan.home).create(
                {
                    "id": id,
                    "name": self._id,
                    "state": RUNNING,
                    "definition": self._definition,
                    "inputs": prepared.inputs,
                    "places": self._places,
                    "deadline": None if deadline is None else datetime.fromtimestamp(deadline, UTC),
                    "owner": me(),
                }
            )
            crash_point("saga.begin.after_header")
            outputs = await Saga(id, self.plan, prepared.given, deadline).run()
        return {"saga_id": id, "state": DONE, "steps": outputs, "result": outputs}

    def _check_name(self, name: str) -> None:
        step, _, input = name.partition(".")
        stage = self._stages.get(step)
        if stage is None:
            raise UnknownName("parameter", name, self.name, ["timeout", *(f"{id}." for id in self._stages)])
        task = stage.do
        task.node.check({}, [*task.action.parameters, input])
        if input in task.action.parameters or input in task.action.inputs:
            raise InvalidValue(f"step {step!r}: {input!r} is given in its parameters or inputs already")


def _by_step(parameters: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Values of inputs by step, then by name."""
    given: dict[str, dict[str, object]] = {}
    for name, value in parameters.items():
        if name != "timeout":
            step, _, input = name.partition(".")
            given.setdefault(step, {})[input] = value
    return given
