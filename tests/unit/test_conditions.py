"""The expression language of edges, compared with Python's own answers."""

import math
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.errors import WorkflowError
from dataflow.workflow.conditions import Condition


def holds(text: str, status: str = "success", /, **output: object) -> bool:
    return Condition.parse(text).holds(status, output)


# The outcome and the output


def test_status_is_the_outcome_and_a_column_of_that_name_is_in_the_record() -> None:
    row = {"status": "paid", "record": {"status": "paid"}}
    assert holds("status == 'failed'", "failed", **row)
    assert not holds("status == 'paid'", "success", **row)
    assert holds("record.status == 'paid'", "success", **row)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("count > 0 and record.status != 'paid'", True),
        ("not found", False),
        ("found", True),
        ("empty", False),
        ("total >= 10.5 or error_type in ('UniqueViolation', 'CheckViolation')", True),
        ("result.0.total > 3", True),
        ("result.1.total == null", True),
        ("record.in == 1", True),
        ("x in ('a')", True),
        ("x in ['a', 'b',]", True),
        ("x not in ('a', 'b')", False),
        ("'rep' in error", True),
        ("'x' in record.tags", True),
        ("'in' in record", True),
        ("'y' NOT IN record.tags", True),
        ("NOT found OR count == 2", True),
        ("TRUE", True),
        ("False", False),
        ("count == -2 or count > -1.5e0", True),
        ("not not found", True),
        ("0 < count", True),
        ("x == \"a\" and x == 'a'", True),
        ("größe == 1", True),
        ("quote == 'it\\'s \"\\u00e9\\\\\\n\"'", True),
        ("a == 1 or a == 2 and a == 3", True),
        ("(a == 1 or a == 2) and a == 3", False),
        ("not a == 1 and a == 2", False),
        ("count\n  == 2", True),
    ],
)
def test_an_expression_is_answered(text: str, answer: bool) -> None:
    output = {
        **{"count": 2, "total": 10.5, "found": True, "x": "a", "a": 1, "größe": 1, "empty": []},
        **{"error": "a report", "quote": 'it\'s "é\\\n"', "result": [{"total": 4}]},
        "record": {"status": "new", "in": 1, "tags": ["x"]},
    }
    assert Condition.parse(text).holds("success", output) is answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("x", False),
        ("not x", True),
        ("x == null", True),
        ("x == None", True),
        ("x != null", False),
        ("x == 3", False),
        ("x != 3", True),
        ("x < 3", False),
        ("x >= 3", False),
        ("not x < 3", True),
        ("3 <= x", False),
        ("x <= null", False),
        ("x in (1, 2)", False),
        ("x not in (1, 2)", True),
        ("x in (1, null)", True),
        ("1 in x", False),
        ("1 not in x", True),
        ("x in error", False),
    ],
)
def test_what_is_missing_is_null_and_null_is_in_no_order(text: str, answer: bool) -> None:
    for output in ({"error": "text"}, {"error": "text", "x": None}):
        assert Condition.parse(text).holds("failed", output) is answer
    deep = text.replace("x", "record.rows.3.x")
    records: list[object] = [None, {}, {"rows": []}, {"rows": "text"}, 5]
    for record in records:
        assert Condition.parse(deep).holds("failed", {"error": "text", "record": record}) is answer


# Values of many types


class Colour(Enum):
    RED = "red"
    NONE = None


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    HI = "hi"


