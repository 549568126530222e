"""The model that tests of aggregations read."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from dataflow import DataFlow

__all__ = [
    "GREATEST",
    "NOTHING_DECLARED",
    "SMALLEST",
    "accumulated",
    "aggregate",
    "define_sale",
    "of_each",
    "sell",
]

GREATEST, SMALLEST = 2**63 - 1, -(2**63)
NOTHING_DECLARED = {"timestamps": False}


def define_sale(db: DataFlow) -> None:
    @db.model
    class Sale:
        region: str | None = None
        product: int = 1
        amount: int | None = None
        price: Decimal | None = None
        weight: float | None = None
        paid: bool = False
        sold_at: datetime | None = None
        took: timedelta = timedelta()
        tags: list[str] = []  # noqa: RUF012 - a model copies it
        __dataflow__: ClassVar = NOTHING_DECLARED


def sell(db: DataFlow, *rows: Mapping[str, Any]) -> None:
    """Make the table, with these rows and no others."""
    define_sale(db)
    db.run_sync(db.nodes.SaleBulkCreateNode(data=list(rows)))


def aggregate(db: DataFlow, *stages: Mapping[str, Any], **parameters: Any) -> list[dict[str, Any]]:
    output = db.run_sync(db.nodes.SaleListNode(aggregate=list(stages), **parameters))
    assert output["count"] == len(output["records"])
    assert output["result"] == output["records"]
    records: list[dict[str, Any]] = output["records"]
    return records


def accumulated(db: DataFlow, accumulator: Mapping[str, Any]) -> Any:
    """What one accumulator makes of all rows."""
    ((_, value),) = aggregate(db, {"$group": {"_id": None, "x": accumulator}}, {"$project": {"_id": 0}})[
        0
    ].items()
    return value


def of_each(column: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    return [{column: value} for value in values]
