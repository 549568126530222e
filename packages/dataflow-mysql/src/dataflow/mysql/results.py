"""Rows of SQL that the user wrote: their values by the types that the server names."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from dataflow.abc import Convert, Rows

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


def _or_text(decode: Callable[[str], Any]) -> Convert:
    """What cannot be read, such as a date of zeros, stays a text."""

    def convert(stored: str) -> Any:
        try:
            return decode(stored)
        except ValueError:
            return stored

    return convert


def _time(stored: str) -> time | timedelta:
    try:
        return time.fromisoformat(stored)
    except ValueError:
        sign = -1 if stored.startswith("-") else 1
        hours, minutes, seconds = stored.lstrip("-").split(":")
        return sign * timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))


DECODERS: Mapping[int, Convert] = {
    **dict.fromkeys(DECIMALS, Decimal),
    **dict.fromkeys(DATES, _or_text(date.fromisoformat)),
    **dict.fromkeys(MOMENTS, _or_text(datetime.fromisoformat)),
    **dict.fromkeys(TIMES, _or_text(_time)),
}
