"""What is written is read back equal and of the same type, or it is refused before any SQL is sent."""

import asyncio
import math
import random
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, ClassVar, Literal
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataflow import AsyncLocalRuntime, DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.errors import InvalidValue, WorkflowBuildError

EAST = timezone(timedelta(hours=14))
WEST = timezone(-timedelta(hours=12))


class Color(Enum):
    RED = "red"
    ODD = 'it\'s \\ "odd"\n'


class Level(IntEnum):
    LOW = -(2**63)
    HIGH = 2**63 - 1


class Cell:
    integer: int | None
    real: float | None
    flag: bool | None
    text: str | None
    short: str | None = Field(max_length=3)
    blob: bytes | None
    amount: Decimal | None
    moment: datetime | None
    day: date | None
    clock: time | None
    span: timedelta | None
    uuid: UUID | None
    document: dict[str, object] | None
    sequence: list[object] | None
    color: Color | None
    level: Level | None
    kind: Literal["a", "b"] | None
    __dataflow__: ClassVar = {"timestamps": False}


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=10,
)
STORABLE: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(allow_nan=False),
    "flag": st.booleans(),
    "text": TEXT,
    "short": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3),
    "blob": st.binary(max_size=30),
    "amount": st.decimals(allow_nan=False, allow_infinity=False),
    "moment": st.datetimes(timezones=st.just(UTC)),
    "day": st.dates(),
    "clock": st.times(),
    "span": st.timedeltas(timedelta(microseconds=-(2**63)), timedelta(microseconds=2**63 - 1)),
    "uuid": st.uuids(),
    "document": st.dictionaries(TEXT, JSON, max_size=4),
    "sequence": st.lists(JSON, max_size=4),
    "color": st.sampled_from(Color),
    "level": st.sampled_from(Level),
    "kind": st.sampled_from(["a", "b"]),
}
ROWS = st.fixed_dictionaries({name: st.one_of(st.none(), values) for name, values in STORABLE.items()})


def same(read: object, written: object) -> bool:
    """Equal and of the same type, all the way down."""
    if type(read) is not type(written):
        return False
    if isinstance(written, dict) and isinstance(read, dict):
        return list(read) == list(written) and all(same(read[name], written[name]) for name in written)
    if isinstance(written, list) and isinstance(read, list):
        return len(read) == len(written) and all(map(same, read, written))
    if isinstance(written, datetime) and isinstance(read, datetime) and read.tzinfo is not UTC:
        return False
    return read == written


def assert_same(read: dict[str, Any], written: dict[str, Any]) -> None:
    for name, value in written.items():
        assert same(read[name], value), f"{name}: wrote {value!r}, read {read[name]!r}"


@pytest.fixture(scope="module")
def cells() -> Iterator[DataFlow]:
    with DataFlow("sqlite:///:memory:") as db:
        db.model(Cell)
        yield db


@pytest.fixture(scope="module")
def loop() -> Iterator[Callable[..., Any]]:
    with asyncio.Runner() as runner:
        yield runner.run


@settings.get_profile("few")
@given(ROWS, ROWS)
def test_a_row_survives_every_way_in_and_out(
    cells: DataFlow, loop: Callable[..., Any], row: dict[str, Any], other: dict[str, Any]
) -> None:
    nodes = cells.nodes
    created = cells.run_sync(nodes.CellCreateNode(**row))
    id = created["id"]
    assert_same(created, row)
    assert_same(cells.run_sync(nodes.CellReadNode(id=id)), row)

    async def update() -> Any:
        return await nodes.CellUpdateNode(id=id, updates=other)

    assert_same(loop(update()), other)

    workflow = WorkflowBuilder(cells)
    workflow.add_node(
        "CellBulkCreateNode", "bulk", {"data": [other, row], "return_rows": True, "batch_size": 1}
    )
    workflow.add_node("CellReadNode", "read", {"id": id})
    workflow.add_node("CellListNode", "list", {"order_by": ["-id"], "limit": 2})
    workflow.add_node("CellUpdateNode", "update", {"id": id, **row})
    built = workflow.build()
    for execute in (LocalRuntime().execute, lambda workflow: loop(AsyncLocalRuntime().execute(workflow))):
        results, _ = execute(built)
        for read, written in zip(results["bulk"]["result"], [other, row], strict=True):
            assert_same(read, written)
        assert_same(results["read"], other)
        for read, written in zip(results["list"]["records"], [row, other], strict=True):
            assert_same(read, written)
        assert_same(results["update"], row)
        cells.run_sync(nodes.CellUpdateNode(id=id, updates=other))