ZONED = datetime(2024, 5, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
SOME_ID = UUID("8df5ef2c-94d4-44c4-a085-caa433c732d6")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x == 'red' and x != 'blue' and x in ('red',)", Colour.RED),
        ("not x and x == null", Colour.NONE),
        ("x == 1 and x < 1.5", Level.LOW),
        ("x == 'hi' and x < 'ho' and 'i' in x", Word.HI),
        ("'red' in x", [Colour.RED]),
        ("x == 10.1 and x >= 10.1 and x <= 10.1 and x > 10 and x in (1, 10.1)", Decimal("10.1")),
        ("x == 12345678901234567.89 and x != 12345678901234567.88", Decimal("12345678901234567.89")),
        ("x == 10.1 and x < 10.2 and x > 10", 10.1),
        ("x == '8df5ef2c-94d4-44c4-a085-caa433c732d6'", SOME_ID),
        (
            "x == '8DF5EF2C94D444C4A085CAA433C732D6' and x in ('no', '8DF5EF2C94D444C4A085CAA433C732D6')",
            SOME_ID,
        ),
        ("x != 'no uuid' and not x == 'no uuid'", SOME_ID),
        ("x == '2024-05-01T10:30:00Z' and x == '2024-05-01T12:30+02:00'", ZONED),
        ("x == '2024-05-01 10:30' and x > '2024-05-01' and x < '2024-05-02'", ZONED),
        ("x == '2024-05-01 10:30' and x == '2024-05-01T10:30:00Z'", datetime(2024, 5, 1, 10, 30)),
        ("x == '2024-05-01' and x > '2024-04-30' and '2024-05-02' > x", date(2024, 5, 1)),
        ("x == '10:30' and x < '10:30:01'", time(10, 30)),
        ("x != '10' and x != 3 and x", timedelta(1)),
        ("x == 1 and x == true", True),
        ("x != '1' and not x == '1'", 1),
        ("x != 1 and x != 'nan' and not x < 1", math.nan),
    ],
)
def test_a_value_is_compared_as_it_reads(text: str, value: object) -> None:
    assert Condition.parse(text).holds("success", {"x": value})


def test_two_outputs_are_compared_as_a_value_and_a_literal_are() -> None:
    assert holds("a == b", a=SOME_ID, b=str(SOME_ID))
    assert holds("a == b and a <= b", a=Decimal("0.1"), b=0.1)
    assert holds("a == b", a=ZONED, b=ZONED.astimezone(UTC).replace(tzinfo=None))


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("x < 3", "text", "< cannot compare str with int"),
        ("x >= 'a'", 3, ">= cannot compare int with str"),
        ("x > 'yesterday'", ZONED, "> cannot compare datetime with str"),
        ("x > 0", [1], "> cannot compare list with int"),
        ("1 in x", "text", "in cannot look for int inside str"),
        ("1 in x", 5, "in cannot look for int inside int"),
        ("'a' in x", b"abc", "in cannot look for str inside bytes"),
    ],
)
def test_an_order_of_unlike_values_is_an_error_that_shows_none(
    text: str, value: object, message: str
) -> None:
    with pytest.raises(WorkflowError) as caught:
        Condition.parse(text).holds("success", {"x": value})
    assert str(caught.value) == f"condition {text!r}: {message}"


def test_an_object_that_cannot_be_compared_is_an_error_of_the_tree() -> None:
    class Odd:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise ValueError("hunter2")

        def __bool__(self) -> bool:
            raise ValueError("hunter2")

    for text in ("x", "x == 3", "x in (1, 2)", "3 in y"):
        with pytest.raises(WorkflowError, match="cannot be tested: ValueError") as caught:
            holds(text, x=Odd(), y=[Odd()])
        assert "hunter2" not in str(caught.value)
        assert isinstance(caught.value.__cause__, ValueError)


# What is known when the workflow is built


@pytest.mark.parametrize(
    ("text", "success", "failed"),
    [
        ("status == 'failed'", False, True),
        ("status == 'success'", True, False),
        ("status != 'success'", False, True),
        ("not status == 'failed'", True, False),
        ("status in ('failed', 'cancelled')", False, True),
        ("status not in ('failed')", True, False),
        ("status == 'cancelled'", False, False),
        ("status == null", False, False),
        ("status == 'success' and status == 'failed'", False, False),
        ("status == 'success' or status == 'failed'", True, True),
        ("status == 'failed' and count > 0", False, True),
        ("status == 'failed' or count > 0", True, True),
        ("not (status == 'failed' or count > 0)", True, False),
        ("not (status == 'failed' and count > 0)", True, True),
        ("count > 0", True, True),
        ("count > 0 and false", False, False),
        ("1 == 2", False, False),
        ("status", True, True),
        ("status == expected", True, True),
        ("'fail' in status", False, True),
    ],
)
def test_possible_tells_whether_a_condition_can_hold_after_an_outcome(
    text: str, success: bool, failed: bool
) -> None:
    condition = Condition.parse(text)
    assert (condition.possible("success"), condition.possible("failed")) == (success, failed)


