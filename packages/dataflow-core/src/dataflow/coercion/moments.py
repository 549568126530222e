"""Coercion to dates, times and durations, from objects or, except for durations, from their ISO 8601 text."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar, cast

from dataflow.coercion.refusals import attempt, is_a, refusal
from dataflow.coercion.rules import Rule, Shortcut
from dataflow.errors import InvalidValue
from dataflow.types import GREATEST_INTEGER, SMALLEST_INTEGER, ColumnType

__all__ = ["date_rule", "datetime_rule", "interval_rule", "time_rule"]

Value = TypeVar("Value")

_SHORTEST, _LONGEST = timedelta(microseconds=SMALLEST_INTEGER), timedelta(microseconds=GREATEST_INTEGER)
_FINER_THAN_MICROSECONDS = re.compile(r"[.,]\d{6}\d*?[1-9]")


def datetime_rule(column: ColumnType) -> Rule:
    def convert(value: object, where: str) -> datetime:
        moment = _read(value, datetime, _plain_datetime, "datetime or its ISO 8601 str", where)
        if is_a(value, str) and attempt(date.fromisoformat, value) is not None:
            raise InvalidValue(f"{where}: the str holds a date without a time; give both")
        if moment.tzinfo is not None:
            return _in_utc(moment, where)
        if column.naive_datetimes:
            return moment.replace(tzinfo=UTC)
        raise InvalidValue(
            f"{where}: the datetime has no time zone; give it one, or let the model take such values as UTC "
            'with __dataflow__ = {"naive_datetimes": "utc"}'
        )

    names = {"datetime": datetime, "UTC": UTC}
    return Rule(Shortcut("type({value}) is {datetime} and {value}.tzinfo is {UTC}", names), convert)


def _in_utc(moment: datetime, where: str) -> datetime:
    # Asked first, because astimezone() takes an unknown offset for the one of this machine.
    if attempt(moment.utcoffset) is not None:
        in_utc = attempt(moment.astimezone, UTC)
        if in_utc is not None:
            return in_utc
    raise InvalidValue(f"{where}: the datetime cannot be told in UTC, within the years 1 to 9999")


def date_rule(column: ColumnType) -> Rule:
    def convert(value: object, where: str) -> date:
        if is_a(value, datetime):
            raise InvalidValue(f"{refusal(where, 'date', value)}; give its date()")
        return _read(value, date, _plain_date, "date or its ISO 8601 str", where)

    return Rule(Shortcut("type({value}) is {date}", {"date": date}), convert)


def time_rule(column: ColumnType) -> Rule:
    def convert(value: object, where: str) -> time:
        moment = _read(value, time, _plain_time, "time or its ISO 8601 str", where)
        if moment.tzinfo is not None:
            raise InvalidValue(f"{where}: a time of day is stored without a time zone; give one without")
        return moment

    return Rule(Shortcut("type({value}) is {time} and {value}.tzinfo is None", {"time": time}), convert)


def interval_rule(column: ColumnType) -> Rule:
    def convert(value: object, where: str) -> timedelta:
        duration = _plain(value, timedelta, _plain_timedelta, "timedelta", where)
        if not _SHORTEST <= duration <= _LONGEST:
            raise InvalidValue(f"{where}: the timedelta is out of range; it must fit 2**63 microseconds")
        return duration

    names = {"timedelta": timedelta, "shortest": _SHORTEST, "longest": _LONGEST}
    return Rule(
        Shortcut("type({value}) is {timedelta} and {shortest} <= {value} <= {longest}", names), convert
    )


def _read(value: object, kind: type[Value], copy: Callable[[Any], Value], expected: str, where: str) -> Value:
    """Take a date or a time as it is, or from its ISO form."""
    if not is_a(value, str):
        return _plain(value, kind, copy, expected, where)
    text = cast("str", value)
    found = attempt(cast("Any", kind).fromisoformat, text)
    if found is None:
        raise InvalidValue(f"{where}: expected {expected}, got a str of another form")
    if _FINER_THAN_MICROSECONDS.search(text):
        raise InvalidValue(f"{where}: the str is finer than a microsecond, which cannot be stored")
    return cast("Value", found)


def _plain(
    value: object, kind: type[Value], copy: Callable[[Any], Value], expected: str, where: str
) -> Value:
    """Give an object of exactly this type; a subclass, as other libraries have them, must equal its copy."""
    if type(value) is kind:
        return value
    if not is_a(value, kind):
        raise refusal(where, expected, value)
    plain = attempt(copy, value)
    if plain is None or plain != value:
        raise InvalidValue(
            f"{where}: this {type(value).__name__} cannot become a {kind.__name__} without loss"
        )
    return plain


def _plain_datetime(value: datetime) -> datetime:
    return datetime.combine(_plain_date(value), _plain_time(value.timetz()))


def _plain_date(value: date) -> date:
    return date(value.year, value.month, value.day)


def _plain_time(value: time) -> time:
    return time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold)


def _plain_timedelta(value: timedelta) -> timedelta:
    return timedelta(value.days, value.seconds, value.microseconds)
