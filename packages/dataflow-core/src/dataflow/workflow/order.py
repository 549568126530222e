"""The order in which nodes run: as the connections demand, else as they were added; a scope stays together."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from dataflow.workflow.graph import Edge
from dataflow.workflow.scopes import Scopes

__all__ = ["Levels", "in_order", "in_sequence"]

Levels: TypeAlias = Mapping[str | None, Sequence[str]]
"""For each node that has a scope, the nodes directly in it, in order; under None those that are in no scope."""


def in_order(
    ids: Collection[str], scopes: Scopes, incoming: Mapping[str, Sequence[Edge]], problems: list[str]
) -> Levels:
    """Put the nodes of each scope in order.

    :param ids: in the order in which they were added.
    :param problems: takes up the circles.
    """
    members: dict[str | None, list[str]] = defaultdict(list)
    for id in ids:
        members[scopes.of(id)].append(id)
    return {
        level: _sorted(inside, _sources(level, inside, ids, scopes, incoming), problems)
        for level, inside in members.items()
    }


def in_sequence(levels: Levels, level: str | None = None) -> Iterator[str]:
    """All nodes in the order in which they run."""
    for id in levels.get(level, ()):
        yield id
        yield from in_sequence(levels, id)


def _sources(
    level: str | None,
    inside: Collection[str],
    ids: Collection[str],
    scopes: Scopes,
    incoming: Mapping[str, Sequence[Edge]],
) -> Mapping[str, Collection[str]]:
    """What comes before each node of a level, where a scope counts as one."""
    sources: dict[str, set[str]] = {id: set() for id in inside}
    for target in ids:
        later = scopes.at(level, target)
        if later is None:
            continue
        for edge in incoming[target]:
            earlier = scopes.at(level, edge.source)
            if earlier is not None and (earlier != later or edge.source == target):
                sources[later].add(earlier)
    return sources


def _sorted(ids: Sequence[str], sources: Mapping[str, Collection[str]], problems: list[str]) -> Sequence[str]:
    numbers = {id: number for number, id in enumerate(ids)}
    followers: dict[str, list[str]] = defaultdict(list)
    for id in ids:
        for source in sources[id]:
            followers[source].append(id)
    waiting = {id: len(sources[id]) for id in ids}
    ready = [numbers[id] for id in ids if not waiting[id]]
    heapify(ready)
    order: list[str] = []
    while ready:
        id = ids[heappop(ready)]
        order.append(id)
        for follower in followers[id]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heappush(ready, numbers[follower])
    if len(order) < len(ids):
        circle = _circle({id for id in ids if waiting[id]}, sources)
        problems.append(f"the connections run in a circle: {' -> '.join(map(repr, circle))}")
    return order


def _circle(left: Collection[str], sources: Mapping[str, Collection[str]]) -> Sequence[str]:
    """One circle among the nodes that could not be put in order: each has a source among them."""
    path = [min(left)]
    while True:
        before = min(source for source in sources[path[-1]] if source in left)
        if before in path:
            return [before, *reversed(path[path.index(before) :])]
        path.append(before)
