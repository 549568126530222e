"""What SQLite cannot store is refused before any SQL is sent; what it can store is tested in tests/conformance."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from dataflow import DataFlow, WorkflowBuilder
from dataflow.errors import InvalidValue, WorkflowBuildError
from dataflow.testing.conformance.values import Cell

EAST = timezone(timedelta(hours=14))
WEST = timezone(-timedelta(hours=12))

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
    # A filter on a number that no column holds finds nothing.
    is_bound = name == "real" and isinstance(value, float)
    if name not in ("document", "sequence") and not is_bound:
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
