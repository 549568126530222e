"""What each type of column accepts, what it makes of it, and how it refuses the rest."""

import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import SimpleNamespace
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.coercion import coercer, shortcut
from dataflow.coercion.columns import rule_of
from dataflow.errors import InvalidValue
from dataflow.types import ColumnType, Kind, read_annotation

SECRET = "canary-7f3a"
ID = UUID("12345678-1234-5678-1234-567812345678")
EAST = timezone(timedelta(hours=2))


class Status(Enum):
    NEW = "new"
    PAID = "paid"


class Shade(StrEnum):
    DARK = "dark"


class Mix(str, Enum):  # noqa: UP042 - str() of a member is its name, not its value
    A = "a"


class Level(IntEnum):
    LOW = 1


class Text(str):
    pass


class Number(int):
    pass


class Ratio(float):
    pass


class Amount(Decimal):
    pass


class Moment(datetime):
    pass


class NanosecondMoment(datetime):
    """Holds more than a datetime can, as those of pandas do."""

    __hash__ = datetime.__hash__

    def __eq__(self, other: object) -> bool:
        return type(other) is NanosecondMoment

    def __ne__(self, other: object) -> bool:
        return type(other) is not NanosecondMoment


class Day(date):
    pass


class Clock(time):
    pass


class Span(timedelta):
    pass


class Id(UUID):
    pass


class Unknown(tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, dt: datetime | None) -> None:
        return None

    dst = tzname = utcoffset


class Pretender:
    """Says that it is an int, as proxies do."""

    __class__ = int  # type: ignore[assignment]


def make(annotation: object, **options: object) -> Callable[[object], object]:
    column, nullable, _ = read_annotation(annotation, "User.x")
    options = {"kind": column.kind, "python": column.python, "choices": column.choices} | options
    return coercer(ColumnType(**options), nullable, "User.x")  # type: ignore[arg-type]


def refusal(annotation: object, value: object, **options: object) -> str:
    with pytest.raises(InvalidValue) as caught:
        make(annotation, **options)(value)
    assert caught.value.__context__ is None, "the context of the error may quote the value"
    assert str(caught.value).startswith("User.x")
    return str(caught.value)


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and (one == other or (one != one and other != other))


ACCEPTED: list[tuple[Any, object, object]] = [
    (int, 0, 0),
    (int, -(2**63), -(2**63)),
    (int, 2**63 - 1, 2**63 - 1),
    (int, Level.LOW, 1),
    (int, Number(5), 5),
    (float, 1.5, 1.5),
    (float, 2, 2.0),
    (float, 2**53, float(2**53)),
    (float, -(2**1000), -(2.0**1000)),
    (float, Ratio(2.5), 2.5),
    (float, Level.LOW, 1.0),
    (float, math.inf, math.inf),
    (float, math.nan, math.nan),
    (bool, True, True),
    (bool, False, False),
    (str, "", ""),
    (str, "größe 🦄", "größe 🦄"),
    (str, Text("a"), "a"),
    (str, Text("ä"), "ä"),
    (str, Shade.DARK, "dark"),
    (str, Mix.A, "a"),
    (bytes, b"\0\xff", b"\0\xff"),
    (bytes, bytearray(b"ab"), b"ab"),
    (bytes, memoryview(b"abcd")[::2], b"ac"),
    (Decimal, Decimal("1.10"), Decimal("1.10")),
    (Decimal, 3, Decimal(3)),
    (Decimal, Amount("2.5"), Decimal("2.5")),
    (Decimal, Decimal("1E+131071"), Decimal("1E+131071")),
    (Decimal, Decimal("1E-16383"), Decimal("1E-16383")),
    (Decimal, Decimal("0E-16384"), Decimal("0E-16383")),
    (Decimal, Decimal("1." + "0" * 16384), Decimal("1." + "0" * 16383)),
    (datetime, datetime(2024, 1, 2, 3, 4, 5, 6, UTC), datetime(2024, 1, 2, 3, 4, 5, 6, UTC)),
    (datetime, datetime(2024, 1, 2, 3, tzinfo=EAST), datetime(2024, 1, 2, 1, tzinfo=UTC)),
    (datetime, datetime(2024, 7, 1, 2, tzinfo=ZoneInfo("Europe/Berlin")), datetime(2024, 7, 1, tzinfo=UTC)),
    (datetime, Moment(2024, 1, 2, 3, tzinfo=EAST), datetime(2024, 1, 2, 1, tzinfo=UTC)),
    (datetime, "2024-01-02T03:04:05.000006+02:00", datetime(2024, 1, 2, 1, 4, 5, 6, UTC)),
    (datetime, "2024-01-02 03:04:05.120000000Z", datetime(2024, 1, 2, 3, 4, 5, 120000, UTC)),
    (date, date(2024, 2, 29), date(2024, 2, 29)),
    (date, Day(2024, 2, 29), date(2024, 2, 29)),
    (date, "2024-02-29", date(2024, 2, 29)),
    (time, time(23, 59, 59, 999999), time(23, 59, 59, 999999)),
    (time, Clock(1, 2), time(1, 2)),
    (time, "01:02:03.5", time(1, 2, 3, 500000)),
    (timedelta, timedelta(days=-3, microseconds=1), timedelta(days=-3, microseconds=1)),
    (timedelta, timedelta(microseconds=2**63 - 1), timedelta(microseconds=2**63 - 1)),
    (timedelta, timedelta(microseconds=-(2**63)), timedelta(microseconds=-(2**63))),
    (timedelta, Span(1), timedelta(1)),
    (UUID, ID, ID),
    (UUID, str(ID), ID),
    (UUID, ID.hex, ID),
    (UUID, Id(ID.hex), ID),
    (Status, Status.NEW, Status.NEW),
    (Status, "paid", Status.PAID),
    (Level, 1, Level.LOW),
    (Mix, "a", Mix.A),
    (Literal["a", "b"], "b", "b"),
    (Literal[1, 2], 2, 2),
    (Literal[True], True, True),
    (dict, {}, {}),
    (list, [], []),
    (dict, {"": [None, True, 1, 1.5, "ü", {"a": []}]}, {"": [None, True, 1, 1.5, "ü", {"a": []}]}),
    (dict, OrderedDict(a=Text("b")), {"a": "b"}),
    (dict, defaultdict(list, a=[Level.LOW, Ratio(1.5)]), {"a": [1, 1.5]}),
    (dict, {Mix.A: Shade.DARK}, {"a": "dark"}),
]


