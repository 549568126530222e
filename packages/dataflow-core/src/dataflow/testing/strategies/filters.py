"""Rows of every kind of column, and filters over the values that occur in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Literal
from uuid import UUID

from hypothesis import strategies as st

from dataflow.coercion.numbers import fits_decimal
from dataflow.types import DECIMAL_DIGITS

__all__ = ["Color", "Specimen", "World", "like_patterns", "regex_patterns", "worlds"]

Document = Mapping[str, Any]
Row = Mapping[str, Any]


class Color(Enum):
    """An Enum of texts, whose order is that of the texts."""

    RED = "red"
    GREEN = "green"
    BLUE = "Blue"


class Specimen:
    """A model with a column of every kind. Declare it with ``db.model``."""

    integer: int | None
    whole: int
    real: float | None
    text: str | None
    word: str
    amount: Decimal | None
    flag: bool | None
    blob: bytes | None
    moment: datetime | None
    day: date | None
    clock: time | None
    span: timedelta | None
    uuid: UUID | None
    color: Color | None
    kind: Literal["a", "B", "ä"] | None
    data: dict[str, Any] | None
    items: list[Any] | None
    __dataflow__: ClassVar = {"timestamps": False}


REQUIRED = frozenset({"whole", "word"})
LETTERS = [*"aAbBkKsSiIzZ09 -_%\\*?[]^$.'\"\n", *"ßẞİıſKéä\u0301ﬀ\uffff😀𝒳"]  # noqa: RUF001 - each is there for its case or its width
TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "A", "ab", "aB", "ä", "a\u0308", "ss", "ß", "10", "9", "NULL", "%", "_", "a%", "[a]"]
    ),
    st.text(st.sampled_from(LETTERS), max_size=5),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
)
INTEGERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([-(2**63), 2**63 - 1, 2**53, 2**53 + 1]),
)
FINITE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1e22]),
)
AMOUNTS = st.one_of(
    st.sampled_from(["0", "-0", "0.1", "0.10", "1.0", "1.00", "9.5", "10", "10.05", "-2", "-1.55"]).map(
        Decimal
    ),
    st.sampled_from(["1E+40", "-1E+40", "1E-40", "9007199254740993", "9007199254740992"]).map(Decimal),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=11))])
MOMENTS = st.one_of(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES),
    st.sampled_from(
        [
            datetime(2024, 1, 1, tzinfo=UTC),
            datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
            datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        ]
    ),
)
COLUMNS: Mapping[str, st.SearchStrategy[Any]] = {
    "integer": INTEGERS,
    "whole": INTEGERS,
    "real": FINITE,
    "text": TEXTS,
    "word": TEXTS,
    "amount": AMOUNTS,
    "flag": st.booleans(),
    "blob": st.one_of(st.sampled_from([b"", b"\0", b"\xff", b"a", b"a\0"]), st.binary(max_size=4)),
    "moment": MOMENTS,
    "day": st.one_of(st.dates(), st.sampled_from([date.min, date.max])),
    "clock": st.one_of(st.times(), st.sampled_from([time.min, time.max, time(12), time(12, 0, 0, 5)])),
    "span": st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)),
    "uuid": st.uuids(),
    "color": st.sampled_from(Color),
    "kind": st.sampled_from(["a", "B", "ä"]),
}
TEXT_COLUMNS = ("text", "word", "kind", "color")

KEYS = ["a", "b", "0", "1", "01", "", "a b", "q'uo\"te", "back\\slash", "ä", "$gt", "😀", "[0]", "%", "-1"]
# Whole floats from 2**53 to 2**63 are left out: a database that keeps numbers in decimal digits cannot tell which
# integer they were.
SCALARS: Sequence[Any] = [
    *(0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)),
    *(0.0, -0.0, 1.0, 0.1, 1.5, 1e300, 5e-324),
    *("", "a", "A", "ab", "1", "true", "null", "ä", "😀", "q'uo\"te"),
    *(True, False, None),
]
DATA: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=6,
)
PATHS = st.builds(
    lambda field, steps: ".".join([field, *steps]),
    st.sampled_from(["data", "items"]),
    st.lists(st.sampled_from([*KEYS[:6], *KEYS]), min_size=1, max_size=3),
)


def like_patterns() -> st.SearchStrategy[str]:
    """Patterns of ``$like``, none of which ends within an escape."""
    letters = st.sampled_from([letter for letter in LETTERS if letter != "\\"])
    pieces = st.one_of(letters, st.sampled_from(["%", "_", "\\%", "\\_", "\\\\", "\\a", "a", "b"]))
    return st.lists(pieces, max_size=5).map("".join)


def regex_patterns() -> st.SearchStrategy[str]:
    """Patterns within the portable subset of regular expressions."""
    literal = st.sampled_from([f"\\{letter}" if letter in r"\*?[]^$.'-%\"" else letter for letter in LETTERS])
    atoms = st.one_of(
        literal,
        st.sampled_from(
            [
                "a",
                "b",
                "ab",
                ".",
                "\\d",
                "\\w",
                "\\s",
                "\\D",
                "\\W",
                "\\S",
                "[a-z]",
                "[^a]",
                "[A-Zß-ÿ]",
                "[\\d_\\]-]",
            ]
        ),
        st.sampled_from(["^", "$", "[^\\w]", "[\\W\\d]", "[Y-b]", "[^\\S]", "\\n", "[😀-😂]"]),
    )
    repeats = st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?"])

    def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        group = inner.map(lambda text: f"({text})")
        return st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map("|".join),
            st.tuples(st.one_of(group, inner.map(lambda text: f"(?:{text})")), repeats).map("".join),
            st.just("^").flatmap(lambda start: inner.map(lambda text: start + text)),
        )

    return st.recursive(atoms, joined, max_leaves=5)


NONE = st.none()
REST: Mapping[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(COLUMNS, NONE),
    "whole": st.just(0),
    "word": st.just(""),
    "data": st.one_of(NONE, st.dictionaries(st.sampled_from(KEYS), DATA, max_size=3)),
    "items": st.one_of(NONE, st.lists(DATA, max_size=3)),
}
"""What stands in the columns that an example does not look at, and in those of JSON."""


@dataclass(frozen=True)
class World:
    """Rows of a :class:`Specimen`, and filters over the values that occur in them."""

    rows: tuple[Row, ...]
    filters: tuple[Document, ...]


@st.composite
def worlds(draw: st.DrawFn, infinity: bool = True, digits: tuple[int, int] = DECIMAL_DIGITS) -> World:
    """Rows and filters.

    :param infinity: whether the database stores infinite floats.
    :param digits: how many digits a decimal may have before the point, and after it.
    """
    columns = dict(COLUMNS)
    columns["amount"] = AMOUNTS.filter(lambda number: fits_decimal(number, digits))
    if infinity:
        columns["real"] = st.one_of(FINITE, st.sampled_from([float("inf"), -float("inf")]))
    # Few fields and few values for each, so that examples are made fast and values are met again.
    names = draw(st.lists(st.sampled_from(list(columns)), min_size=1, max_size=3, unique=True))
    pools = {name: draw(st.lists(columns[name], min_size=2, max_size=4)) for name in names}
    cells: dict[str, st.SearchStrategy[Any]] = dict(REST)
    for name, pool in pools.items():
        cells[name] = st.sampled_from(pool if name in REQUIRED else [*pool, None])
    rows = draw(st.lists(st.fixed_dictionaries(cells), max_size=6))
    filters = draw(st.lists(_documents(pools), min_size=2, max_size=8))
    return World(tuple(rows), tuple(filters))


def _documents(pools: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[Document]:
    leaves: st.SearchStrategy[Document] = st.one_of(
        st.sampled_from(list(pools)).flatmap(lambda name: _on_column(name, pools[name])),
        PATHS.flatmap(_on_path),
        st.sampled_from(["data", "items"]).flatmap(_on_document),
        st.just({}),
    )

    def nested(inner: st.SearchStrategy[Document]) -> st.SearchStrategy[Document]:
        several = st.lists(inner, min_size=1, max_size=3)
        return st.one_of(
            st.fixed_dictionaries(
                {}, optional={"$and": several, "$or": several, "$nor": several, "$not": inner}
            ),
            st.tuples(inner, inner).map(lambda pair: {**pair[0], **pair[1]}),
        )

    return st.recursive(leaves, nested, max_leaves=8)


def _on_column(name: str, pool: Sequence[Any]) -> st.SearchStrategy[Document]:
    operators = _comparisons(st.sampled_from(pool), st.sampled_from([*pool, None]))
    if name in TEXT_COLUMNS:
        return _condition(name, st.sampled_from([*pool, None]), {**operators, **_text_operators(TEXTS)})
    return _condition(name, st.sampled_from([*pool, None]), operators)


def _on_path(name: str) -> st.SearchStrategy[Document]:
    maybe = st.sampled_from(SCALARS)
    value = st.sampled_from([scalar for scalar in SCALARS if scalar is not None])
    texts = st.sampled_from([scalar for scalar in SCALARS if isinstance(scalar, str)])
    operators = {**_comparisons(value, maybe), **_text_operators(texts), "$contains": _members()}
    return _condition(name, maybe, operators)


def _on_document(name: str) -> st.SearchStrategy[Document]:
    operators = {
        "$contains": _members(),
        "$exists": st.booleans(),
        "$eq": st.none(),
        "$ne": st.none(),
    }
    return _condition(name, st.none(), operators)


def _members() -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(SCALARS), st.sampled_from(KEYS))


def _comparisons(
    value: st.SearchStrategy[Any], maybe: st.SearchStrategy[Any]
) -> dict[str, st.SearchStrategy[Any]]:
    members = st.lists(maybe, max_size=4)
    return {
        **dict.fromkeys(("$eq", "$ne"), maybe),
        **dict.fromkeys(("$gt", "$gte", "$lt", "$lte"), value),
        **dict.fromkeys(("$in", "$nin"), members),
        "$between": st.lists(value, min_size=2, max_size=2),
        "$exists": st.booleans(),
    }


def _text_operators(texts: st.SearchStrategy[str]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        **dict.fromkeys(("$like", "$ilike"), like_patterns()),
        "$contains": st.one_of(texts, st.sampled_from(LETTERS)),
        "$regex": regex_patterns(),
    }


def _condition(
    name: str, bare: st.SearchStrategy[Any], operators: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Document]:
    one = st.sampled_from(list(operators)).flatmap(
        lambda operator: operators[operator].map(lambda operand: {operator: operand})
    )
    several = st.one_of(one, st.tuples(one, one).map(lambda pair: {**pair[0], **pair[1]}))
    folded = st.tuples(several, st.sampled_from(["", "i"])).map(
        lambda pair: {**pair[0], "$options": pair[1]} if "$regex" in pair[0] else pair[0]
    )
    wanted = st.one_of(bare, folded, folded, folded.map(lambda condition: {"$not": condition}))
    return wanted.map(lambda wanted: {name: wanted})
