"""Of rows that are the same, the last one wins."""

from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from typing import TypeAlias

from dataflow.nodes.bulk_rows import Batch, Group
from dataflow.nodes.flat_rows import FlatRows

__all__ = ["last_of_each"]

Key: TypeAlias = Hashable
"""What a row is matched by: the value of one field, or a tuple of the values of several."""


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
        if not _has_null(key):
            seen.add(key)
    kept.reverse()
    rows = list(group.rows)
    return Group(
        group.plan,
        FlatRows.of(len(group.plan.fields), [rows[position] for position in kept]),
        [group.indices[position] for position in kept],
    )


def _keys(group: Group, match: tuple[str, ...]) -> Iterable[Key]:
    columns = [group.rows.column(group.plan.fields.index(name)) for name in match]
    return columns[0] if len(columns) == 1 else zip(*columns, strict=True)


def _has_null(key: Key) -> bool:
    return None in key if isinstance(key, tuple) else key is None