def named(cases: list[tuple[Any, object, Any]]) -> list[str]:
    """Name the cases by their number and their types, as values may be too long to be shown."""
    return [f"{number}-{annotation}-{type(value)}" for number, (annotation, value, _) in enumerate(cases)]


@pytest.mark.parametrize(("annotation", "value", "expected"), ACCEPTED, ids=named(ACCEPTED))
@pytest.mark.parametrize("nullable", [False, True])
def test_accepted_values_become_plain_ones(
    annotation: Any,
    value: object,
    expected: object,
    nullable: bool,
) -> None:
    coerce = make(annotation | None if nullable else annotation)
    result = coerce(value)
    assert same(result, expected)
    assert same(coerce(result), expected)


REFUSED: list[tuple[Any, object, str]] = [
    (int, SECRET, "expected int, got str"),
    (int, True, "expected int, got bool"),
    (int, 1.0, "expected int, got float"),
    (int, Decimal(1), "expected int, got Decimal"),
    (int, Pretender(), "expected int, got Pretender"),
    (int, 2**63, "out of range"),
    (int, -(2**63) - 1, "out of range"),
    (int, Number(2**63), "out of range"),
    (float, SECRET, "expected float or int, got str"),
    (float, True, "got bool"),
    (float, Decimal("1.5"), "got Decimal"),
    (float, 2**53 + 1, "exactly"),
    (float, 10**400, "exactly"),
    (bool, 1, "expected bool, got int"),
    (bool, "true", "got str"),
    (str, b"canary-7f3a", "expected str, got bytes"),
    (str, 1, "got int"),
    (str, Status.NEW, "got Status"),
    (str, SECRET + "\0", "NUL"),
    (str, Text(SECRET + "\0"), "NUL"),
    (str, "ü" + SECRET + "\0", "NUL"),
    (str, SECRET + "\ud800", "surrogate"),
    (bytes, SECRET, "expected bytes, got str"),
    (bytes, 3, "got int"),
    (bytes, [1, 2], "got list"),
    (Decimal, 1.5, "expected Decimal or int, got float; a float is not exact"),
    (Decimal, "1.5", "got str"),
    (Decimal, True, "got bool"),
    (Decimal, Decimal("NaN"), "finite"),
    (Decimal, Decimal("sNaN"), "finite"),
    (Decimal, Decimal("Infinity"), "finite"),
    (Decimal, Decimal("-Infinity"), "finite"),
    (Decimal, Decimal("1E+131072"), "131072 digits"),
    (Decimal, Decimal("1E-16384"), "16383 after"),
    (Decimal, Decimal("1." + "1" * 16384), "16383 after"),
    (Decimal, 10**140_000, "131072 digits"),
    (Decimal, -(10**140_000), "131072 digits"),
    (datetime, date(2024, 1, 2), "expected datetime or its ISO 8601 str, got date"),
    (datetime, datetime(2024, 1, 2), '"naive_datetimes": "utc"'),
    (datetime, "2024-01-02T03:04:05", '"naive_datetimes": "utc"'),
    (datetime, "2024-01-02", "a date without a time"),
    (datetime, SECRET, "another form"),
    (datetime, "2024-13-02T03:04:05Z", "another form"),
    (datetime, "2024-01-02T03:04:05.1234567Z", "finer than a microsecond"),
    (datetime, "2024-01-02T03:04:05.1234560001Z", "finer than a microsecond"),
    (datetime, 1704164645, "got int"),
    (datetime, datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))), "1 to 9999"),
    (datetime, datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "1 to 9999"),
    (datetime, datetime(2024, 1, 2, tzinfo=Unknown()), "cannot be told in UTC"),
    (datetime, NanosecondMoment(2024, 1, 2, tzinfo=UTC), "without loss"),
    (date, datetime(2024, 1, 2, tzinfo=UTC), "got datetime; give its date"),
    (date, "2024-01-02T00:00:00", "another form"),
    (date, SECRET, "another form"),
    (date, 20240102, "got int"),
    (time, time(1, tzinfo=UTC), "without a time zone"),
    (time, Clock(1, tzinfo=UTC), "without a time zone"),
    (time, "01:02+00:00", "without a time zone"),
    (time, "01:02:03.1234567", "finer than a microsecond"),
    (time, datetime(2024, 1, 2, tzinfo=UTC), "got datetime"),
    (time, SECRET, "another form"),
    (timedelta, 3600, "expected timedelta, got int"),
    (timedelta, "1:00", "got str"),
    (timedelta, timedelta(microseconds=2**63), "out of range"),
    (timedelta, timedelta(microseconds=-(2**63) - 1), "out of range"),
    (UUID, SECRET, "another form"),
    (UUID, ID.int, "got int"),
    (UUID, ID.bytes, "got bytes"),
    (Status, SECRET, "expected a Status or one of its values 'new', 'paid'; got another str"),
    (Status, "NEW", "got another str"),
    (Status, Mix.A, "got Mix"),
    (Status, ["new"], "got list"),
    (Level, True, "got bool"),
    (Level, 1.0, "got float"),
    (Literal["a", "b"], SECRET, "expected one of 'a', 'b'; got another str"),
    (Literal["a", "b"], Mix.A, "got Mix"),
    (Literal["a", "b"], ["a"], "got list"),
    (Literal[1, 2], True, "got bool"),
    (Literal[True], 1, "got int"),
    (Literal[1, 2], 1.0, "got float"),
    (dict, [], "expected dict, got list"),
    (list, {}, "expected list, got dict"),
    (list, (1,), "got tuple"),
    (dict, f'{{"a": "{SECRET}"}}', "got str"),
    (dict, {"a": (SECRET,)}, "User.x.a: expected what JSON holds"),
    (dict, {"a": [{"b": {SECRET}}]}, "User.x.a.0.b: expected what JSON holds"),
    (dict, {"a": Decimal("1.5")}, "User.x.a: expected"),
    (dict, {"a": datetime(2024, 1, 2, tzinfo=UTC)}, "got datetime"),
    (dict, {"a": math.nan}, "User.x.a: JSON has no NaN"),
    (dict, {"a": -math.inf}, "User.x.a: JSON has no NaN"),
    (dict, {"a": 2**63}, "User.x.a: the int is out of range"),
    (dict, {"a": [SECRET + "\0"]}, "User.x.a.0: the str holds a NUL"),
    (dict, {"a": SECRET + "\ud800"}, "User.x.a: the str holds a lone surrogate"),
    (dict, {1: SECRET}, "User.x: the keys of JSON must be str, got int"),
    (dict, {"a": {None: SECRET}}, "User.x.a: the keys of JSON must be str"),
    (dict, {"\0": 1}, "User.x (a key): the str holds a NUL"),
    (dict, {"\ud800": 1}, "User.x (a key): the str holds a lone surrogate"),
]


