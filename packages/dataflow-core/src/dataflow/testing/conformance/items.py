"""The model that tests of runs and transactions write to."""

from typing import ClassVar

from dataflow import DataFlow, Field

__all__ = ["define_item", "names"]


def define_item(db: DataFlow) -> None:
    """Define Item once, as one database may serve many examples."""
    if "Item" in db.list_models():
        return

    @db.model
    class Item:
        name: str
        amount: int = 0
        code: str | None = Field(unique=True)
        __dataflow__: ClassVar = {"timestamps": False}


def names(db: DataFlow) -> list[str]:
    """The items that are there, in the order in which they were made."""
    return [row["name"] for row in db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]]
