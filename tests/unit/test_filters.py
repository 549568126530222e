"""How filters are read, very long lists and wide documents, and the order of rows."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, ClassVar, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow import DataFlow, Field
from dataflow.errors import InvalidValue, UnknownName, ValidationError
from dataflow.filters.mongo import read_filter
from dataflow.model.declare import declare
from dataflow.model.narrowed import narrowed
from dataflow.model.schema import Model, ModelField
from dataflow.statements import NOTHING, compare, is_null
from dataflow.types import ColumnType

Row = Mapping[str, Any]
Document = Mapping[str, Any]


class Color(Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "Blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 10


class Thing:
    integer: int | None
    whole: int
    real: float | None
    text: str | None
    word: str = Field(column='odd "name"')
    amount: Decimal | None
    flag: bool | None
    blob: bytes | None
    moment: datetime | None
    day: date | None
    clock: time | None
    span: timedelta | None
    uuid: UUID | None
    color: Color | None
    level: Level
    kind: Literal["a", "B", "ä"] | None
    extra: dict[str, int] | None
    __dataflow__: ClassVar = {"timestamps": False}


ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=11))])
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "a",
            "A",
            "Z",
            "a ",
            "ä",
            "ﬀ",
            "\uffff",
            "😀",
            "\U0001d4b3",
            "10",
            "9",
            "NULL",
            "'",
            '"',
            "%",
            "_",
            "\\",
            "null\n",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)
AMOUNTS = st.one_of(
    st.sampled_from(
        [
            Decimal(text)
            for text in (
                "0",
                "-0",
                "0.1",
                "0.10",
                "-0.1",
                "9.5",
                "10",
                "10.05",
                "-2",
                "-1.5",
                "-1.55",
                "1E+40",
                "-1E+40",
                "1E-40",
                "-1E-40",
                "9007199254740993",
                "9007199254740992",
                "99",
                "100",
            )
        ]
    ),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
)
INTEGERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-(2**63), 2**63 - 1, 2**53, 2**53 + 1]),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "integer": INTEGERS,
    "whole": INTEGERS,
    "real": st.one_of(
        st.floats(allow_nan=False),
        st.sampled_from([0.0, -0.0, float("inf"), -float("inf"), 5e-324, 1.7976931348623157e308, 0.1, 1e22]),
    ),
    "text": TEXTS,
    "word": TEXTS,
    "amount": AMOUNTS,
    "flag": st.booleans(),
    "blob": st.one_of(st.sampled_from([b"", b"\0", b"\xff", b"a", b"a\0"]), st.binary(max_size=4)),
    "moment": st.one_of(
        st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES),
        st.sampled_from(
            [
                datetime.min.replace(tzinfo=UTC),
                datetime.max.replace(tzinfo=UTC),
                datetime(2024, 1, 1, tzinfo=UTC),
                datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
                datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            ]
        ),
    ),
    "day": st.one_of(st.dates(), st.sampled_from([date.min, date.max])),
    "clock": st.one_of(st.times(), st.sampled_from([time.min, time.max, time(12), time(12, 0, 0, 5)])),
    "span": st.timedeltas(timedelta(microseconds=-(2**63)), timedelta(microseconds=2**63 - 1)),
    "uuid": st.uuids(),
    "color": st.sampled_from(Color),
    "level": st.sampled_from(Level),
    "kind": st.sampled_from(["a", "B", "ä"]),
}
REQUIRED = ("whole", "word", "level")
NAMES = tuple(VALUES)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    # Few values for each field, so that ties happen.
    pools = {name: draw(st.lists(values, min_size=2, max_size=4)) for name, values in VALUES.items()}
    cells = {
        name: st.sampled_from(pool if name in REQUIRED else [*pool, None]) for name, pool in pools.items()
    }
    return draw(st.lists(st.fixed_dictionaries(cells), max_size=8))


def comparable(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


@pytest.fixture(scope="module")
def things() -> Iterator[DataFlow]:
    with DataFlow("sqlite:///:memory:") as db:
        db.model(Thing)
        yield db


def stored(db: DataFlow, rows: Sequence[Row]) -> list[Row]:
    """Replace all rows by these; they get the keys 1, 2, ..."""
    db.run_sync(db.nodes.SQLNode(sql="DELETE FROM things"))
    keyed: list[Row] = [{"id": number, **row} for number, row in enumerate(rows, start=1)]
    db.run_sync(db.nodes.ThingBulkCreateNode(data=keyed))
    return keyed


@settings.get_profile("few")
@given(rows(), st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), min_size=1, max_size=3))
def test_rows_come_in_the_order_of_plain_python(
    things: DataFlow, rows: list[Row], criteria: list[tuple[str, bool]]
) -> None:
    expected = stored(things, rows)
    for name, descending in reversed(criteria):
        expected.sort(
            key=lambda row: () if row[name] is None else (comparable(row[name]),),
            reverse=descending,
        )
    order_by = [f"-{name}" if descending else name for name, descending in criteria]
    found = things.run_sync(things.nodes.ThingListNode(order_by=order_by, fields=["id"]))["records"]
    assert [row["id"] for row in found] == [row["id"] for row in expected]


ASCENDING: dict[str, list[Any]] = {
    "integer": [-(2**63), -1, 0, 2**53, 2**53 + 1, 2**63 - 1],
    "real": [-float("inf"), -1.5, 0.0, 5e-324, 0.1, 1e300, float("inf")],
    "text": ["", " ", "10", "9", "A", "Z", "a", "a ", "ab", "ä", "\uffff", "😀"],
    "amount": [
        Decimal(text)
        for text in [
            "-1E+40",
            "-100",
            "-10",
            "-9.5",
            "-1.55",
            "-1.5",
            "-1E-40",
            "0",
            "1E-40",
            "1.5",
            "1.55",
            "9.5",
            "10",
            "1E+40",
        ]
    ],
    "flag": [False, True],
    "blob": [b"", b"\0", b"a", b"a\0", b"b", b"\xff"],
    "moment": [
        datetime.min.replace(tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, microsecond=1, tzinfo=UTC),
        datetime(2024, 1, 1, microsecond=20, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 0, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
    "day": [date.min, date(999, 12, 31), date(2024, 2, 29), date.max],
    "clock": [time.min, time(9), time(9, microsecond=5), time(9, 0, 1), time(10), time.max],
    "span": [
        timedelta(microseconds=-(2**63)),
        timedelta(-1),
        timedelta(0),
        timedelta(microseconds=1),
        timedelta(days=9),
    ],
    "uuid": [UUID(int=0), UUID(int=10), UUID(int=2**100), UUID(int=2**128 - 1)],
    "color": [Color.BLUE, Color.GREEN, Color.RED],
    "level": [Level.LOW, Level.HIGH],
    "kind": ["B", "a", "ä"],
}


@pytest.mark.parametrize("name", ASCENDING)
def test_values_of_every_type_come_in_their_order(things: DataFlow, name: str) -> None:
    values: list[Any] = ASCENDING[name] if name in REQUIRED else [None, *ASCENDING[name]]
    base = {"whole": 0, "word": "", "level": Level.LOW}
    shuffled = random.Random(3).sample(values, len(values))
    stored(things, [{**base, name: value} for value in shuffled])
    for sign, expected in (("", values), ("-", values[::-1])):
        found = things.run_sync(things.nodes.ThingListNode(order_by=[f"{sign}{name}"], fields=[name]))
        assert [row[name] for row in found["records"]] == expected


def many(name: str) -> list[Any]:
    """Very many values of a type, as different as the type allows."""
    number = 100_000 if name in ("integer", "text") else 20_000
    made: dict[str, Any] = {
        "integer": lambda i: i * 92233720368547 - 2**62,
        "real": lambda i: i / 7 - 1e3,
        "text": lambda i: f"{i} ä😀'\"",
        "amount": lambda i: Decimal(i).scaleb(-3),
        "flag": lambda i: True,
        "blob": lambda i: i.to_bytes(3, "big"),
        "moment": lambda i: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=i * 999_999),
        "day": lambda i: date.fromordinal(i + 1),
        "clock": lambda i: (datetime.min + timedelta(microseconds=i * 863_999)).time(),
        "span": lambda i: timedelta(microseconds=i * 10**10),
        "uuid": lambda i: UUID(int=i * 2**100),
        "color": lambda i: Color.RED,
        "level": lambda i: Level.LOW,
        "kind": lambda i: "ä",
    }
    return [made[name](i) for i in range(number)]


ABSENT: dict[str, Any] = {
    "integer": 1,
    "real": 0.1,
    "text": "none",
    "amount": Decimal("0.0001"),
    "flag": False,
    "blob": b"",
    "moment": datetime(1999, 1, 1, tzinfo=UTC),
    "day": date.max,
    "clock": time(23, 59, 59, 999_999),
    "span": timedelta(-1),
    "uuid": UUID(int=1),
    "color": Color.BLUE,
    "level": Level.HIGH,
    "kind": "a",
}


@pytest.mark.parametrize("name", ABSENT)
def test_a_list_of_very_many_members_works(things: DataFlow, name: str) -> None:
    members = many(name)
    base = {"whole": 0, "word": "", "level": Level.LOW}
    values = [members[0], members[len(members) * 7 // 9], members[-1], ABSENT[name]]
    if name not in REQUIRED:
        values.append(None)
    stored(things, [{**base, name: value} for value in values])
    shuffled = members[:]
    random.Random(1).shuffle(shuffled)

    def ids(wanted: object) -> list[int]:
        output = things.run_sync(things.nodes.ThingListNode(filter={name: wanted}, order_by=["id"]))
        return [row["id"] for row in output["records"]]

    if name in REQUIRED:
        assert ids({"$in": shuffled}) == [1, 2, 3]
        assert ids({"$nin": shuffled}) == [4]
    else:
        assert ids({"$in": [*shuffled, None]}) == [1, 2, 3, 5]
        assert ids({"$nin": shuffled}) == [4, 5]


def test_infinity_is_found_in_a_list(things: DataFlow) -> None:
    base = {"whole": 0, "word": "", "level": Level.LOW}
    infinity = float("inf")
    stored(things, [{**base, "real": value} for value in (infinity, -infinity, 0.5, None)])
    for members, expected in [([infinity], [1]), ([-infinity, 0.5], [2, 3]), ([infinity, None], [1, 4])]:
        for filter in ({"real": {"$in": members}}, {"$nor": [{"real": {"$nin": members}}]}):
            output = things.run_sync(things.nodes.ThingListNode(filter=filter, order_by=["id"]))
            assert [row["id"] for row in output["records"]] == expected


@pytest.mark.parametrize("operator", ["$or", "$and", "$nor"])
def test_a_wide_filter_works(things: DataFlow, operator: str) -> None:
    rows = [{"whole": number, "word": "", "level": Level.LOW} for number in range(5)]
    stored(things, rows)
    document = {operator: [{"whole": number, "word": ""} for number in range(2, 1302)]}
    expected = {"$or": [2, 3, 4], "$and": [], "$nor": [0, 1]}[operator]
    output = things.run_sync(things.nodes.ThingListNode(filter=document, order_by=["id"]))
    assert [row["whole"] for row in output["records"]] == expected


def test_sets_and_tuples_are_lists_of_members_too(things: DataFlow) -> None:
    stored(things, [{"whole": number, "word": "", "level": Level.LOW} for number in range(3)])
    for members in ({1, 2}, frozenset({1, 2}), (1, 2), range(1, 3)):
        output = things.run_sync(things.nodes.ThingListNode(filter={"whole": {"$in": members}}))
        assert output["count"] == 2


def test_values_are_coerced_as_everywhere(things: DataFlow) -> None:
    row = {
        "whole": 1,
        "word": "",
        "level": Level.LOW,
        "color": Color.RED,
        "day": date(2024, 5, 6),
        "moment": datetime(2024, 5, 6, 10, tzinfo=UTC),
        "amount": Decimal("1.50"),
        "real": 2.0,
        "uuid": UUID(int=5),
    }
    stored(things, [row])
    for document in [
        {"color": "red"},
        {"level": 1},
        {"day": "2024-05-06"},
        {"moment": "2024-05-06T12:00:00+02:00"},
        {"moment": {"$in": ["2024-05-06T10:00:00Z"]}},
        {"amount": Decimal("1.5")},
        {"amount": {"$in": [Decimal("1.500")]}},
        {"amount": {"$gt": 1}},
        {"real": 2},
        {"uuid": str(UUID(int=5))},
    ]:
        assert things.run_sync(things.nodes.ThingListNode(filter=document))["count"] == 1, document


MODEL = declare(Thing, implied=True)


@pytest.mark.parametrize("operator", ["$in", "$nin"])
def test_what_is_made_of_parts_is_no_list_of_members(operator: str) -> None:
    for value in ("canary", b"canary", {"canary": 1}):
        with pytest.raises(InvalidValue, match=rf"\$in needs a list, got {type(value).__name__}") as caught:
            read_filter(MODEL, {"integer": {operator: value}}, "filter")
        assert "canary" not in str(caught.value)


class Measure:
    ratio: float | None
    amount: Decimal | None
    part: Decimal | None


def within(model: Model, field: ModelField) -> ColumnType:
    """The bounds of a database without endless floats, with decimals of 20 digits before the point or after it."""
    digits = {"amount": (20, 1), "part": (0, 20)}.get(field.name, field.type.digits)
    return replace(field.type, nan=False, infinite=False, digits=digits)


NARROW = narrowed(declare(Measure, implied=True), within)
ENDLESS, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("field", "less_than", "more_than"),
    [
        ("ratio", ENDLESS, -ENDLESS),
        ("ratio", NAN, -ENDLESS),
        ("amount", Decimal(10**20), Decimal(-(10**20))),
        ("part", Decimal(f"0.{'9' * 21}"), Decimal(f"-0.{'9' * 21}")),
    ],
)
def test_all_that_a_column_holds_is_less_or_more_than_what_is_out_of_its_bounds(
    field: str, less_than: Decimal | float, more_than: Decimal | float
) -> None:
    something = ~is_null(field)
    for operator, value, found in (
        ("$lt", less_than, something),
        ("$gte", less_than, NOTHING),
        ("$gt", more_than, something),
        ("$lte", more_than, NOTHING),
    ):
        assert read_filter(NARROW, {field: {operator: value}}, "filter") == found, operator


@pytest.mark.parametrize(
    ("operator", "nearest"), [("$gt", "0.9"), ("$gte", "1.0"), ("$lt", "1.0"), ("$lte", "0.9")]
)
def test_a_number_between_two_that_a_column_holds_is_compared_as_the_one_that_says_the_same(
    operator: str, nearest: str
) -> None:
    found = read_filter(NARROW, {"amount": {operator: Decimal(f"0.9{'5' * 20}")}}, "filter")
    assert found == compare("amount", operator, Decimal(nearest))


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        ([], InvalidValue, "expected a dict such as {'field': value}, got list"),
        (None, InvalidValue, "got NoneType"),
        ({"txt": 1}, UnknownName, "Thing has no field 'txt'; did you mean 'text'"),
        ({'odd "name"': "x"}, UnknownName, "no field"),
        ({"text.a": "x"}, InvalidValue, "only the fields of type dict or list have paths"),
        ({"": "x"}, UnknownName, "no field ''"),
        ({1: "x"}, InvalidValue, "a name must be a str, got int"),
        ({"$ro": []}, UnknownName, "did you mean"),
        ({"$eq": 1}, UnknownName, r"no operator '\$eq'"),
        ({"$and": []}, InvalidValue, r"\$and needs a list of at least one filter"),
        ({"$or": {"text": "x"}}, InvalidValue, r"\$or needs a list"),
        ({"$nor": "canary"}, InvalidValue, r"\$nor needs a list"),
        ({"$or": ["canary"]}, InvalidValue, "got str"),
        ({"$not": []}, InvalidValue, "got list"),
        ({"text": {"$eqq": "canary"}}, UnknownName, r"text has no operator '\$eqq'; did you mean '\$eq'"),
        ({"text": {"$gt": "a", "b": "canary"}}, UnknownName, "no operator 'b'"),
        ({"text": {"$gt": None}}, InvalidValue, r"text: \$gt needs a value"),
        ({"text": {"$not": "canary"}}, InvalidValue, r"\$not needs a dict of operators"),
        ({"text": {"$not": {}}}, InvalidValue, r"\$not needs a dict of operators"),
        ({"text": {"$in": "canary"}}, InvalidValue, r"\$in needs a list, got str"),
        ({"text": {"$in": iter(())}}, InvalidValue, r"\$in needs a list"),
        ({"text": {"$nin": 5}}, InvalidValue, r"needs a list, got int"),
        ({"text": {"$in": ["a", 5]}}, InvalidValue, r"Thing\.text: expected str, got int"),
        ({"integer": "canary"}, InvalidValue, r"Thing\.integer: expected int, got str"),
        ({"integer": True}, InvalidValue, "got bool"),
        ({"integer": {"$lt": 2**63}}, InvalidValue, "out of range"),
        ({"integer": {}}, InvalidValue, "expected int, got dict"),
        ({"real": {"$gt": "canary"}}, InvalidValue, r"Thing\.real"),
        ({"amount": 1.5}, InvalidValue, r"Thing\.amount: .*float is not exact"),
        ({"amount": Decimal("NaN")}, InvalidValue, r"Thing\.amount"),
        ({"moment": datetime(2024, 1, 1)}, InvalidValue, r"Thing\.moment: the datetime has no time zone"),
        ({"color": "canary"}, InvalidValue, r"Thing\.color"),
        ({"kind": "canary"}, InvalidValue, r"Thing\.kind"),
        ({"uuid": "canary"}, InvalidValue, r"Thing\.uuid"),
        ({"blob": "canary"}, InvalidValue, r"Thing\.blob"),
        ({"text": "canary\0"}, InvalidValue, "NUL"),
        ({"text": "canary\ud800"}, InvalidValue, "surrogate"),
        ({"extra": {"a": 1}}, InvalidValue, "whole JSON documents"),
        ({"extra": {"$gt": {}}}, InvalidValue, "whole JSON documents"),
        ({"extra": {"$in": [{}]}}, InvalidValue, "whole JSON documents"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_and_no_value_is_told(
    document: object, error: type[ValidationError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        read_filter(MODEL, document, "ThingListNode filter")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_filter_nested_without_end_is_refused() -> None:
    deep: dict[str, Any] = {"whole": 1}
    for _ in range(5000):
        deep = {"$and": [deep]}
    endless: dict[str, Any] = {}
    endless["$or"] = [endless]
    negated: dict[str, Any] = {"$eq": 1}
    for _ in range(5000):
        negated = {"$not": negated}
    for document in (deep, endless, {"whole": negated}):
        with pytest.raises(InvalidValue, match="nested deeper"):
            read_filter(MODEL, document, "filter")


def test_a_filter_of_very_many_conditions_is_refused() -> None:
    member: dict[str, Any] = {"text": None}
    nested: dict[str, Any] = {"$or": [{"text": None}, {"text": "a"}]}
    doubled: dict[str, Any] = {"text": None}
    for _ in range(20):
        doubled = {"$and": [doubled, doubled]}
    read_filter(MODEL, {"$or": [member] * 10_000}, "filter")
    for document in (
        {"$or": [{"whole": 1}] * 10_001},
        {"$or": [member] * 10_001},
        {"$nor": [member] * 10_000, "whole": {"$exists": True}},
        {"$and": [nested] * 5_001},
        {f"extra.{number}": None for number in range(10_001)},
        doubled,
    ):
        with pytest.raises(InvalidValue, match="more than 10000 conditions"):
            read_filter(MODEL, document, "filter")


@pytest.mark.parametrize(
    ("document", "fits"),
    [
        ({"$or": [{"whole": 1}] * 10_000}, True),
        ({"$nor": [{"$or": [{"whole": 1}, {"real": 1.0}]}] * 5_000}, True),
        ({"$or": [{"$nor": [{"whole": 1}, {"real": 1.0}]}] * 5_000}, True),
        ({"$and": [{"$or": [{"whole": 1}, {"real": 1.0}]}] * 5_000}, True),
        ({"$and": [*[{"$or": [{"whole": 1}, {"real": 1.0}]}] * 5_000, {"text": "a"}]}, False),
    ],
)
def test_so_many_conditions_may_be_asked(document: Document, fits: bool) -> None:
    if fits:
        assert read_filter(MODEL, document, "filter").shape
    else:
        with pytest.raises(InvalidValue, match="more than 10000 conditions"):
            read_filter(MODEL, document, "filter")


@pytest.mark.parametrize("operator", ["$and", "$or", "$nor", "$not"])
def test_a_misspelt_operator_of_logic_suggests_the_nearest(operator: str) -> None:
    wrong = operator[:2] + "x" + operator[2:]
    with pytest.raises(
        UnknownName, match=f"filter has no operator .*; did you mean {re.escape(repr(operator))}"
    ):
        read_filter(MODEL, {wrong: []}, "filter")


@pytest.mark.parametrize(
    "operator",
    ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$between", "$in", "$nin", "$exists", "$like", "$ilike", "$contains",
     "$regex", "$options", "$not"],
)  # fmt: skip
def test_a_misspelt_operator_of_a_field_suggests_the_nearest(operator: str) -> None:
    wrong = operator + "x"
    with pytest.raises(
        UnknownName, match=f"text has no operator .*; did you mean {re.escape(repr(operator))}"
    ):
        read_filter(MODEL, {"text": {wrong: "a"}}, "filter")


def nested(levels: int) -> Document:
    document: Document = {"whole": 1}
    for _ in range(levels):
        document = {"$not": document}
    return document


def test_so_deep_may_a_filter_be_nested() -> None:
    assert read_filter(MODEL, nested(30), "filter").shape == ("$eq", "whole")
    with pytest.raises(InvalidValue, match="nested deeper than 30 levels"):
        read_filter(MODEL, nested(31), "filter")


@pytest.mark.parametrize(
    ("condition", "shape", "values"),
    [
        ({"$like": "Jo%"}, ("and", ("$gte", "text"), ("$lt", "text")), ("Jo", "Jp")),
        ({"$like": "Jo"}, ("$eq", "text"), ("Jo",)),
        ({"$like": ""}, ("$eq", "text"), ("",)),
        ({"$like": "%"}, ("$like", "text"), ("%",)),
        ({"$like": "%o"}, ("$like", "text"), ("%o",)),
        ({"$like": "J_"}, ("and", ("$gte", "text"), ("$lt", "text"), ("$like", "text")), ("J", "K", "J_")),
        ({"$like": "J%%"}, ("and", ("$gte", "text"), ("$lt", "text"), ("$like", "text")), ("J", "K", "J%%")),
        ({"$like": "50\\%%"}, ("and", ("$gte", "text"), ("$lt", "text")), ("50%", "50&")),
        ({"$like": "a\\\\"}, ("$eq", "text"), ("a\\",)),
        ({"$like": "\ud7ff%"}, ("and", ("$gte", "text"), ("$lt", "text")), ("\ud7ff", "\ue000")),
        ({"$like": "a\U0010ffff%"}, ("and", ("$gte", "text"), ("$lt", "text")), ("a\U0010ffff", "b")),
        ({"$like": "\U0010ffff%"}, ("$like", "text"), ("\U0010ffff%",)),
        ({"$like": "\U0010ffff_"}, ("and", ("$gte", "text"), ("$like", "text")), ("\U0010ffff", "\U0010ffff_")),
        ({"$ilike": "Jo%"}, ("$ilike", "text"), ("Jo%",)),
        ({"$regex": "^Jo"}, ("and", ("$gte", "text"), ("$lt", "text")), ("Jo", "Jp")),
        ({"$regex": "^Jo$"}, ("$eq", "text"), ("Jo",)),
        ({"$regex": "Jo"}, ("$regex", "text"), ("Jo",)),
        ({"$regex": "Jo", "$gt": "K"}, ("and", ("$regex", "text"), ("$gt", "text")), ("Jo", "K")),
        ({"$gt": "K", "$regex": "Jo"}, ("and", ("$gt", "text"), ("$regex", "text")), ("K", "Jo")),
        (
            {"$options": "i", "$regex": "o", "$lt": "K"},
            ("and", ("$regex", "text"), ("$lt", "text")),
            ("[Oo]", "K"),
        ),
        ({"$regex": "^J.*"}, ("and", ("$gte", "text"), ("$lt", "text"), ("$regex", "text")), ("J", "K", "^J[^\\n]*")),
        ({"$regex": "^jo", "$options": "i"}, ("$regex", "text"), ("^[Jj][Oo]",)),
        ({"$regex": "^50", "$options": "i"}, ("and", ("$gte", "text"), ("$lt", "text")), ("50", "51")),
        ({"$contains": "o_"}, ("$like", "text"), ("%o\\_%",)),
    ],
)  # fmt: skip
def test_what_begins_with_a_text_is_a_range_that_an_index_finds(
    condition: Document, shape: object, values: object
) -> None:
    where = read_filter(MODEL, {"text": condition}, "filter")
    assert (where.shape, where.values) == (shape, values)


@pytest.mark.parametrize("name", ["color", "extra.path"])
@pytest.mark.parametrize(
    "condition", [{"$like": "Jo%"}, {"$like": "Jo"}, {"$regex": "^Jo"}, {"$regex": "^Jo$"}]
)
def test_what_no_index_orders_by_its_text_is_compared_with_the_pattern(
    name: str, condition: Document
) -> None:
    where = read_filter(MODEL, {name: condition}, "filter")
    assert where.shape[0] == next(iter(condition))
    assert where.values == tuple(condition.values())


@pytest.mark.parametrize("operator", ["$like", "$ilike", "$regex", "$contains"])
def test_an_operator_for_texts_names_itself_where_it_refuses(operator: str) -> None:
    long = "a" * 10_001 if operator != "$regex" else "a" * 1_001
    for document, message in (
        ({"integer": {operator: "a"}}, f"filter: integer: {operator} is for text, and the field is integer"),
        ({"text": {operator: 5}}, f"filter: text: {operator} needs a str, got int"),
        ({"text": {operator: None}}, f"filter: text: {operator} needs a str, got NoneType"),
        ({"text": {operator: "a\0"}}, f"filter: text: {operator}"),
        ({"text": {operator: long}}, f"filter: text: {operator}: the pattern has more than"),
    ):
        with pytest.raises(InvalidValue, match=re.escape(message)):
            read_filter(MODEL, document, "filter")
    if operator != "$contains":
        expected = f"filter: extra: {operator} needs the path to a text, 'extra.key'"
        with pytest.raises(InvalidValue, match=re.escape(expected)):
            read_filter(MODEL, {"extra": {operator: "a"}}, "filter")
    if operator in ("$like", "$ilike"):
        assert read_filter(MODEL, {"text": {operator: "a\\\\"}}, "filter").shape
        with pytest.raises(InvalidValue, match=f"{re.escape(operator)}: the pattern ends with a single"):
            read_filter(MODEL, {"text": {operator: "a\\\\\\"}}, "filter")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        *(({"text": {operator: None}}, f"filter: text: {operator} needs a value; None is found by {{'text': None}}")
          for operator in ("$gt", "$gte", "$lt", "$lte")),
        *(({"extra": {operator: {}}}, f"filter: extra: {operator} does not compare whole JSON documents")
          for operator in ("$eq", "$gt", "$gte", "$lt", "$lte")),
        ({"extra": {"$in": []}}, "filter: extra: $in does not compare whole JSON documents"),
        *(({"extra.a": {operator: {}}}, f"filter: extra.a: {told} does not compare whole JSON documents")
          for operator, told in (("$eq", "$eq"), ("$ne", "$eq"), ("$gt", "$gt"), ("$contains", "$contains"))),
        ({"extra.a": {"$in": [{}]}}, "filter: extra.a: $in does not compare whole JSON documents"),
        ({"extra.a": {"$gt": b"x"}}, "filter: extra.a: $gt compares what JSON holds: str, int, float, bool or None"),
        ({"extra.a": float("inf")}, "filter: extra.a: JSON has no NaN and no infinity"),
        ({"text": {"$between": ["a"]}}, "filter: text: $between needs a list of two values, [lowest, highest]"),
        ({"text": {"$between": ["a", None]}}, "filter: text: $between needs a list of two values"),
        ({"text": {"$between": "ab"}}, "filter: text: $between needs a list of two values"),
        ({"text": {"$exists": 1}}, "filter: text: $exists needs True or False, got int"),
        ({"text": {"$regex": "a", "$options": "x"}}, 'filter: text: $options knows "i" only'),
        ({"text": {"$regex": "a", "$options": 5}}, 'filter: text: $options knows "i" only'),
        ({"text": {"$options": "i"}}, "filter: text: $options belongs beside a $regex"),
        ({"text": {"$gt": "a", "$options": "i"}}, "filter: text: $options belongs beside a $regex"),
        ({"text": {"$not": 5}}, "filter: text: $not needs a dict of operators"),
        ({"extra." + ".".join("a" * 101): 1}, "filter: a path into extra has more than 100 steps"),
        ({"extra.a\0": 1}, "filter: a path into extra holds NUL or a lone surrogate"),
        ({"integer.a": 1}, "filter: integer is integer; only the fields of type dict or list have paths"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_place_and_what_is_wrong(document: Document, message: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(message)):
        read_filter(MODEL, document, "filter")


@pytest.mark.parametrize("last", ["X", "x", "/", "\\\\", "%", "_", "n"])
def test_a_pattern_may_end_with_any_character(last: str) -> None:
    assert read_filter(MODEL, {"text": {"$like": f"a%b{last}"}}, "filter").values[-1] == f"a%b{last}"


def test_an_unknown_operator_beside_a_pattern_is_refused() -> None:
    with pytest.raises(UnknownName, match=re.escape("did you mean '$gt'")):
        read_filter(MODEL, {"text": {"$regex": "a", "$gtt": "b"}}, "filter")


def test_the_shape_holds_no_value_and_does_not_grow_with_a_list() -> None:
    one = read_filter(MODEL, {"text": {"$in": ["a"]}, "whole": {"$gt": 1}}, "filter")
    more = read_filter(MODEL, {"text": {"$in": ["b", "c", "d"]}, "whole": {"$gt": 2}}, "filter")
    assert one.shape == more.shape == ("and", ("$in", "text"), ("$gt", "whole"))
    assert (one.values, more.values) == ((("a",), 1), (("b", "c", "d"), 2))