@pytest.mark.parametrize(("annotation", "value", "said"), REFUSED, ids=named(REFUSED))
@pytest.mark.parametrize("nullable", [False, True])
def test_a_refusal_names_the_place_and_the_types_but_never_the_value(
    annotation: Any,
    value: object,
    said: str,
    nullable: bool,
) -> None:
    message = refusal(annotation | None if nullable else annotation, value)
    assert said in message
    assert SECRET not in message
    assert "canary" not in message


EVERY = [
    *(int, float, bool, str, bytes, Decimal, datetime, date, time, timedelta, UUID, dict, list),
    *(Status, Level, Literal["a", "b"], Literal[1]),
]


@pytest.mark.parametrize("annotation", EVERY, ids=str)
def test_none_is_a_value_only_where_null_is_allowed(annotation: Any) -> None:
    assert make(annotation | None)(None) is None
    assert refusal(annotation, None) == "User.x must not be None"


@pytest.mark.parametrize("annotation", EVERY, ids=str)
def test_strange_objects_are_refused_everywhere(annotation: Any) -> None:
    for strange in (
        object(),
        SimpleNamespace(),
        Pretender(),
        ...,
        (),
        {1},
        1j,
        type,
        NotImplemented,
        lambda: 1,
    ):
        assert f"got {type(strange).__name__}" in refusal(annotation, strange)


