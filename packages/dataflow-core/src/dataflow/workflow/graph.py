"""A workflow that was built: a frozen graph, its order settled."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dataflow.execution.agreement import Agreement
from dataflow.execution.database import Database
from dataflow.model.schema import Model
from dataflow.nodes.contract import Node, Output
from dataflow.workflow.paths import Path

if TYPE_CHECKING:
    from dataflow.workflow.conditions import Condition
    from dataflow.workflow.explanation import Explanation

__all__ = [
    "FAILED",
    "FAILURE_OUTPUTS",
    "SUCCESS",
    "Block",
    "Edge",
    "Prepared",
    "Segment",
    "Step",
    "Workflow",
    "with_inner",
]

SUCCESS = "success"
FAILED = "failed"
FAILURE_OUTPUTS = frozenset({"error", "error_type"})
OF_FAILURE = FAILURE_OUTPUTS | {"status"}


class Edge(NamedTuple):
    """A connection from one node to another.

    :param output: the output that travels; None for an edge that only orders.
    :param input: the input that it feeds; None likewise.
    :param condition: what must hold of the source for the edge to be live; without one, that it succeeded.
    """

    source: str
    target: str
    output: Path | None = None
    input: str | None = None
    condition: "Condition | None" = None

    @property
    def gates(self) -> bool:
        """Whether it decides if its target runs, be it alone or besides carrying a value."""
        return self.input is None or self.condition is not None

    @property
    def handles_failure(self) -> bool:
        """Whether it can be live when its source has failed."""
        condition = self.condition
        return (
            condition is not None
            and not condition.names.isdisjoint(OF_FAILURE)
            and condition.possible(FAILED)
        )

    def live(self, outcomes: Mapping[str, str], outputs: Mapping[str, Output]) -> bool:
        """Whether the source ran and ended as the edge wants it."""
        outcome = outcomes.get(self.source)
        if outcome is None:
            return False
        if self.condition is None:
            return outcome == SUCCESS
        return self.condition.holds(outcome, outputs[self.source])


class Prepared(NamedTuple):
    """What a node prepared to when the workflow was built."""

    value: Any


class Step(NamedTuple):
    """A node in its place in the workflow.

    :param parameters: those given when the node was added.
    :param inputs: for each input, the edges that may feed it.
    :param gates: the edges of which one must be live.
    :param handled: whether an edge may take up its failure, so that it runs in a savepoint.
    :param prepared: what it prepared to, where nothing is left for a run to decide.
    :param alone: whether it is a single statement after which nothing can fail.
    :param lacking: what must come from the parameters of the run, as a sentence.
    :param sure: whether every run that gets to it runs it, as no condition and no failure can pass it by.
    :param block: the steps of its scope, if it has one.
    :param outside: whether it runs between two transactions.
    :param plain: whether all it does is to work on a database, in the transaction that is open.
    """

    id: str
    node: Node
    parameters: Mapping[str, object]
    inputs: Mapping[str, tuple[Edge, ...]]
    gates: tuple[Edge, ...]
    handled: bool
    prepared: Prepared | None
    alone: bool
    lacking: str | None
    sure: bool = False
    block: "Block | None" = None
    outside: bool = False
    plain: bool = False


class Segment(NamedTuple):
    """Steps in a row that run in the same place.

    :param database: a database of the process beside which they run, in its thread; None for the event loop.
    :param blocking: whether they may hold up a thread and so must not run on the event loop.
    """

    steps: tuple[Step, ...]
    database: Database | None
    blocking: bool


class Block(NamedTuple):
    """Steps that happen together or not at all: those of a run, or of a scope in it.

    :param steps: in the order in which they run; those of a scope are in the block of its node.
    :param segments: the same, cut where an event loop has to change the place where they run.
    """

    steps: tuple[Step, ...]
    segments: tuple[Segment, ...]


def with_inner(step: Step) -> Iterator[Step]:
    """A step and all that are in its scope."""
    yield step
    for inner in step.block.steps if step.block is not None else ():
        yield from with_inner(inner)


@dataclass(frozen=True, slots=True, eq=False)
class Workflow:
    """A graph of nodes that has been checked and can be run any number of times, by many threads at once.

    :param steps: in the order in which they run, those of scopes among them.
    :param edges: in the order in which they were added.
    :param block: the steps that are in no scope, and in them the others.
    :param context: the id of the node that configures the run.
    :param databases: those that its nodes work on.
    :param models: those of its nodes.
    :param writes: whether a node may write.
    :param waits: whether it needs an event loop: a node is asynchronous, or a database is across the network.
    :param lacking: the ids of the steps that cannot run without parameters.
    :param by_id: the steps by their ids.
    :param agreement: has the transactions on its databases end as one, where a node asks for that.
    """

    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]
    block: Block
    context: str | None
    databases: tuple[Database, ...]
    models: tuple[Model, ...]
    writes: bool
    waits: bool
    lacking: tuple[str, ...]
    by_id: Mapping[str, Step]
    agreement: Agreement | None = None
    sole: Step | None = field(init=False)
    """The step that is all there is, where that is a node of a database that waits for nothing else."""

    def __post_init__(self) -> None:
        step = self.steps[0]
        is_sole = len(self.steps) == 1 and step.node.database is not None and not step.node.waits
        object.__setattr__(self, "sole", step if is_sole else None)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        from dataflow.workflow.mermaid import draw

        return draw(self)

    def explain(self) -> "Explanation":
        """What a run would do: the SQL, the database and the transaction of each node, without running it."""
        from dataflow.workflow.explanation import explain

        return explain(self)
