"""The node that a manager of steps becomes."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

from dataflow.errors import InvalidValue, MissingValue, UnknownName, WorkflowError
from dataflow.execution.scope import open_scope
from dataflow.nodes.contract import Output, Place
from dataflow.terms import read_terms
from dataflow.transactions.abilities import why_not
from dataflow.transactions.choice import LOCAL, SAGA, TWO_PHASE, Choice
from dataflow.transactions.crash import crash_point
from dataflow.transactions.documents import write_document
from dataflow.transactions.headers import DONE, RUNNING
from dataflow.transactions.ids import new_id
from dataflow.transactions.ledger import ensure_ledger
from dataflow.transactions.owners import holding, me
from dataflow.transactions.places import write_places
from dataflow.transactions.plan import Plan, Stage, key_of
from dataflow.transactions.saga import Saga
from dataflow.transactions.together import Together

if TYPE_CHECKING:
    from dataflow.transactions.nodes import TransactionManagerNode

__all__ = ["ManagedNode"]

WORDS = {LOCAL: "one transaction", TWO_PHASE: "two-phase commit", SAGA: "a saga"}


class Prepared(NamedTuple):
    """What a saga is given.

    :param given: for each step, values by name.
    :param inputs: the same as a document.
    :param timeout: after how many seconds it goes back.
    """

    given: Mapping[str, Mapping[str, object]]
    inputs: str
    timeout: float | None


class ManagedNode:
    """Takes its steps one after the other; where one fails, nothing stays of those before it.

    It takes the input ``x`` of its step ``a`` as ``a.x``, and ``timeout``.

    :param id: its own in the workflow.
    :param manager: the node that it is made of, which has databases agree.
    """

    database = None
    model = None
    outputs = frozenset({"saga_id", "pattern", "state", "steps", "result"})
    settled = False
    waits = True
    outside = True

    def __init__(self, id: str, plan: Plan, choice: Choice, manager: "TransactionManagerNode") -> None:
        self.name = manager.name
        self._plan = plan
        self._choice = choice
        self._together = None if choice.pattern == SAGA else Together(plan, manager)
        self._id = id
        self._stages = {stage.id: stage for stage in plan.stages}
        self._definition = plan.definition.write()

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
            node, action = stage.do.node, stage.do.action
            names = [*action.parameters, *action.inputs, *given.get(step, ())]
            lacking = node.missing([*names, *key_of(node)])
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
        together = self._together
        if together is not None and (self._choice.is_firm or await self._can_agree()):
            outputs = await together.run(prepared.given, prepared.timeout)
            return _output(None, self._choice.pattern, outputs)
        return await self._run_saga(prepared)

    def explain(self) -> str:
        """What becomes of the steps, and why."""
        if self._choice.pattern != SAGA:
            return f"{WORDS[self._choice.pattern]}, {self._choice.why}"
        steps = ", ".join(map(_told, self._plan.stages))
        return f"{WORDS[SAGA]}, {self._choice.why}: each step is a transaction with its entry in the ledger: {steps}"

    async def _can_agree(self) -> bool:
        """Whether all databases but one can prepare a transaction, as their servers are set up."""
        reasons = [await why_not(database) for database in self._plan.step_databases]
        return sum(reason is not None for reason in reasons) <= 1

    async def _run_saga(self, prepared: Prepared) -> Output:
        identities = await ensure_ledger(self._plan.home, self._plan.databases)
        plan = self._plan._replace(identities=identities)
        id, deadline = new_id(), None if prepared.timeout is None else time() + prepared.timeout
        with holding(id):
            crash_point("saga.begin.before_header")
            await plan.headers.create(
                {
                    "id": id,
                    "name": self._id,
                    "state": RUNNING,
                    "definition": self._definition,
                    "inputs": prepared.inputs,
                    "places": write_places(plan),
                    "deadline": None if deadline is None else datetime.fromtimestamp(deadline, UTC),
                    "owner": me(),
                },
                identities[plan.home],
            )
            crash_point("saga.begin.after_header")
            outputs = await Saga(id, plan, prepared.given, deadline).run()
        return _output(id, SAGA, outputs)

    def _check_name(self, name: str) -> None:
        step, _, input = name.partition(".")
        stage = self._stages.get(step)
        if stage is None:
            raise UnknownName("parameter", name, self.name, ["timeout", *(f"{id}." for id in self._stages)])
        task = stage.do
        task.node.check({}, [*task.action.parameters, input])
        if input in task.action.parameters or input in task.action.inputs:
            raise InvalidValue(f"step {step!r}: {input!r} is given in its parameters or inputs already")


def _output(saga: str | None, pattern: str, outputs: Mapping[str, Any]) -> Output:
    return {"saga_id": saga, "pattern": pattern, "state": DONE, "steps": outputs, "result": outputs}


def _told(stage: Stage) -> str:
    return stage.id if stage.undo is None else f"{stage.id} (undone by {stage.undo.node.name})"


def _by_step(parameters: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Values of inputs by step, then by name."""
    given: dict[str, dict[str, object]] = {}
    for name, value in parameters.items():
        if name != "timeout":
            step, _, input = name.partition(".")
            given.setdefault(step, {})[input] = value
    return given
