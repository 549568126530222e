"""What is written is read back equal and of the same type, or it is refused before anything is sent."""

import asyncio
import math
import random
import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from itertools import count
from typing import Any, ClassVar, Literal
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataflow import AsyncLocalRuntime, DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import InvalidValue
from dataflow.model.schema import Model
from dataflow.testing.examples import FEW, MANY
from dataflow.testing.oracle.values import assert_same, same
from dataflow.testing.strategies.models import models
from dataflow.testing.strategies.values import EXTREMES, Odd, rows, storable
from dataflow.testing.suite import requires

__all__ = ["ValueTests"]

EAST = timezone(timedelta(hours=14))
WEST = timezone(-timedelta(hours=12))


class Level(IntEnum):
    LOW = -(2**63)
    HIGH = 2**63 - 1


class Color(Enum):
    RED = "red"


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
    odd: Odd | None
    color: Color | None
    level: Level | None
    kind: Literal["a", "b"] | None
    __dataflow__: ClassVar = {"timestamps": False}


COLUMN_OF: dict[type, str] = {
    int: "integer",
    float: "real",
    str: "text",
    bytes: "blob",
    Decimal: "amount",
    datetime: "moment",
    date: "day",
    time: "clock",
    timedelta: "span",
    UUID: "uuid",
    dict: "document",
    list: "sequence",
    Odd: "odd",
}

COERCED: dict[str, tuple[str, object, object]] = {
    "float of an int": ("real", 3, 3.0),
    "decimal of an int": ("amount", 3, Decimal(3)),
    "moment in the east": (
        "moment",
        datetime(2024, 1, 1, 2, tzinfo=EAST),
        datetime(2023, 12, 31, 12, tzinfo=UTC),
    ),
    "moment in the west": (
        "moment",
        datetime(2024, 1, 1, 13, tzinfo=WEST),
        datetime(2024, 1, 2, 1, tzinfo=UTC),
    ),
    "moment of a text": (
        "moment",
        "2024-01-01T02:00:00+14:00",
        datetime(2023, 12, 31, 12, tzinfo=UTC),
    ),
    "day of a text": ("day", "2024-02-29", date(2024, 2, 29)),
    "time of a text": ("clock", "23:59:59.5", time(23, 59, 59, 500_000)),
    "uuid of a text": ("uuid", "00000000-0000-0000-0000-0000000000ff", UUID(int=255)),
    "member of its value": ("color", "red", Color.RED),
    "member of a number": ("level", 2**63 - 1, Level.HIGH),
    "bytes of a bytearray": ("blob", bytearray(b"x"), b"x"),
}

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.decimals(), st.datetimes(),
    st.datetimes(timezones=st.sampled_from([UTC, EAST, WEST])), st.dates(), st.times(), st.timedeltas(), st.uuids(),
    st.complex_numbers(), st.lists(st.floats(), max_size=2), st.dictionaries(st.text(), st.text(), max_size=2),
)  # fmt: skip
NAMES = sorted(set(Cell.__annotations__) - {"__dataflow__"})