def test_text_is_limited_in_characters_not_in_bytes() -> None:
    coerce = make(str, max_length=3)
    assert coerce("äöü") == "äöü"
    assert coerce(Text("äöü")) == "äöü"
    for long in ("abcd", "äöüß", Text("abcd")):
        assert refusal(str, long, max_length=3) == "User.x: the str has 4 characters, 3 are allowed"
    assert "got int" in refusal(str, 1, max_length=3)
    assert "NUL" in refusal(str, "a\0", max_length=3)


def test_bytes_are_limited_too() -> None:
    coerce = make(bytes, max_length=2)
    assert coerce(b"ab") == coerce(bytearray(b"ab")) == b"ab"
    for long in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
        assert refusal(bytes, long, max_length=2) == "User.x: there are 3 bytes, 2 are allowed"


def test_a_released_memoryview_is_refused() -> None:
    view = memoryview(b"ab")
    view.release()
    assert "expected bytes, got memoryview" in refusal(bytes, view)


def test_a_naive_datetime_is_utc_where_the_model_says_so() -> None:
    coerce = make(datetime, naive_datetimes=True)
    expected = datetime(2024, 1, 2, 3, 4, tzinfo=UTC)
    assert coerce(datetime(2024, 1, 2, 3, 4)) == coerce("2024-01-02T03:04") == expected
    assert same(coerce(Moment(2024, 1, 2, 3, 4)), expected)
    assert coerce(datetime(2024, 1, 2, 5, 4, tzinfo=EAST)) == expected
    assert "a date without a time" in refusal(datetime, "2024-01-02", naive_datetimes=True)
    assert "cannot be told" in refusal(datetime, datetime(2024, 1, 2, tzinfo=Unknown()), naive_datetimes=True)


def test_every_datetime_comes_out_in_the_one_utc() -> None:
    for value in (datetime.now(UTC), datetime.now(EAST), datetime.now(ZoneInfo("UTC")), "2024-01-02T03:04Z"):
        result = make(datetime)(value)
        assert isinstance(result, datetime)
        assert result.tzinfo is UTC


def test_long_lists_of_choices_are_cut_in_the_message() -> None:
    column = ColumnType(Kind.INTEGER, int, tuple(range(50)))
    with pytest.raises(InvalidValue) as caught:
        coercer(column, False, "User.x")(50)
    assert str(caught.value) == "User.x: expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...; got another int"


def nested(depth: int) -> object:
    """A list with as many levels, of which the innermost is a number."""
    value: object = 1
    for _ in range(depth - 1):
        value = [value]
    return value


def test_json_may_be_a_hundred_levels_deep() -> None:
    assert make(list)(nested(100)) == nested(100)
    assert refusal(list, nested(101)) == "User.x: the JSON is nested more than 100 levels deep"
    assert "100 levels" in refusal(dict, {"a": nested(100)})
    assert "100 levels" in refusal(list, nested(50_000))


def test_json_that_holds_itself_is_refused() -> None:
    endless: dict[str, object] = {}
    endless["a"] = [endless]
    assert "100 levels" in refusal(dict, endless)


def test_deep_json_with_a_subclass_inside_is_still_made_plain() -> None:
    value: object = Text("a")
    for _ in range(99):
        value = {"k": value}
    result = make(dict)(value)
    for _ in range(99):
        assert isinstance(result, dict)
        result = result["k"]
    assert type(result) is str


def test_a_long_key_is_cut_in_the_path() -> None:
    assert f"User.x.{'k' * 40}...: expected" in refusal(dict, {"k" * 1000: ()})


