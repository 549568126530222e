"""A definition whose names were found: what a saga runs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from dataflow.errors import ValidationError
from dataflow.execution.database import Database
from dataflow.nodes.contract import Node
from dataflow.nodes.function import FunctionNode
from dataflow.transactions.definition import Action, Definition
from dataflow.transactions.entries import Entries
from dataflow.transactions.headers import Headers
from dataflow.transactions.ledger import DO, UNDO
from dataflow.transactions.tasks import Task, make_task

__all__ = ["Plan", "Stage", "accepts", "key_of", "make_plan", "with_key"]

KEY = "idempotency_key"
"""The parameter of a function that takes up by which key somebody else can tell that it was there before."""

Outputs = Mapping[str, Mapping[str, Any]]
"""The outputs of steps, by their ids."""


class Stage(NamedTuple):
    """A step and what undoes it."""

    id: str
    do: Task
    undo: Task | None

    @property
    def is_vague(self) -> bool:
        """Whether nobody can tell after a crash if it was done, though it would have to be undone."""
        return self.do.node.outside and self.undo is not None

    def changed_nothing(self, output: Mapping[str, Any]) -> bool:
        """Whether the step has found no row, so that there is nothing to undo."""
        return self.do.node.model is not None and (output.get("found") is False or output.get("result") == 0)

    def values(self, outputs: Outputs, given: Mapping[str, object], key: str) -> dict[str, object]:
        """What the step is given.

        :param given: what came from outside of the saga.
        :param key: by which somebody else may notice that it is done again.
        """
        values = {**_known(self.do.action, outputs), **given}
        return with_key(self.do.node, values, key)

    def undo_values(self, outputs: Outputs, key: str) -> dict[str, object]:
        """What the compensation is given: of the output of its step what it takes, unless it is told something else."""
        assert self.undo is not None
        node, action = self.undo.node, self.undo.action
        values: dict[str, object] = {}
        if node.model is None:
            values = {
                name: value
                for name, value in outputs[self.id].items()
                if name != KEY and accepts(node, action.parameters, name)
            }
        return with_key(node, {**values, **_known(action, outputs)}, key)


class Plan(NamedTuple):
    """What a saga runs.

    :param home: the database that keeps how far it has come as a whole.
    :param headers: where that is kept.
    :param identities: who its databases are, which is known from when a saga begins.
    """

    definition: Definition
    home: Database
    headers: Headers
    stages: tuple[Stage, ...]
    identities: Mapping[Database, str] = MappingProxyType({})

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Everything that may be done."""
        return tuple(task for stage in self.stages for task in (stage.do, stage.undo) if task is not None)

    @property
    def step_databases(self) -> tuple[Database, ...]:
        """Those that the nodes of steps work on."""
        nodes = [stage.do.node for stage in self.stages]
        return tuple(dict.fromkeys(node.database for node in nodes if node.database is not None))

    @property
    def databases(self) -> tuple[Database, ...]:
        """Those that have a part of the ledger."""
        return tuple(dict.fromkeys(task.database for task in self.tasks))

    def entries(self, database: Database) -> Entries:
        """The part of the ledger that a database has."""
        return Entries(database, self.identities[database])

    async def perform(
        self, task: Task, saga: str, values: Mapping[str, object], seconds: float | None = None
    ) -> Any:
        """Do something on the database on which the saga has it done; see :meth:`Task.perform`."""
        return await task.perform(saga, self.identities[task.database], values, seconds)


def make_plan(definition: Definition, home: Database, nodes: Mapping[tuple[str, str], Node]) -> Plan:
    """Make what can be run of a definition.

    :param nodes: what its names mean, by step and direction.
    """
    stages = []
    for id, action, compensation in definition.steps:
        do = make_task(id, DO, action, nodes[id, DO], home)
        undo = None if compensation is None else make_task(id, UNDO, compensation, nodes[id, UNDO], home)
        stages.append(Stage(id, do, undo))
    return Plan(definition, home, Headers(home), tuple(stages))


def accepts(node: Node, parameters: Mapping[str, object], name: str) -> bool:
    """Whether a node takes an input of a name beside its parameters."""
    try:
        node.check({}, [*parameters, name])
    except ValidationError:
        return False
    return True


def _known(action: Action, outputs: Outputs) -> dict[str, object]:
    values = dict(action.parameters)
    for name, (step, path) in action.inputs.items():
        values[name] = path.read_of(outputs[step], "step", step)
    return values


def key_of(node: Node) -> tuple[str, ...]:
    """The name of the parameter for the key, if a node is a function that has one."""
    return (KEY,) if isinstance(node, FunctionNode) and KEY in node.names else ()


def with_key(node: Node, values: dict[str, object], key: str) -> dict[str, object]:
    """The values, with the key if the node asks for one that it is not given."""
    return {**dict.fromkeys(key_of(node), key), **values}