@settings.get_profile("few")
@given(ROWS)
def test_a_value_is_found_by_itself(cells: DataFlow, row: dict[str, Any]) -> None:
    id = cells.run_sync(cells.nodes.CellCreateNode(**row))["id"]
    document = {name: value for name, value in row.items() if name not in ("document", "sequence")}
    found = cells.run_sync(cells.nodes.CellListNode(filter={"id": id, **document}, count_only=True))
    assert found["count"] == 1
    members = {name: {"$in": [value]} for name, value in document.items()}
    found = cells.run_sync(cells.nodes.CellListNode(filter={"id": id, **members}, count_only=True))
    assert found["count"] == 1


EXTREMES: list[tuple[str, object]] = [
    ("integer", -(2**63)),
    ("integer", 2**63 - 1),
    ("real", float("inf")),
    ("real", -float("inf")),
    ("real", 5e-324),
    ("real", -1.7976931348623157e308),
    ("real", 0.1 + 0.2),
    ("real", 1e16),
    ("real", float(2**63)),
    ("text", ""),
    ("text", " a "),
    ("text", "1"),
    ("text", "1e5"),
    ("text", "\ufeff\u202e\uffff\U0010ffff"),
    ("text", "e\u0301 is not \xe9"),
    ("text", "a\r\nb\tc\x01\x7f\x85\u2028"),
    ("text", "x" * 2_000_000),
    ("blob", b""),
    ("blob", bytes(range(256)) * 5000),
    ("blob", b"NULL"),
    ("amount", Decimal("9" * 1000)),
    ("amount", Decimal("0." + "123456789" * 100)),
    ("amount", Decimal("1E-16383")),
    ("amount", Decimal("1E+131071")),
    ("amount", Decimal("-0.00")),
    ("amount", Decimal("1.10")),
    ("amount", Decimal("1E+5")),
    ("moment", datetime.min.replace(tzinfo=UTC)),
    ("moment", datetime.max.replace(tzinfo=UTC)),
    ("moment", datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    ("moment", datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ("moment", datetime(2024, 3, 31, 2, 30, tzinfo=UTC)),
    ("day", date.min),
    ("day", date.max),
    ("clock", time.min),
    ("clock", time.max),
    ("span", timedelta(microseconds=2**63 - 1)),
    ("span", timedelta(microseconds=-(2**63))),
    ("span", timedelta(microseconds=-1)),
    ("uuid", UUID(int=0)),
    ("uuid", UUID(int=2**128 - 1)),
    ("document", {}),
    ("document", {"": {"": [None, True, False, 0, 0.0, -1e300, "\u2028", "'", '"', "\\", [], {}]}}),
    ("document", {"b": 1, "a": 2, "B": 2**63 - 1, "float": 1.0, "tiny": 5e-324}),
    ("sequence", [[[[[]]]], 1, 1.0, True, None, "1"]),
    ("sequence", []),
    ("color", Color.ODD),
    ("level", Level.LOW),
    ("level", Level.HIGH),
]


@pytest.mark.parametrize(
    ("name", "value"), EXTREMES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(EXTREMES)]
)
def test_extremes_are_stored_exactly(cells: DataFlow, name: str, value: object) -> None:
    created = cells.run_sync(cells.nodes.CellCreateNode(**{name: value}))
    assert same(created[name], value)
    result = cells.run_sync(cells.nodes.CellBulkCreateNode(data=[{name: value}], return_rows=True))["result"]
    assert same(result[0][name], value)
    assert same(cells.run_sync(cells.nodes.CellReadNode(id=created["id"]))[name], value)


def test_any_bits_of_a_float_that_is_a_number_survive(cells: DataFlow) -> None:
    generator = random.Random(7)
    floats = [struct.unpack("d", generator.randbytes(8))[0] for _ in range(3000)]
    floats = [value for value in floats if not math.isnan(value)]
    data = [{"real": value} for value in floats]
    stored = cells.run_sync(cells.nodes.CellBulkCreateNode(data=data, return_rows=True))["result"]
    assert [row["real"] for row in stored] == floats
    least = stored[0]["id"]
    filter = {"id": {"$gte": least}, "real": {"$in": floats}}
    assert cells.run_sync(cells.nodes.CellListNode(filter=filter, count_only=True))["count"] == len(floats)


@pytest.mark.parametrize(
    ("name", "given", "stored"),
    [
        ("real", 3, 3.0),
        ("amount", 3, Decimal(3)),
        ("moment", datetime(2024, 1, 1, 2, tzinfo=EAST), datetime(2023, 12, 31, 12, tzinfo=UTC)),
        ("moment", datetime(2024, 1, 1, 13, tzinfo=WEST), datetime(2024, 1, 2, 1, tzinfo=UTC)),
        ("moment", "2024-01-01T02:00:00+14:00", datetime(2023, 12, 31, 12, tzinfo=UTC)),
        ("day", "2024-02-29", date(2024, 2, 29)),
        ("clock", "23:59:59.5", time(23, 59, 59, 500_000)),
        ("uuid", "00000000-0000-0000-0000-0000000000ff", UUID(int=255)),
        ("color", "red", Color.RED),
        ("level", 2**63 - 1, Level.HIGH),
        ("blob", bytearray(b"x"), b"x"),
    ],
)
def test_what_is_coerced_is_read_back_as_the_type_of_the_field(
    cells: DataFlow, name: str, given: object, stored: object
) -> None:
    assert same(cells.run_sync(cells.nodes.CellCreateNode(**{name: given}))[name], stored)


REFUSED: list[tuple[str, object]] = [
    ("integer", 2**63),
    ("integer", -(2**63) - 1),
    ("integer", 10**400),
    ("integer", True),
    ("integer", 1.0),
    ("integer", "7777123"),
    ("real", math.nan),
    ("real", 2**53 + 1),
    ("real", 10**400),
    ("real", Decimal("7777123.5")),
    ("real", "7777123"),
    ("flag", 1),
    ("flag", "true"),
    ("text", b"7777123"),
    ("text", 7777123),
    ("text", "7777123\0"),
    ("text", "7777123\ud800"),
    ("short", "7777123"),
    ("blob", "7777123"),
    ("amount", 7777123.5),
    ("amount", "7777123"),
    ("amount", Decimal("NaN")),
    ("amount", Decimal("sNaN")),
    ("amount", Decimal("-Infinity")),
    ("amount", Decimal("1E+999999")),
    ("amount", Decimal("1E-999999")),
    ("moment", datetime(7777, 12, 3)),
    ("moment", date(7777, 12, 3)),
    ("moment", "7777-12-03"),
    ("moment", "7777-12-03T01:02:03"),
    ("moment", "7777123"),
    ("moment", datetime.max.replace(tzinfo=WEST)),
    ("moment", datetime.min.replace(tzinfo=EAST)),
    ("moment", 7777123),
    ("day", datetime(7777, 12, 3, tzinfo=UTC)),
    ("day", "7777-12-32"),
    ("clock", time(7, tzinfo=UTC)),
    ("clock", "25:00"),
    ("span", timedelta.max),
    ("span", 7777123),
    ("uuid", "7777123"),
    ("uuid", 7777123),
    ("document", {"a": math.nan}),
    ("document", {"a": [math.inf]}),
    ("document", {7777123: 1}),
    ("document", {"a": Decimal("7777123")}),
    ("document", {"a": "7777123\0"}),
    ("document", {"7777123\ud800": 1}),
    ("document", {"a": 2**63}),
    ("document", {"a": {7777123}}),
    ("document", []),
    ("sequence", {}),
    ("sequence", (7777123,)),
    ("sequence", "7777123"),
    ("color", "7777123"),
    ("level", 7777123),
    ("level", True),
    ("kind", "7777123"),
]


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[DataFlow]:
    """A database that cannot be opened: whatever is refused there was refused before any SQL."""
    with DataFlow(f"sqlite:///{tmp_path}/missing/x.db") as db:
        db.model(Cell)
        yield db


@pytest.mark.parametrize(
    ("name", "value"), REFUSED, ids=[f"{name}-{i}" for i, (name, _) in enumerate(REFUSED)]
)
def test_what_cannot_be_stored_is_refused_before_any_sql_and_not_told(
    nowhere: DataFlow, name: str, value: object
) -> None:
    nodes = nowhere.nodes
    good: dict[str, object] = {"integer": 1}
    calls = [
        nodes.CellCreateNode(**{name: value}),
        nodes.CellUpdateNode(id=1, updates={name: value}),
        nodes.CellUpdateNode(id=1, **{name: value}),
        nodes.CellBulkCreateNode(data=[good] * 3 + [{name: value}], batch_size=1),
    ]
    if name not in ("document", "sequence"):
        calls += [nodes.CellListNode(filter={name: {"$in": [value]}}), nodes.CellReadNode(**{name: value})]
    for call in calls:
        with pytest.raises(InvalidValue, match=rf"Cell\.{name}") as caught:
            nowhere.run_sync(call)
        assert "7777" not in str(caught.value)
        assert caught.value.__cause__ is None
    workflow = WorkflowBuilder(nowhere)
    workflow.add_node("CellCreateNode", "create", {name: value})
    with pytest.raises(WorkflowBuildError, match=rf"Cell\.{name}") as built:
        workflow.build()
    assert "7777" not in str(built.value)


def test_a_bad_row_in_the_middle_is_named_before_the_first_is_sent(nowhere: DataFlow) -> None:
    data: list[dict[str, object]] = [{"real": 1.0} for _ in range(5000)]
    data[3210] = {"real": math.nan}
    with pytest.raises(InvalidValue, match="row 3210"):
        nowhere.run_sync(nowhere.nodes.CellBulkCreateNode(data=data))


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.decimals(), st.datetimes(),
    st.datetimes(timezones=st.sampled_from([UTC, EAST, WEST])), st.dates(), st.times(), st.timedeltas(), st.uuids(),
    st.complex_numbers(), st.lists(st.floats(), max_size=2), st.dictionaries(st.text(), st.text(), max_size=2),
)  # fmt: skip


@settings.get_profile("many")
@example("text", "\ud800")
@example("real", -0.0)
@given(st.sampled_from(sorted(STORABLE)), ANYTHING)
def test_whatever_is_given_is_stored_exactly_or_refused(cells: DataFlow, name: str, value: Any) -> None:
    stored: object = None
    try:
        stored = cells.run_sync(cells.nodes.CellCreateNode(**{name: value}))[name]
    except InvalidValue as error:
        message = str(error)
    else:
        message = ""
    if message:
        assert f"Cell.{name}" in message
        return
    if isinstance(value, type(stored)):
        assert stored == value
    again = cells.run_sync(cells.nodes.CellCreateNode(**{name: stored}))[name]
    assert same(again, stored)
