"""Putting a workflow together: edges, order, checks, and where each step can run."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

from dataflow.errors import DataFlowError, MissingValue, ValidationError, nearest
from dataflow.nodes.contract import Node
from dataflow.workflow.connections import Connection, read_connection
from dataflow.workflow.graph import FAILED, FAILURE_OUTPUTS, SUCCESS, Edge, Prepared, Segment, Step, Workflow

if TYPE_CHECKING:
    from dataflow.execution.database import Database

__all__ = ["assemble"]

Nodes = Mapping[str, tuple[Node, Mapping[str, object]]]


def assemble(
    nodes: Nodes, ids: Collection[str], connections: Sequence[Connection], problems: list[str]
) -> Workflow | None:
    """Make a workflow of nodes and connections.

    :param nodes: node and parameters of each id, in the order in which they were added.
    :param ids: all ids, those of nodes that could not be found among them.
    :param problems: takes up whatever is wrong.
    :returns: None where something is.
    """
    if not ids:
        problems.append("it has no nodes; add one with add_node")
    edges = _edges(nodes, ids, connections, problems)
    incoming: dict[str, list[Edge]] = defaultdict(list)
    outgoing: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        incoming[edge.target].append(edge)
        outgoing[edge.source].append(edge)
        problems += _check_edge(edge, nodes)
    steps = {
        id: _step(id, node, parameters, incoming[id], outgoing[id], problems)
        for id, (node, parameters) in nodes.items()
    }
    order = _order(steps, incoming, outgoing, problems)
    if problems:
        return None
    ordered = tuple(_with_certainty([steps[id] for id in order], incoming))
    databases = tuple(dict.fromkeys(step.node.database for step in ordered if step.node.database is not None))
    return Workflow(
        steps=ordered,
        edges=tuple(edges),
        segments=tuple(_segments(ordered)),
        databases=databases,
        models=tuple(dict.fromkeys(step.node.model for step in ordered if step.node.model is not None)),
        writes=any(step.node.may_write(step.parameters) for step in ordered),
        waits=any(step.node.waits for step in ordered)
        or not all(database.in_process for database in databases),
        lacking=tuple(step.id for step in ordered if step.lacking is not None),
        by_id=MappingProxyType({step.id: step for step in ordered}),
    )


def _edges(
    nodes: Nodes, ids: Collection[str], connections: Iterable[Connection], problems: list[str]
) -> Sequence[Edge]:
    def accepts(id: str, name: str) -> bool:
        if id not in nodes:
            return True
        node, parameters = nodes[id]
        try:
            node.check({}, [*parameters, name])
        except ValidationError:
            return False
        return True

    edges = []
    for connection in connections:
        try:
            edge = read_connection(connection, ids, accepts)
        except DataFlowError as error:
            problems.append(f"{connection}: {error}")
            continue
        if edge.source in nodes and edge.target in nodes:
            edges.append(edge)
    return edges


def _check_edge(edge: Edge, nodes: Nodes) -> Iterable[str]:
    where = f"connection from {edge.source!r} to {edge.target!r}"
    outputs = nodes[edge.source][0].outputs
    if outputs is not None and edge.handles_failure:
        outputs |= FAILURE_OUTPUTS
    if edge.output is not None and outputs is not None and edge.output.root not in outputs:
        yield f"{where}: {edge.source!r} has no output {edge.output.root!r}{nearest(edge.output.root, outputs)}"
    condition = edge.condition
    if condition is None:
        return
    if not (condition.possible(SUCCESS) or condition.possible(FAILED)):
        yield f"{where}: the condition {condition.text!r} never holds; status is 'success' or 'failed'"
    if outputs is not None:
        known = outputs | FAILURE_OUTPUTS | {"status"}
        for name in sorted(condition.names - known):
            yield f"{where}: the condition uses {name!r}, but {edge.source!r} has no such output{nearest(name, known)}"


def _step(
    id: str,
    node: Node,
    parameters: Mapping[str, object],
    incoming: Sequence[Edge],
    outgoing: Sequence[Edge],
    problems: list[str],
) -> Step:
    inputs: dict[str, list[Edge]] = defaultdict(list)
    for edge in incoming:
        if edge.input is not None:
            inputs[edge.input].append(edge)
    problems += [
        f"node {id!r}: {name!r} is given as a parameter and fed by a connection"
        for name in inputs
        if name in parameters
    ]
    names = [*parameters, *(name for name in inputs if name not in parameters)]
    prepared, alone, lacking = None, False, None
    try:
        node.check(parameters, names)
        lacking = node.missing(names)
        if lacking is None and not inputs:
            value = node.prepare(parameters)
            prepared = Prepared(value) if node.settled else None
            alone = node.alone(value)
    except MissingValue as error:
        lacking = str(error)
    except DataFlowError as error:
        problems.append(f"node {id!r}: {error}")
    return Step(
        id=id,
        node=node,
        parameters=MappingProxyType(parameters),
        inputs=MappingProxyType({name: tuple(edges) for name, edges in inputs.items()}),
        gates=tuple(edge for edge in incoming if edge.gates),
        handled=any(edge.handles_failure for edge in outgoing),
        prepared=prepared,
        alone=alone,
        lacking=lacking,
    )


def _order(
    steps: Mapping[str, Step],
    incoming: Mapping[str, Sequence[Edge]],
    outgoing: Mapping[str, Sequence[Edge]],
    problems: list[str],
) -> Sequence[str]:
    """As the connections demand, else as the nodes were added."""
    numbers = {id: number for number, id in enumerate(steps)}
    ids = list(steps)
    waiting = {id: len(incoming[id]) for id in steps}
    ready = [numbers[id] for id in steps if not waiting[id]]
    heapify(ready)
    order = []
    while ready:
        id = ids[heappop(ready)]
        order.append(id)
        for edge in outgoing[id]:
            waiting[edge.target] -= 1
            if not waiting[edge.target]:
                heappush(ready, numbers[edge.target])
    if len(order) < len(steps):
        circle = _circle({id for id in steps if id not in order}, incoming)
        problems.append(f"the connections run in a circle: {' -> '.join(map(repr, circle))}")
    return order


def _with_certainty(steps: Sequence[Step], incoming: Mapping[str, Sequence[Edge]]) -> Iterable[Step]:
    """Mark the steps that no condition and no failure can pass by."""
    certain: set[str] = set()
    for step in steps:
        sure = all(edge.condition is None and edge.source in certain for edge in incoming[step.id])
        if sure and not step.handled:
            certain.add(step.id)
        yield step._replace(sure=sure)


def _circle(left: Collection[str], incoming: Mapping[str, Sequence[Edge]]) -> Sequence[str]:
    """One circle among the nodes that could not be put in order: each has a source among them."""
    path = [min(left)]
    while True:
        before = next(edge.source for edge in incoming[path[-1]] if edge.source in left)
        if before in path:
            return [before, *reversed(path[path.index(before) :])]
        path.append(before)


def _segments(steps: Sequence[Step]) -> Iterable[Segment]:
    """Cut the steps where an event loop has to change the place in which they run.

    Database nodes of a database in the process, and the functions after them, run in the thread of its connection;
    functions that come before any such node run in a thread of their own; all else runs on the loop.
    """
    place: Database | None = None
    placed: list[tuple[tuple[Database | None, bool], Step]] = []
    for step in steps:
        database = step.node.database
        if step.node.waits or (database is not None and not database.in_process):
            place = None
            placed.append(((None, False), step))
            continue
        place = place or database
        placed.append(((place, True), step))
    for (database, blocking), group in groupby(placed, key=lambda item: item[0]):
        yield Segment(tuple(step for _, step in group), database, blocking)