def test_json_that_is_made_plain_leaves_what_was_given_alone() -> None:
    inner = OrderedDict(a=1)
    given_value = {"inner": inner}
    result = make(dict)(given_value)
    assert result == {"inner": {"a": 1}}
    assert given_value["inner"] is inner


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)
ANYTHING = st.one_of(
    SCALARS,
    JSON,
    st.integers(),
    st.floats(),
    st.text(st.characters()),
    st.binary(),
    st.decimals(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dates(),
    st.times(timezones=st.none() | st.just(UTC)),
    st.timedeltas(),
    st.uuids(),
    st.datetimes().map(str),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.dates().map(str),
    st.times().map(str),
    st.uuids().map(str),
    st.sampled_from([*Status, *Level, *Mix, "new", "a", "b", 1, True, 1.0]),
    st.lists(st.tuples() | st.binary(), max_size=2),
)


REFUSAL = object()


def attempt(coerce: Callable[[object], object], value: object) -> object:
    try:
        return coerce(value)
    except InvalidValue:
        return REFUSAL


@given(st.sampled_from(EVERY), st.booleans(), ANYTHING)
def test_coercion_is_idempotent_and_gives_exactly_the_type_of_the_column(
    annotation: Any,
    naive: bool,
    value: object,
) -> None:
    column, _, _ = read_annotation(annotation, "User.x")
    coerce = make(annotation, naive_datetimes=naive)
    result = attempt(coerce, value)
    if result is REFUSAL:
        refusal(annotation, value, naive_datetimes=naive)
    else:
        assert type(result) is column.python
        assert same(coerce(result), result)


@given(st.sampled_from(EVERY), st.booleans(), ANYTHING)
def test_what_is_accepted_without_a_change_of_type_keeps_its_value(
    annotation: Any,
    naive: bool,
    value: object,
) -> None:
    result = attempt(make(annotation, naive_datetimes=naive), value)
    if type(result) is type(value) and not (isinstance(value, datetime) and value.tzinfo is None):
        assert same(result, value.astimezone(UTC) if isinstance(value, datetime) else value)


@given(JSON.filter(lambda value: isinstance(value, dict | list)))
def test_plain_json_is_given_back_as_it_is(value: object) -> None:
    assert make(type(value))(value) is value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_every_decimal_within_bounds_is_kept_to_the_digit(value: Decimal) -> None:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if value.adjusted() < 131072 and exponent >= -16383:
        assert make(Decimal)(value) is value or str(make(Decimal)(value)) == str(value)
    else:
        refusal(Decimal, value)


VALUES: dict[object, st.SearchStrategy[object]] = {
    int: st.integers() | st.booleans() | st.sampled_from([Level.LOW, Number(3), 2**63, -(2**63)]),
    float: st.floats() | st.integers() | st.just(Ratio(1.5)),
    str: st.text(st.characters()) | st.sampled_from(["a\0", "\ud800", "ü", Text("x"), Shade.DARK]),
    bytes: st.binary() | st.just(bytearray(b"x")),
    Decimal: st.decimals() | st.sampled_from([Amount(1), Decimal("1e200"), Decimal(10) ** 100]),
    datetime: st.datetimes(timezones=st.sampled_from([UTC, EAST, None])) | st.just(Moment.now(UTC)),
    date: st.dates() | st.datetimes(),
    time: st.times(timezones=st.sampled_from([UTC, None])),
    timedelta: st.timedeltas(),
    UUID: st.uuids() | st.just(str(ID)),
    dict: st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
    ),
}


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
@settings.get_profile("few")
@given(data=st.data())
def test_a_value_that_takes_the_shortcut_is_what_the_conversion_would_make_of_it(
    kind: Any, data: st.DataObject
) -> None:
    column, _, _ = read_annotation(kind, "User.x")
    rule = rule_of(replace(column, nan=data.draw(st.booleans())))
    value = data.draw(VALUES[kind] | st.none())
    if eval(rule.shortcut.source("value"), {**rule.shortcut.names, "value": value}):
        converted = rule.convert(value, "User.x")
        assert type(converted) is type(value)
        assert repr(converted) == repr(value)
        assert rule.coercer(False, "User.x")(value) is value


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_none_takes_no_shortcut(kind: Any) -> None:
    column, _, _ = read_annotation(kind, "User.x")
    test = shortcut(column)
    assert not eval(test.source("value"), {**test.names, "value": None})


def test_a_limited_text_takes_the_shortcut_within_its_limit_only() -> None:
    test = shortcut(ColumnType(Kind.TEXT, str, max_length=3))
    texts = ["", "abc", "abcd", "äöü"]
    passed = [text for text in texts if eval(test.source("value"), {**test.names, "value": text})]
    assert passed == ["", "abc", "äöü"]