def test_names_are_the_outputs_that_are_used() -> None:
    text = "count > 0 and (record.status != status or not result.0.id in allowed) and 'x' != null"
    assert Condition.parse(text).names == {"count", "record", "status", "result", "allowed"}
    assert Condition.parse("record.status == 'paid'").names == {"record"}


def test_a_condition_is_a_frozen_value() -> None:
    condition = Condition.parse("a == 1")
    assert condition == Condition.parse("a == 1")
    assert len({condition, Condition.parse("a == 1"), Condition.parse("a == 2")}) == 2
    with pytest.raises(FrozenInstanceError):
        condition.text = "a == 2"  # type: ignore[misc]


# Mistakes


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("status = 'failed'", "a comparison is written ==", 7),
        ("a === 1", "a comparison is written ==", 2),
        ("a <> 1", "unequal is written !=", 2),
        ("!a", "a negation is written not", 0),
        ("a && b", "write and", 2),
        ("a || b", "write or", 2),
        ("a + 1 > 2", "do not calculate", 2),
        ("a * 2", "do not calculate", 2),
        ("a == 'abc", "this text does not end", 5),
        ('"', "this text does not end", 0),
        ("a == 'x\\q'", "an unknown escape", 7),
        ("a == '\\u12'", "an unknown escape", 6),
        ("12abc", "neither a number nor a name", 0),
        ("1.5.3 == a", "neither a number nor a name", 0),
        ("a > 1e999", "too large", 4),
        ("a > " + "9" * 401, "neither a number nor a name", 4),
        ("a..b", "a dot stands between", 0),
        ("alpha. == 1", "a dot stands between", 0),
        (".a", "a dot stands between", 0),
        ("len(a) > 1", "conditions call nothing", 3),
        ("a.b('x')", "conditions call nothing", 3),
        ("rows[0] == 1", "written with a dot, as in rows.0", 4),
        ("a < b < c", "comparisons do not chain", 6),
        ("a in b == c", "comparisons do not chain", 7),
        ("a is null", "null is tested with ==", 2),
        ("status == 'failed' or 'x'", "a value alone decides nothing", 22),
        ("5", "a value alone decides nothing", 0),
        ("status.x == 1", "record.status", 0),
        ("status < 3", "< cannot compare str with int", 0),
        ("a and 1 > 'a'", "> cannot compare int with str", 6),
        ("3 in status", "in cannot look for int inside str", 0),
        ("a == ", "expected a value", 5),
        ("a == not b", "expected a value", 5),
        ("and a", "expected a value", 0),
        ("a in ()", "expected a value", 6),
        ("a in (b)", "expected a value", 6),
        ("a in 'abc'", "expected a list", 5),
        ("a in (1, 2", "expected ')'", 10),
        ("a in [1)", "expected ']'", 7),
        ("a not 3", "expected 'in'", 6),
        ("(a == 1", "expected ')'", 7),
        ("a == 1)", "expected 'and', 'or' or the end", 6),
        ("a b", "expected 'and', 'or' or the end", 2),
        ("a == 1 -1", "expected 'and', 'or' or the end", 7),
        ("a ; b", "';' has no meaning", 2),
        ("a == @b", "'@' has no meaning", 5),
        ("__import__('os')", "conditions call nothing", 10),
        ("", "the condition is empty", 0),
        ("  ", "the condition is empty", 2),
        ("(" * 31 + "a" + ")" * 31, "nested deeper than 30 levels", 30),
        ("not " * 30 + "a", "nested deeper than 30 levels", 120),
    ],
)
def test_a_mistake_is_marked_and_told(text: str, message: str, place: int) -> None:
    with pytest.raises(WorkflowError) as caught:
        Condition.parse(text)
    problem, line, caret = str(caught.value).split("\n")
    assert message in problem
    assert line == f"  {text}"
    assert caret == f"{' ' * (place + 2)}^"


