"""Putting a workflow together: edges, order, checks, and where each step can run."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from dataflow.errors import DataFlowError, MissingValue, ValidationError, nearest
from dataflow.execution.agreement import Agreement
from dataflow.nodes.contract import Node
from dataflow.nodes.function import FunctionNode
from dataflow.nodes.registry import NodeSource
from dataflow.nodes.transaction_context import TransactionContextNode
from dataflow.workflow.blocks import make_block
from dataflow.workflow.composition import Nodes, compose
from dataflow.workflow.connections import Connection, read_connection
from dataflow.workflow.graph import FAILED, FAILURE_OUTPUTS, SUCCESS, Edge, Prepared, Step, Workflow
from dataflow.workflow.order import Levels, in_order, in_sequence
from dataflow.workflow.scopes import Scopes, find_scopes

if TYPE_CHECKING:
    from dataflow.execution.database import Database

__all__ = ["assemble"]


def assemble(
    nodes: Nodes,
    ids: Collection[str],
    connections: Sequence[Connection],
    source: NodeSource,
    problems: list[str],
) -> Workflow | None:
    """Make a workflow of nodes and connections.

    :param nodes: node and parameters of each id, in the order in which they were added.
    :param ids: all ids, those of nodes that could not be found among them.
    :param source: where nodes are looked up that others ask for by name.
    :param problems: takes up whatever is wrong.
    :returns: None where something is.
    """
    if not ids:
        problems.append("it has no nodes; add one with add_node")
    edges = _edges(nodes, ids, connections, problems)
    apart, (nodes, edges) = (nodes, edges), compose(nodes, edges, source, problems)
    for edge in apart[1]:
        if edge.source not in nodes:
            problems += _check_edge(edge, apart[0])
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
    contexts = [id for id, step in steps.items() if isinstance(step.node, TransactionContextNode)]
    context = _context_of_run(contexts, incoming, outgoing, problems)
    scopes = find_scopes([id for id in contexts if id != context], incoming, outgoing)
    problems += _check_scopes(contexts, context, scopes)
    problems += _check_outside(steps, scopes)
    levels = in_order(steps, scopes, incoming, problems)
    if context is None:
        context = _scope_of_all(levels, steps, scopes)
    order = tuple(in_sequence(levels))
    problems += _check_parts(steps[id] for id in order)
    found = (steps[id].node.database for id in order)
    databases = tuple(dict.fromkeys(database for database in found if database is not None))
    agreement = _agreement(steps[id] for id in contexts)
    if agreement is not None:
        problems += agreement.problems(databases)
    if problems:
        return None
    ordered = tuple(_with_certainty([steps[id] for id in order], scopes, incoming))
    return Workflow(
        steps=ordered,
        edges=tuple(edges),
        block=make_block({step.id: step for step in ordered}, levels),
        context=context,
        databases=databases,
        models=tuple(dict.fromkeys(step.node.model for step in ordered if step.node.model is not None)),
        writes=any(step.node.may_write(step.parameters) for step in ordered),
        waits=any(step.node.waits for step in ordered)
        or not all(database.in_process for database in databases),
        lacking=tuple(step.id for step in ordered if step.lacking is not None),
        by_id=MappingProxyType({step.id: step for step in ordered}),
        agreement=agreement,
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
    handled = any(edge.handles_failure for edge in outgoing)
    return Step(
        id=id,
        node=node,
        parameters=MappingProxyType(parameters),
        inputs=MappingProxyType({name: tuple(edges) for name, edges in inputs.items()}),
        gates=tuple(edge for edge in incoming if edge.gates),
        handled=handled,
        prepared=prepared,
        alone=alone,
        lacking=lacking,
        outside=node.outside,
        plain=node.database is not None and not (handled or node.outside),
    )


def _context_of_run(
    contexts: Sequence[str],
    incoming: Mapping[str, Sequence[Edge]],
    outgoing: Mapping[str, Sequence[Edge]],
    problems: list[str],
) -> str | None:
    """The node that configures the run: one that is not connected."""
    unconnected = [id for id in contexts if not incoming[id] and not outgoing[id]]
    if len(unconnected) > 1:
        names = " and ".join(map(repr, unconnected))
        problems.append(
            f"{names} both configure the run; connect them to the nodes of their scopes, or drop one"
        )
    return unconnected[0] if unconnected else None


def _scope_of_all(levels: Levels, steps: Mapping[str, Step], scopes: Scopes) -> str | None:
    """The node in whose scope all others are, which configures the run just as well."""
    top = levels.get(None, ())
    return top[0] if len(top) == 1 and top[0] in scopes and not steps[top[0]].handled else None


def _agreement(contexts: Iterable[Step]) -> Agreement | None:
    """What has all databases of the workflow end as one, if a node asks for it: a scope is a part of its run."""
    nodes = (step.node for step in contexts)
    agreements = (node.agreement for node in nodes if isinstance(node, TransactionContextNode))
    return next((agreement for agreement in agreements if agreement is not None), None)


def _check_scopes(contexts: Iterable[str], context: str | None, scopes: Scopes) -> Iterable[str]:
    for id in contexts:
        if id != context and id not in scopes:
            yield (
                f"node {id!r}: no node is reached only through it, so that its scope is empty; connect it to the first "
                "node of its scope, or leave it without connections to configure the run"
            )


def _check_outside(steps: Mapping[str, Step], scopes: Scopes) -> Iterable[str]:
    for step in steps.values():
        # What others do between two transactions is theirs to undo where it fails; what a function did stays.
        handled = step.handled and isinstance(step.node, FunctionNode)
        if step.outside and (handled or scopes.of(step.id) is not None):
            why = "an edge takes up its failure" if handled else "it is in a scope"
            yield (
                f"node {step.id!r}: it is to run outside of the transaction, but {why}, which cannot be committed by "
                "itself"
            )


def _check_parts(steps: Iterable[Step]) -> Iterable[str]:
    """What must be undone alone needs a savepoint, where its transaction has begun before."""
    begun: dict[Database, str] = {}
    for step in steps:
        for database, first in begun.items() if step.handled else ():
            yield (
                f"node {step.id!r}: an edge takes up its failure, so that it must be undone alone; but "
                f"{database.dialect.name} has no savepoints, and {first!r} before it is in the same transaction on "
                f"{database.name!r}; make it the first there, or catch the error of the run"
            )
        if step.node.database is not None and not step.node.database.has_savepoints:
            begun.setdefault(step.node.database, step.id)


def _with_certainty(
    steps: Iterable[Step], scopes: Scopes, incoming: Mapping[str, Sequence[Edge]]
) -> Iterable[Step]:
    """Mark the steps that no condition and no failure can pass by."""
    certain: set[str] = set()
    may_fail: set[str] = set()
    for step in steps:
        around = {*scopes.around(step.id), step.id}
        sure = all(
            edge.condition is None
            and edge.source in certain
            # What a scope has done is gone where its failure is taken up.
            and all(
                scope in around for scope in (edge.source, *scopes.around(edge.source)) if scope in may_fail
            )
            for edge in incoming[step.id]
        )
        if step.handled:
            may_fail.add(step.id)
        if sure and (not step.handled or step.id in scopes):
            certain.add(step.id)
        yield step._replace(sure=sure)
