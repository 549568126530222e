"""Where each step runs: steps in a row that can share a place are a segment."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from dataflow.execution.database import Database
from dataflow.nodes.transaction_context import TransactionContextNode
from dataflow.workflow.graph import Block, Segment, Step, with_inner
from dataflow.workflow.order import Levels

__all__ = ["block_of", "make_block"]


class _Place(NamedTuple):
    """As in :class:`~dataflow.workflow.graph.Segment`."""

    database: Database | None
    blocking: bool


ON_THE_LOOP = _Place(None, False)
ALONE_IN_A_THREAD = _Place(None, True)


def make_block(steps: Mapping[str, Step], levels: Levels, level: str | None = None) -> Block:
    """The steps of a scope, or of a whole workflow, with those of their own scopes in them."""
    inside = tuple(
        steps[id]._replace(block=make_block(steps, levels, id)) if id in levels else steps[id]
        for id in levels[level]
    )
    return Block(inside, tuple(_segments(inside)))


def block_of(step: Step) -> Block:
    """A step that is a block by itself."""
    return Block((step,), tuple(_segments((step,))))


def _segments(steps: Sequence[Step]) -> Iterable[Segment]:
    """Cut the steps where an event loop has to change the place in which they run.

    Database nodes of a database in the process, and the functions after them, run in the thread of its connection;
    functions that come before any such node run in a thread of their own; all else runs on the loop. What says the
    terms of the run goes along with what follows it.
    """
    placed = zip(_places(steps), steps, strict=True)
    for (database, blocking), group in groupby(placed, key=lambda item: item[0]):
        yield Segment(tuple(step for _, step in group), database, blocking)


def _places(steps: Sequence[Step]) -> Sequence[_Place]:
    last: Database | None = None
    places: list[_Place] = []
    waiting = 0
    for step in steps:
        if step.block is None and isinstance(step.node, TransactionContextNode):
            waiting += 1
            continue
        place = _place(step, last)
        last = place.database
        places += [place] * (waiting + 1)
        waiting = 0
    return [*places, *[places[-1] if places else ON_THE_LOOP] * waiting]


def _place(step: Step, last: Database | None) -> _Place:
    """Where a step runs after others that ran beside a database."""
    nodes = [inner.node for inner in with_inner(step)]
    databases = [node.database for node in nodes if node.database is not None]
    if any(node.waits for node in nodes) or not all(database.in_process for database in databases):
        return ON_THE_LOOP
    if step.outside:
        return ALONE_IN_A_THREAD
    return _Place(last or next(iter(databases), None), True)
