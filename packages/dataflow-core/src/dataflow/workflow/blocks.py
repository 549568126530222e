"""Where each step runs: steps in a row that can share a place are a segment."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from dataflow.execution.database import Database
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
    functions that come before any such node run in a thread of their own; all else runs on the loop.
    """
    last: Database | None = None
    placed: list[tuple[_Place, Step]] = []
    for step in steps:
        place = _place(step, last)
        last = place.database
        placed.append((place, step))
    for (database, blocking), group in groupby(placed, key=lambda item: item[0]):
        yield Segment(tuple(step for _, step in group), database, blocking)


def _place(step: Step, last: Database | None) -> _Place:
    """Where a step runs after others that ran beside a database."""
    nodes = [inner.node for inner in with_inner(step)]
    databases = [node.database for node in nodes if node.database is not None]
    if any(node.waits for node in nodes) or not all(database.in_process for database in databases):
        return ON_THE_LOOP
    if step.outside:
        return ALONE_IN_A_THREAD
    return _Place(last or next(iter(databases), None), True)