class ValueTests:
    """Values of every type come back as they went in."""

    @FEW
    @given(st.data())
    def test_a_generated_row_survives_every_way_in_and_out(self, db: DataFlow, data: st.DataObject) -> None:
        cells = rows(define_cells(db))
        row, other = data.draw(cells), data.draw(cells)
        nodes = db.nodes
        created = db.run_sync(nodes.CellCreateNode(**row))
        id = created["id"]
        assert_same(created, row)
        assert_same(db.run_sync(nodes.CellReadNode(id=id)), row)

        async def update() -> Any:
            return await nodes.CellUpdateNode(id=id, updates=other)

        workflow = WorkflowBuilder(db)
        workflow.add_node(
            "CellBulkCreateNode", "bulk", {"data": [other, row], "return_rows": True, "batch_size": 1}
        )
        workflow.add_node("CellReadNode", "read", {"id": id})
        workflow.add_node("CellListNode", "list", {"order_by": ["-id"], "limit": 2})
        workflow.add_node("CellUpdateNode", "update", {"id": id, **row})
        built = workflow.build()
        with asyncio.Runner() as runner:
            assert_same(runner.run(update()), other)
            for execute in (
                LocalRuntime().execute,
                lambda flow: runner.run(AsyncLocalRuntime().execute(flow)),
            ):
                results, _ = execute(built)
                for read, written in zip(results["bulk"]["result"], [other, row], strict=True):
                    assert_same(read, written)
                assert_same(results["read"], other)
                for read, written in zip(results["list"]["records"], [row, other], strict=True):
                    assert_same(read, written)
                assert_same(results["update"], row)
                db.run_sync(nodes.CellUpdateNode(id=id, updates=other))

    @FEW
    @given(st.data())
    def test_a_generated_value_is_found_by_itself(self, db: DataFlow, data: st.DataObject) -> None:
        row = data.draw(rows(define_cells(db)))
        id = db.run_sync(db.nodes.CellCreateNode(**row))["id"]
        scalars = {name: value for name, value in row.items() if name not in ("document", "sequence")}
        found = db.run_sync(db.nodes.CellListNode(filter={"id": id, **scalars}, count_only=True))
        assert found["count"] == 1
        members = {name: {"$in": [value]} for name, value in scalars.items()}
        found = db.run_sync(db.nodes.CellListNode(filter={"id": id, **members}, count_only=True))
        assert found["count"] == 1

    @FEW
    @given(st.data())
    def test_a_generated_model_keeps_its_generated_rows(self, db: DataFlow, data: st.DataObject) -> None:
        name = f"Model{next(NUMBERS)}"
        model: Any = db.model(data.draw(models(name)))
        written = data.draw(st.lists(rows(model.__dataflow_model__), min_size=1, max_size=5))
        bulk, read = getattr(db.nodes, f"{name}BulkCreateNode"), getattr(db.nodes, f"{name}ListNode")
        stored = db.run_sync(bulk(data=written, return_rows=True))["result"]
        listed = db.run_sync(read(order_by=["id"]))["records"]
        for records in (stored, listed):
            for record, row in zip(records, written, strict=True):
                assert_same(record, row)

    @pytest.mark.parametrize("extreme", EXTREMES)
    def test_an_extreme_value_is_stored_exactly_or_refused(self, db: DataFlow, extreme: str) -> None:
        model, value = define_cells(db), EXTREMES[extreme]
        name = COLUMN_OF[type(value)]
        if not storable(model.fields[name].type, value):
            with pytest.raises(InvalidValue, match=f"Cell.{name}"):
                db.run_sync(db.nodes.CellCreateNode(**{name: value}))
            return
        created = db.run_sync(db.nodes.CellCreateNode(**{name: value}))
        assert same(created[name], value)
        bulk = db.run_sync(db.nodes.CellBulkCreateNode(data=[{name: value}], return_rows=True))
        assert same(bulk["result"][0][name], value)
        assert same(db.run_sync(db.nodes.CellReadNode(id=created["id"]))[name], value)

    @requires(Capability.KEY_ORDER)
    def test_the_keys_of_a_dict_keep_their_order(self, db: DataFlow) -> None:
        define_cells(db)
        document = {"bb": {"b": 1, "a": 2}, "a": [{"z": 1, "y": 2}], "B": None}
        db.run_sync(db.nodes.CellBulkCreateNode(data=[{"document": document}]))
        stored = db.run_sync(db.nodes.CellListNode())["records"][0]["document"]
        assert str(stored) == str(document)

    @pytest.mark.parametrize("level", Level)
    def test_members_of_numbers_are_stored_exactly(self, db: DataFlow, level: Level) -> None:
        define_cells(db)
        created = db.run_sync(db.nodes.CellCreateNode(level=level))
        assert same(db.run_sync(db.nodes.CellReadNode(id=created["id"]))["level"], level)

    def test_any_bits_of_a_float_that_is_a_number_survive(self, db: DataFlow) -> None:
        define_cells(db)
        generator = random.Random(7)
        floats = [struct.unpack("d", generator.randbytes(8))[0] for _ in range(3000)]
        floats = [value for value in floats if not math.isnan(value)]
        data = [{"real": value} for value in floats]
        stored = db.run_sync(db.nodes.CellBulkCreateNode(data=data, return_rows=True))["result"]
        assert [row["real"] for row in stored] == floats
        filter = {"real": {"$in": floats}}
        assert db.run_sync(db.nodes.CellListNode(filter=filter, count_only=True))["count"] == len(floats)

    @requires(Capability.NAN)
    def test_nan_is_stored(self, db: DataFlow) -> None:
        define_cells(db)
        assert math.isnan(db.run_sync(db.nodes.CellCreateNode(real=math.nan))["real"])

    @pytest.mark.parametrize("case", COERCED)
    def test_what_is_coerced_is_read_back_as_the_type_of_the_field(self, db: DataFlow, case: str) -> None:
        define_cells(db)
        name, given, stored = COERCED[case]
        created = db.run_sync(db.nodes.CellCreateNode(**{name: given}))
        assert same(created[name], stored)
        assert same(db.run_sync(db.nodes.CellReadNode(id=created["id"]))[name], stored)

    @MANY
    @example("text", "\ud800")
    @example("real", -0.0)
    @given(st.sampled_from(NAMES), ANYTHING)
    def test_any_generated_value_is_stored_exactly_or_refused(
        self, db: DataFlow, name: str, value: Any
    ) -> None:
        define_cells(db)
        refusal, stored = "", None
        try:
            stored = db.run_sync(db.nodes.CellCreateNode(**{name: value}))[name]
        except InvalidValue as error:
            refusal = str(error)
        if refusal:
            assert f"Cell.{name}" in refusal
        elif stored == stored:
            assert stored == value or not isinstance(value, type(stored))
            again = db.run_sync(db.nodes.CellCreateNode(**{name: stored}))[name]
            assert same(again, stored)


NUMBERS = count(1)


def define_cells(db: DataFlow) -> Model:
    """The model as the database has it; defined once, as one database serves many examples."""
    databases = db.databases()
    if "Cell" not in db.list_models():
        db.model(Cell)
    return databases["primary"].models["Cell"]