def test_the_mark_stands_under_its_own_line() -> None:
    with pytest.raises(WorkflowError) as caught:
        Condition.parse("a == 1\n\tand b = 2\n or c")
    assert str(caught.value).split("\n")[1:] == ["   and b = 2", "         ^"]


def test_length_and_depth_are_bounded() -> None:
    assert holds("not " * 28 + "a", a=1)
    assert holds("(" * 29 + "a" + ")" * 29, a=1)
    assert not holds(" and ".join(["a"] * 250), a=0)
    with pytest.raises(WorkflowError, match="at most 2000 characters"):
        Condition.parse("a" * 2001)


# Generated conditions, with Python as the oracle


class Written(NamedTuple):
    """The same test in both languages; ``rank`` says how tightly its outermost word binds."""

    text: str
    python: str
    rank: int = 3


PATHS = {
    "a": "get('a')",
    "b": "get('b')",
    "record.status": "get('record', 'status')",
    "result.0.x": "get('result', 0, 'x')",
    "record.tags": "get('record', 'tags')",
    "_unknown": "None",
}
scalars = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.integers(-12, 12).map(lambda n: n / 4)
    | st.sampled_from(["", "a", "b", "ab", "success", "it's", 'q"\\', "\n\té"])
)  # fmt: skip
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.sampled_from("ab"), scalars)
outputs = st.fixed_dictionaries(
    {},
    optional={
        "a": values,
        "b": values,
        "status": values,
        "record": st.fixed_dictionaries({}, optional={"status": values, "tags": values}) | values,
        "result": st.lists(st.fixed_dictionaries({}, optional={"x": values}), max_size=2) | values,
    },
)
statuses = st.sampled_from(["success", "failed"])


def written_value(value: object) -> str:
    if isinstance(value, str):
        quote = '"' if "'" in value else "'"
        for plain, escaped in (
            ("\\", "\\\\"),
            (quote, f"\\{quote}"),
            ("\n", "\\n"),
            ("\t", "\\t"),
            ("é", "\\u00e9"),
        ):
            value = value.replace(plain, escaped)
        return f"{quote}{value}{quote}"
    return {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))


paths = st.sampled_from([Written(*pair) for pair in PATHS.items()])
the_status = st.just(Written("status", "status"))
literals = scalars.map(lambda value: Written(written_value(value), repr(value)))


@st.composite
def comparisons(draw: st.DrawFn) -> Written:
    left, right = draw(paths), draw(paths | the_status | literals)
    if draw(st.booleans()):
        left, right = right, left
    sign = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    python = f"{left.python} {sign} {right.python}"
    if sign not in ("==", "!="):
        python = f"present({left.python}, {right.python}) and {python}"
    return Written(f"{left.text} {sign} {right.text}", f"({python})")


@st.composite
def memberships(draw: st.DrawFn) -> Written:
    if draw(st.booleans()):
        item, listed = draw(paths | literals | the_status), draw(st.lists(literals, min_size=1, max_size=3))
        container = Written(
            f"({', '.join(part.text for part in listed)})", f"[{', '.join(part.python for part in listed)}]"
        )
    else:
        item, container = draw(paths), draw(paths | the_status)
    word = draw(st.sampled_from(["in", "not in", "NOT IN"]))
    python = f"within({item.python}, {container.python})"
    return Written(f"{item.text} {word} {container.text}", python if word == "in" else f"(not {python})")


truths = (paths | the_status).map(lambda part: Written(part.text, f"bool({part.python})"))
facts = st.sampled_from(
    [
        Written("status == 'failed'", "(status == 'failed')"),
        Written("true", "True"),
        Written("FALSE", "False"),
    ]
)


