"""What is no scalar of JSON, as one that is: how the elements of a list are written where that is stored as JSON.

Texts that are equal stand for values that are equal, and sort as they do.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from dataflow.types import ColumnType, Kind

__all__ = ["ScalarForm", "scalar_form"]

LAST, FIRST = "infinity", "-infinity"
"""The ends of Python's time, as PostgreSQL calls the ends of its own."""


class ScalarForm(NamedTuple):
    """How a value becomes a scalar of JSON, and is made of one."""

    write: Callable[[Any], str]
    read: Callable[[str], object]


def scalar_form(type: ColumnType) -> ScalarForm | None:
    """The form of the values of a type; None where they are scalars of JSON themselves.

    >>> scalar_form(ColumnType(Kind.DATETIME, datetime)).write(datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC))
    '2026-01-31T12:00:00.5+00:00'
    """
    if type.kind is Kind.UUID:
        return ScalarForm(
            str, type.python
        )  # not imported here: only those who have a UUID pay for the module
    return FORMS.get(type.kind)


def _write_moment(moment: datetime) -> str:
    if moment in (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)):
        return LAST if moment.year > 1 else FIRST
    whole, _, fraction = moment.isoformat().removesuffix("+00:00").partition(".")
    return f"{whole}.{fraction.rstrip('0')}+00:00" if fraction else f"{whole}+00:00"


def _read_moment(text: str) -> datetime:
    if text in (LAST, FIRST):
        return (datetime.max if text == LAST else datetime.min).replace(tzinfo=UTC)
    return datetime.fromisoformat(text)


def _write_day(day: date) -> str:
    if day in (date.max, date.min):
        return LAST if day.year > 1 else FIRST
    return day.isoformat()


def _read_day(text: str) -> date:
    if text in (LAST, FIRST):
        return date.max if text == LAST else date.min
    return date.fromisoformat(text)


FORMS: Mapping[Kind, ScalarForm] = {
    Kind.DATETIME: ScalarForm(_write_moment, _read_moment),
    Kind.DATE: ScalarForm(_write_day, _read_day),
}
