"""Strict coercion by type: a value that a caller gave becomes the value to store, or is refused.

What is accepted is stored and read back equal, so whatever a database could bend is refused here. Each
coercer is made once, when a model is defined, and is called for each field of each row: it tests for the
usual type first, and leaves everything else to a slower function. A refusal names the place and the types,
never the value; it is also raised outside of ``except`` blocks, since the errors of the standard library
quote the value.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite, log2
from sys import maxsize
from typing import Any, TypeVar, cast

from dataflow.errors import InvalidValue
from dataflow.types import GREATEST_INTEGER, SMALLEST_INTEGER, ColumnType, Kind, is_storable_text

__all__ = ["Coercer", "coercer"]

Coercer = Callable[[object], object]
Value = TypeVar("Value")

_SHORTEST, _LONGEST = timedelta(microseconds=SMALLEST_INTEGER), timedelta(microseconds=GREATEST_INTEGER)
_DIGITS_BEFORE, _DIGITS_AFTER = 131_072, 16_383  # what PostgreSQL's numeric holds, the widest of all
_BITS_OF_A_DIGIT = log2(10)
_DEEPEST = 100  # what MySQL's JSON holds, counted as it counts
_FINER_THAN_MICROSECONDS = re.compile(r"[.,]\d{6}\d*?[1-9]")
_SHOWN_CHOICES, _SHOWN_KEY = 10, 40


def coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    """Make the function that coerces the values of one column.

    :param column: the type to coerce to.
    :param nullable: whether None is a value.
    :param where: the place to name in a refusal: ``"User.age"``.

    >>> age = coercer(ColumnType(Kind.INTEGER, int), False, "User.age")
    >>> age(41)
    41
    >>> age("41")
    Traceback (most recent call last):
    dataflow.errors.InvalidValue: User.age: expected int, got str
    """
    make = _MAKERS[column.kind]
    if column.choices:
        make = _enum if issubclass(column.python, Enum) else _literal
    return make(column, nullable, where)


def _refusal(where: str, expected: str, value: object) -> InvalidValue:
    return InvalidValue(f"{where}: expected {expected}, got {type(value).__name__}")


def _or_none(convert: Callable[[object, str], object], nullable: bool, where: str) -> Coercer:
    def coerce(value: object) -> object:
        if value is not None:
            return convert(value, where)
        if nullable:
            return None
        raise InvalidValue(f"{where} must not be None")

    return coerce


def _is(value: object, *kinds: type) -> bool:
    """Test for a type or a subclass; unlike isinstance, a proxy that only claims to be one does not pass."""
    return issubclass(type(value), kinds)


def _attempt(convert: Callable[..., Value], *arguments: object) -> Value | None:
    """Call a constructor of the standard library; None where it refuses."""
    try:
        return convert(*arguments)
    except (ValueError, TypeError, OverflowError):
        return None


# Numbers and truth


def _to_integer(value: object, where: str) -> int:
    if not _is(value, int) or type(value) is bool:
        raise _refusal(where, "int", value)
    number = int.__int__(cast("int", value))  # a member of an IntEnum is stored as the number it is
    if not SMALLEST_INTEGER <= number <= GREATEST_INTEGER:
        raise InvalidValue(f"{where}: the int is out of range; 64 bits hold -2**63 to 2**63 - 1")
    return number


def _integer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    other = _or_none(_to_integer, nullable, where)

    def coerce(value: object) -> object:
        if type(value) is int and -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
            return value
        return other(value)

    return coerce


def _float(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> float:
        if _is(value, float):
            return float.__float__(cast("float", value))
        if not _is(value, int) or type(value) is bool:
            raise _refusal(where, "float or int", value)
        number = int.__int__(cast("int", value))
        result = _attempt(float, number)
        if result is None or result != number:
            raise InvalidValue(
                f"{where}: a float cannot hold this int exactly; make the field int or Decimal"
            )
        return result

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is float else other(value)

    return coerce


def _boolean(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> bool:
        raise _refusal(where, "bool", value)

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is bool else other(value)

    return coerce


def _decimal(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> Decimal:
        if not _is(value, Decimal, int) or type(value) is bool:
            hint = "; a float is not exact, give a Decimal made from a string" if _is(value, float) else ""
            raise InvalidValue(f"{_refusal(where, 'Decimal or int', value)}{hint}")
        # Asked first, because the conversion takes seconds for an int of a million digits.
        if _is(value, int) and int.bit_length(cast("int", value)) > _DIGITS_BEFORE * _BITS_OF_A_DIGIT:
            raise InvalidValue(f"{where}: the int has more than {_DIGITS_BEFORE} digits")
        result = Decimal(cast("Decimal | int", value))
        if not result.is_finite():
            raise InvalidValue(f"{where}: NaN and infinity are no amounts; give a finite Decimal")
        if not (_is_modest(result) or _fits(result)):
            raise InvalidValue(
                f"{where}: a Decimal may have {_DIGITS_BEFORE} digits, and {_DIGITS_AFTER} after the point"
            )
        return result

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is Decimal and _is_modest(value) else other(value)

    return coerce


def _is_modest(number: Decimal) -> bool:
    """Tell that a number is surely in bounds, without the slow look at its exponent."""
    return -99 < number.adjusted() < 99 and len(str(number)) < 99 and number.is_finite()


def _fits(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return number.adjusted() < _DIGITS_BEFORE and isinstance(exponent, int) and exponent >= -_DIGITS_AFTER


# Text and bytes


def _to_text(value: object, where: str) -> str:
    if not _is(value, str):
        raise _refusal(where, "str", value)
    text = str.__str__(cast("str", value))  # str() of a str Enum may be its name
    if "\0" in text:
        raise InvalidValue(f"{where}: the str holds a NUL character, which databases cannot store")
    if not is_storable_text(text):
        raise InvalidValue(f"{where}: the str holds a lone surrogate, which is not valid Unicode")
    return text


def _text(column: ColumnType, nullable: bool, where: str) -> Coercer:
    limit = maxsize if column.max_length is None else column.max_length

    def convert(value: object, where: str) -> str:
        text = _to_text(value, where)
        if len(text) > limit:
            raise InvalidValue(f"{where}: the str has {len(text)} characters, {limit} are allowed")
        return text

    other = _or_none(convert, nullable, where)

    # The inner test is spelt out for the usual text, as a call would double the price.
    def coerce(value: object) -> object:
        if type(value) is str and ((value.isascii() and "\0" not in value) or is_storable_text(value)):
            return value
        return other(value)

    def coerce_limited(value: object) -> object:
        return other(value) if type(value) is str and len(value) > limit else coerce(value)

    return coerce if column.max_length is None else coerce_limited


def _binary(column: ColumnType, nullable: bool, where: str) -> Coercer:
    limit = maxsize if column.max_length is None else column.max_length

    def convert(value: object, where: str) -> bytes:
        content = _attempt(bytes, value) if _is(value, bytes, bytearray, memoryview) else None
        if content is None:
            raise _refusal(where, "bytes", value)
        if len(content) > limit:
            raise InvalidValue(f"{where}: there are {len(content)} bytes, {limit} are allowed")
        return content

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is bytes and len(value) <= limit else other(value)

    return coerce


# Dates and times


def _datetime(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> datetime:
        moment = _read(value, datetime, _plain_datetime, "datetime or its ISO 8601 str", where)
        if _is(value, str) and _attempt(date.fromisoformat, value) is not None:
            raise InvalidValue(f"{where}: the str holds a date without a time; give both")
        if moment.tzinfo is not None:
            return _in_utc(moment, where)
        if column.naive_datetimes:
            return moment.replace(tzinfo=UTC)
        raise InvalidValue(
            f"{where}: the datetime has no time zone; give it one, or let the model take such values as UTC "
            'with __dataflow__ = {"naive_datetimes": "utc"}'
        )

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is datetime and value.tzinfo is UTC else other(value)

    return coerce


def _in_utc(moment: datetime, where: str) -> datetime:
    # Asked first, because astimezone() takes an unknown offset for the one of this machine.
    if _attempt(moment.utcoffset) is not None:
        in_utc = _attempt(moment.astimezone, UTC)
        if in_utc is not None:
            return in_utc
    raise InvalidValue(f"{where}: the datetime cannot be told in UTC, within the years 1 to 9999")


def _date(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> date:
        if _is(value, datetime):
            raise InvalidValue(f"{_refusal(where, 'date', value)}; give its date()")
        return _read(value, date, _plain_date, "date or its ISO 8601 str", where)

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is date else other(value)

    return coerce


def _time(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> time:
        moment = _read(value, time, _plain_time, "time or its ISO 8601 str", where)
        if moment.tzinfo is not None:
            raise InvalidValue(f"{where}: a time of day is stored without a time zone; give one without")
        return moment

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is time and value.tzinfo is None else other(value)

    return coerce


def _interval(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> timedelta:
        duration = _plain(value, timedelta, _plain_timedelta, "timedelta", where)
        if not _SHORTEST <= duration <= _LONGEST:
            raise InvalidValue(f"{where}: the timedelta is out of range; it must fit 2**63 microseconds")
        return duration

    return _or_none(convert, nullable, where)


def _read(value: object, kind: type[Value], copy: Callable[[Any], Value], expected: str, where: str) -> Value:
    """Take a date or a time as it is, or from its ISO form."""
    if not _is(value, str):
        return _plain(value, kind, copy, expected, where)
    text = cast("str", value)
    found = _attempt(cast("Any", kind).fromisoformat, text)
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
    if not _is(value, kind):
        raise _refusal(where, expected, value)
    plain = _attempt(copy, value)
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


# Names and choices


def _uuid(column: ColumnType, nullable: bool, where: str) -> Coercer:
    kind: Any = column.python  # not imported here: only those who have a UUID pay for the module

    def convert(value: object, where: str) -> object:
        if _is(value, str):
            found = _attempt(kind, value)
            if found is None:
                raise InvalidValue(f"{where}: expected UUID or its str form, got a str of another form")
            return found
        if not _is(value, kind):
            raise _refusal(where, "UUID or its str form", value)
        return kind(int=cast("Any", value).int)

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is kind else other(value)

    return coerce


def _enum(column: ColumnType, nullable: bool, where: str) -> Coercer:
    kind = column.python
    stored = type(column.choices[0])
    members = {member.value: member for member in cast("type[Enum]", kind)}

    def convert(value: object, where: str) -> object:
        if type(value) is stored and value in members:
            return members[value]
        raise _not_chosen(where, f"a {kind.__name__} or one of its values", column.choices, value)

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is kind else other(value)

    return coerce


def _literal(column: ColumnType, nullable: bool, where: str) -> Coercer:
    kind = column.python
    choices = frozenset(column.choices)

    def convert(value: object, where: str) -> object:
        raise _not_chosen(where, "one of", column.choices, value)

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is kind and value in choices else other(value)

    return coerce


def _not_chosen(where: str, expected: str, choices: tuple[object, ...], value: object) -> InvalidValue:
    shown = ", ".join(map(repr, choices[:_SHOWN_CHOICES]))
    more = ", ..." if len(choices) > _SHOWN_CHOICES else ""
    another = "another " if type(value) is type(choices[0]) else ""
    return InvalidValue(f"{where}: expected {expected} {shown}{more}; got {another}{type(value).__name__}")


# JSON


def _json(column: ColumnType, nullable: bool, where: str) -> Coercer:
    kind = column.python

    def convert(value: object, where: str) -> object:
        if not _is(value, kind):
            raise _refusal(where, kind.__name__, value)
        return _rebuilt(value, (where,))

    other = _or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is kind and _is_json(value, 1) else other(value)

    return coerce


def _is_json(value: object, depth: int) -> bool:
    """Test whether a value can be stored as it is. It is not copied: it is serialized at once."""
    if depth > _DEEPEST:
        return False
    kind = type(value)
    if kind is str:
        return is_storable_text(cast("str", value))
    if kind is int:
        return SMALLEST_INTEGER <= cast("int", value) <= GREATEST_INTEGER
    if kind is dict:
        for key, item in cast("dict[object, object]", value).items():
            if type(key) is not str or not is_storable_text(key) or not _is_json(item, depth + 1):
                return False
        return True
    if kind is list:
        for item in cast("list[object]", value):  # noqa: SIM110 - twice as fast as all()
            if not _is_json(item, depth + 1):
                return False
        return True
    return value is None or kind is bool or (kind is float and isfinite(cast("float", value)))


def _rebuilt(value: object, path: tuple[str, ...]) -> object:
    """Copy a value that cannot be stored as it is, with subclasses made plain, or say what is wrong where."""
    if len(path) > _DEEPEST:
        raise InvalidValue(f"{path[0]}: the JSON is nested more than {_DEEPEST} levels deep")
    where = ".".join(path)
    if value is None or type(value) is bool:
        return value
    if _is(value, dict):
        pairs = [(_key(key, where), item) for key, item in cast("dict[object, object]", value).items()]
        return {key: _rebuilt(item, (*path, _step(key))) for key, item in pairs}
    if _is(value, list):
        items = cast("list[object]", value)
        return [_rebuilt(item, (*path, str(position))) for position, item in enumerate(items)]
    if _is(value, str):
        return _to_text(value, where)
    if _is(value, int):
        return _to_integer(value, where)
    if not _is(value, float):
        raise _refusal(where, "what JSON holds (dict, list, str, int, float, bool or None)", value)
    number = float.__float__(cast("float", value))
    if not isfinite(number):
        raise InvalidValue(f"{where}: JSON has no NaN and no infinity")
    return number


def _key(key: object, where: str) -> str:
    if not _is(key, str):
        raise InvalidValue(f"{where}: the keys of JSON must be str, got {type(key).__name__}")
    return _to_text(key, f"{where} (a key)")


def _step(key: str) -> str:
    return key if len(key) <= _SHOWN_KEY else f"{key[:_SHOWN_KEY]}..."


_MAKERS: dict[Kind, Callable[[ColumnType, bool, str], Coercer]] = {
    Kind.INTEGER: _integer,
    Kind.FLOAT: _float,
    Kind.BOOLEAN: _boolean,
    Kind.TEXT: _text,
    Kind.BINARY: _binary,
    Kind.DECIMAL: _decimal,
    Kind.DATETIME: _datetime,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.INTERVAL: _interval,
    Kind.UUID: _uuid,
    Kind.JSON: _json,
}