@st.composite
def compounds(draw: st.DrawFn, inner: st.SearchStrategy[Written]) -> Written:
    word, rank = draw(st.sampled_from([("or", 0), ("and", 1), ("not", 2)]))
    parts = draw(st.lists(inner, min_size=1 if word == "not" else 2, max_size=1 if word == "not" else 3))
    shown = [part.text if part.rank > rank or part.rank == rank == 2 else f"({part.text})" for part in parts]
    text = (
        f"not {shown[0]}" if word == "not" else f" {draw(st.sampled_from([word, word.upper()]))} ".join(shown)
    )
    python = (
        f"(not {parts[0].python})"
        if word == "not"
        else f"({f' {word} '.join(part.python for part in parts)})"
    )
    return Written(text, python, rank)


conditions = st.recursive(comparisons() | memberships() | truths | facts, compounds, max_leaves=6)


def python_answer(source: str, status: str, output: dict[str, Any]) -> bool:
    def get(*parts: str | int) -> object:
        value: Any = output
        for part in parts:
            if isinstance(value, str):
                return None
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def present(*values: object) -> bool:
        return None not in values

    def within(item: object, container: Any) -> bool:
        if container is None or (item is None and isinstance(container, str)):
            return False
        return item in (list(container) if isinstance(container, dict) else container)

    names = {"get": get, "within": within, "bool": bool, "status": status, "present": present}
    return bool(eval(source, {"__builtins__": {}}, names))


@settings.get_profile("many")
@given(written=conditions, status=statuses, output=outputs)
def test_a_condition_answers_what_python_answers(
    written: Written, status: str, output: dict[str, Any]
) -> None:
    condition = Condition.parse(written.text)
    try:
        expected = python_answer(written.python, status, output)
    except TypeError:
        with pytest.raises(WorkflowError):
            condition.holds(status, output)
    else:
        assert condition.holds(status, output) is expected
        assert condition.possible(status) or not expected


@given(
    number=st.decimals(-100, 100, places=2),
    literal=st.decimals(-100, 100, places=2),
    sign=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
)
def test_a_decimal_is_compared_with_the_digits_of_a_literal(
    number: Decimal, literal: Decimal, sign: str
) -> None:
    expected = eval(f"number {sign} literal")
    assert holds(f"x {sign} {literal}", x=number) is expected
    assert holds(f"x {sign} {literal}", x=float(number)) is expected
    assert holds(f"{literal} {sign} x", x=number) is eval(f"literal {sign} number")


@given(moment=st.datetimes(timezones=st.timezones()), literal=st.datetimes(timezones=st.timezones()))
def test_a_datetime_is_compared_with_an_iso_text(moment: datetime, literal: datetime) -> None:
    text = literal.isoformat()
    literal = datetime.fromisoformat(text)  # the offset of a zone is all that a text can say
    moment = datetime.fromisoformat(moment.isoformat())
    assert holds(f"x < '{text}'", x=moment) is (moment < literal)
    assert holds(f"x == '{text}'", x=literal)


words = st.sampled_from(
    [
        *("status", "a", "record.status", "result.0.x", "==", "=", "!=", "<", ">=", "in", "not", "and"),
        *("or", "(", ")", "[", "]", ",", "'failed'", '"', "'", "\\", "1", "-1", "1.5", "1e5", "1e-99", "0"),
        *(".", "null", "True", "is", "+", "²", "٣", "__class__", "\n", "\x00", "\ud800"),
    ]
)


@settings.get_profile("many")
@given(
    text=st.text() | st.lists(words, max_size=14).map(" ".join) | st.lists(words, max_size=14).map("".join),
    status=statuses,
    output=outputs,
)
def test_any_text_is_a_condition_or_an_error_of_the_tree(
    text: str, status: str, output: dict[str, Any]
) -> None:
    try:
        condition = Condition.parse(text)
    except WorkflowError:
        return
    possible = condition.possible(status)
    try:
        answer = condition.holds(status, output)
    except WorkflowError:
        return
    assert possible or not answer
