"""A model with a field of every kind, whose rows tests order and filter."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, ClassVar, Literal
from uuid import UUID

from dataflow import DataFlow, Field
from dataflow.model.declare import declare

__all__ = ["MODEL", "REQUIRED", "Color", "Document", "Level", "Row", "Thing", "stored"]

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


MODEL = declare(Thing, implied=True)
REQUIRED = ("whole", "word", "level")


def stored(db: DataFlow, rows: Sequence[Row]) -> list[Row]:
    """Replace all rows by these; they get the keys 1, 2, ..."""
    db.run_sync(db.nodes.SQLNode(sql="DELETE FROM things"))
    keyed: list[Row] = [{"id": number, **row} for number, row in enumerate(rows, start=1)]
    db.run_sync(db.nodes.ThingBulkCreateNode(data=keyed))
    return keyed
