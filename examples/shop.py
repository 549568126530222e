"""A record shop on a database that was there before: models of its tables, and the workflow that sells music.

The tables are those of Chinook, made by somebody else in a style of their own. ``existing_schema_mode``
takes them as they are: nothing is created, nothing is added. The models name the columns that the shop needs.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from dataflow import DataFlow, Field, WorkflowBuilder, node, utcnow


class Customer:
    customer_id: int = Field(column="CustomerId", primary_key=True)
    first_name: str = Field(column="FirstName")
    last_name: str = Field(column="LastName")
    city: str | None = Field(column="City")
    country: str | None = Field(column="Country")
    __dataflow__ = {"table": "Customer"}


class Track:
    track_id: int = Field(column="TrackId", primary_key=True)
    name: str = Field(column="Name")
    composer: str | None = Field(column="Composer")
    unit_price: Decimal = Field(column="UnitPrice")
    __dataflow__ = {"table": "Track"}


class Invoice:
    invoice_id: int = Field(column="InvoiceId", primary_key=True)
    customer_id: int = Field(column="CustomerId")
    placed_at: datetime = Field(column="InvoiceDate", default_factory=utcnow)
    city: str | None = Field(column="BillingCity")
    country: str | None = Field(column="BillingCountry")
    total: Decimal = Field(column="Total", default=Decimal(0))
    __dataflow__ = {"table": "Invoice"}


class InvoiceLine:
    line_id: int = Field(column="InvoiceLineId", primary_key=True)
    invoice_id: int = Field(column="InvoiceId")
    track_id: int = Field(column="TrackId")
    unit_price: Decimal = Field(column="UnitPrice")
    quantity: int = Field(column="Quantity", default=1)
    __dataflow__ = {"table": "InvoiceLine"}


def open_shop(url: str) -> DataFlow:
    """Open a Chinook database; its schema stays as it is."""
    db = DataFlow(url, existing_schema_mode=True)
    for model in (Customer, Track, Invoice, InvoiceLine):
        db.model(model)
    return db


@node(outputs=["paid", "all"])
def fill_basket(tracks: list[dict[str, Any]], bonus: int | None) -> dict[str, Any]:
    """What becomes lines of the invoice: the tracks at their price, and a bonus track for nothing."""
    paid = [{"track_id": track["track_id"], "unit_price": track["unit_price"]} for track in tracks]
    free = [] if bonus is None else [{"track_id": bonus, "unit_price": Decimal(0)}]
    return {"paid": paid, "all": paid + free}


@node(outputs=["total"])
def add_up(lines: list[dict[str, Any]]) -> dict[str, Decimal]:
    """The total of what was stored, to the cent."""
    return {"total": sum((line["unit_price"] * line["quantity"] for line in lines), Decimal(0))}


def sale(db: DataFlow, customer: int, tracks: Sequence[int], bonus: int | None = None) -> WorkflowBuilder:
    """Sell tracks to a customer: a run is one transaction, so the sale happens as a whole or not at all."""
    workflow = WorkflowBuilder(db)

    # What happens, in nodes. Six come with the models; two are the functions above.
    workflow.add_node("CustomerReadNode", "customer", {"id": customer})
    workflow.add_node("TrackListNode", "tracks", {"filter": {"track_id": {"$in": list(tracks)}}})
    workflow.add_node(fill_basket, "basket", {"bonus": bonus})
    workflow.add_node("InvoiceCreateNode", "invoice")
    workflow.add_node("InvoiceLineBulkCreateNode", "lines", {"return_rows": True})
    workflow.add_node(add_up, "sum")
    workflow.add_node("InvoiceUpdateNode", "bill")
    workflow.add_node("InvoiceListNode", "history", {"order_by": ["-placed_at"], "limit": 5})

    # What flows from one to the next. The order follows from it.
    workflow.add_connection("tracks", "records", "basket", "tracks")
    for detail in ("customer_id", "city", "country"):
        workflow.add_connection("customer", "invoice", detail)
    workflow.add_connection("basket", "all", "lines", "data")
    workflow.add_connection("invoice", "lines", "invoice_id")
    workflow.add_connection("lines", "result", "sum", "lines")
    workflow.add_connection("invoice", "bill", "invoice_id")
    workflow.add_connection("sum", "bill", "total")
    workflow.add_connection("bill", "history", "customer_id")
    return workflow


def apologise(reason: str) -> str:
    """A note for the shop's desk; what a function returns is the result of its node."""
    return f"Sold without the bonus track: {reason}."


def forgiving_sale(
    db: DataFlow, customer: int, tracks: Sequence[int], bonus: int | None = None
) -> WorkflowBuilder:
    """The same sale, with a way out: where the lines cannot be stored, it goes on without the bonus track."""
    workflow = sale(db, customer, tracks, bonus)
    workflow.add_node("InvoiceLineBulkCreateNode", "paid_lines", {"return_rows": True})
    workflow.add_node(apologise, "apology")

    # A node that has an edge for its failure runs in a savepoint: if it fails, only its own work is undone.
    workflow.add_connection("lines", "error", "apology", "reason", condition="status == 'failed'")
    workflow.add_connection("apology", "paid_lines")
    workflow.add_connection("basket", "paid", "paid_lines", "data")
    workflow.add_connection("invoice", "paid_lines", "invoice_id")
    workflow.add_connection("paid_lines", "result", "sum", "lines")  # instead of those that failed
    return workflow
