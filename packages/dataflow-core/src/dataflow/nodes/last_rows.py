"""Of rows that are the same, the last one wins."""

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter

from dataflow.nodes.bulk_rows import Batch, Group

__all__ = ["last_of_each"]

Key = tuple[object, ...]


def last_of_each(batches: Sequence[Batch], match: tuple[str, ...]) -> Sequence[Batch]:
    """The batches without the rows of which a later one has the same values in these fields; null is never the same."""
    count = sum(len(group.rows) for batch in batches for group in batch.groups)
    keys = chain.from_iterable(_keys(group, match) for batch in batches for group in batch.groups)
    if len(set(keys)) == count:
        return batches
    seen: set[Key] = set()
    kept = [_without(seen, batch, match) for batch in reversed(batches)]
    return kept[::-1]


def _without(seen: set[Key], batch: Batch, match: tuple[str, ...]) -> Batch:
    groups = [_group_without(seen, group, match) for group in reversed(batch.groups)]
    return batch._replace(groups=[group for group in reversed(groups) if group.rows])


def _group_without(seen: set[Key], group: Group, match: tuple[str, ...]) -> Group:
    kept: list[int] = []
    keys = list(_keys(group, match))
    for position in reversed(range(len(keys))):
        key = keys[position]
        if key in seen:
            continue
        kept.append(position)
        if None not in key:
            seen.add(key)
    kept.reverse()
    return Group(
        group.plan,
        [group.rows[position] for position in kept],
        [group.indices[position] for position in kept],
    )


def _keys(group: Group, match: tuple[str, ...]) -> Iterable[Key]:
    positions = [group.plan.fields.index(name) for name in match]
    if len(positions) == 1:
        # A getter of one item gives no tuple.
        return zip(map(itemgetter(*positions), group.rows), strict=True)
    return map(itemgetter(*positions), group.rows)
