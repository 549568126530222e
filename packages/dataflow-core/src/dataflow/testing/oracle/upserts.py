"""An upsert as a loop over a list of dicts."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

__all__ = ["Refused", "upserted"]

Row = Mapping[str, Any]


class Refused(Exception):
    """A value would be there twice that may be there once."""


def upserted(
    stored: Sequence[Row],
    data: Sequence[Row],
    match: Collection[str],
    defaults: Row,
    *,
    update_fields: Collection[str] | None = None,
    unique: Collection[str] = (),
) -> tuple[Sequence[Row], int, int]:
    """What a table holds after the upsert, how many rows are new, and how many were there.

    :param defaults: for all fields, the value where a new row gives none.
    :param unique: the fields whose values, save null, may not be there twice.
    :raises Refused: where one would be; then nothing is stored.
    """
    rows = [dict(row) for row in stored]
    inserted = updated = 0
    for new in _last_of_each(data, match):
        found = [row for row in rows if _is_same(row, new, match)]
        if not found:
            found = [{**defaults, **new}]
            rows += found
            inserted += 1
        else:
            changed = [name for name in new if name not in match]
            for name in changed if update_fields is None else set(changed) & set(update_fields):
                found[0][name] = new[name]
            updated += 1
        for name in unique:
            values = [row[name] for row in rows if row[name] is not None]
            if len(set(values)) < len(values):
                raise Refused(name)
    return rows, inserted, updated


def _last_of_each(data: Sequence[Row], match: Collection[str]) -> Sequence[Row]:
    return [
        row
        for position, row in enumerate(data)
        if not any(_is_same(row, later, match) for later in data[position + 1 :])
    ]


def _is_same(row: Row, other: Row, match: Collection[str]) -> bool:
    return all(row[name] == other[name] is not None for name in match)
