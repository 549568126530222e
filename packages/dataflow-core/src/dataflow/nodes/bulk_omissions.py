"""What becomes of a value that a new row leaves to the table."""

from collections.abc import Collection, Iterable, Sequence
from itertools import compress, groupby

from dataflow.nodes.bulk_plans import OMITTED
from dataflow.nodes.bulk_rows import Group
from dataflow.nodes.flat_rows import FlatRows, Values

__all__ = ["settled"]


def settled(group: Group, nulls: Collection[str]) -> Sequence[Group]:
    """The rows without ``OMITTED``: in one group where that means null, else in groups that omit the same.

    :param nulls: the fields that are null in the table where an INSERT leaves them out.
    """
    if not group.sparse:
        return [group]
    if all(name in nulls for name in group.plan.optional):
        rows = FlatRows.of(len(group.plan.fields), (tuple(map(_null, row)) for row in group.rows))
        return [group._replace(rows=rows, sparse=False)]
    return [*_split(group)]


def _null(value: object) -> object:
    return None if value is OMITTED else value


def _split(group: Group) -> Iterable[Group]:
    rows = zip(group.rows, group.indices, strict=True)
    for given, found in groupby(rows, lambda pair: _given(pair[0])):
        run = list(found)
        yield Group(
            group.plan._replace(fields=tuple(compress(group.plan.fields, given))),
            FlatRows.of(sum(given), (tuple(compress(row, given)) for row, _ in run)),
            [index for _, index in run],
        )


def _given(row: Values) -> tuple[bool, ...]:
    return tuple(value is not OMITTED for value in row)
