"""Rows of SQL that the user wrote: their values by the types that the server names."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from dataflow.abc import Convert, Rows
from dataflow.mysql.types import decode_date, decode_time

__all__ = ["readable"]

DECIMALS, DATES, MOMENTS, TIMES = (0, 246), (10, 14), (7, 12), (11,)


def readable(result: Any) -> tuple[tuple[str, ...], Rows]:
    """The names of the columns of a driver's result, and its rows."""
    description = result.description
    names = tuple(column[0] for column in description)
    rows = list(result.rows or ())
    decoders = [
        (index, DECODERS[column[1]]) for index, column in enumerate(description) if column[1] in DECODERS
    ]
    if not decoders:
        return names, rows
    return names, [_decoded(row, decoders) for row in rows]


def _decoded(row: tuple[Any, ...], decoders: list[tuple[int, Convert]]) -> tuple[Any, ...]:
    cells = list(row)
    for index, decode in decoders:
        if cells[index] is not None:
            cells[index] = decode(cells[index])
    return tuple(cells)


def _moment(stored: str) -> datetime | str:
    try:
        return datetime.fromisoformat(stored)
    except ValueError:
        return stored  # a moment of zeros


DECODERS: Mapping[int, Convert] = {
    **dict.fromkeys(DECIMALS, Decimal),
    **dict.fromkeys(DATES, decode_date),
    **dict.fromkeys(MOMENTS, _moment),
    **dict.fromkeys(TIMES, decode_time),
}
