"""From tables to models without a database: names, and what an oddity of one table means for the others."""

from collections.abc import Mapping
from typing import Any

import pytest

from dataflow.catalog import CatalogColumn, CatalogReference, CatalogTable, by_itself
from dataflow.discovery.models import Place
from dataflow.discovery.names import class_names, labels
from dataflow.discovery.registration import GeneratedNodes, models_of, register
from dataflow.model.schema import Model
from dataflow.nodes.contract import Node
from dataflow.types import ColumnType, Kind

ID = CatalogColumn("id", "integer", ColumnType(Kind.INTEGER, int), nullable=False)


def table(name: str, *, schema: str = "", key: tuple[str, ...] = ("id",)) -> CatalogTable:
    return CatalogTable(name, "table", (ID,), schema, key=key)


def place_of(*tables: CatalogTable) -> Place:
    known = labels(tables)
    return Place("primary", "sqlite:///shop.db", known, class_names(known), makes_keys=True)


def named(*names: str, known: Mapping[str, str] | None = None) -> Mapping[str, str]:
    return class_names(labels(map(table, names)), known or {})


def test_a_table_in_the_singular_keeps_its_name() -> None:
    assert named("Categories", "Category") == {"Categories": "Categories", "Category": "Category"}
    assert named("People", "Person", "people") == {
        "People": "People",
        "Person": "Person",
        "people": "Person2",
    }


def test_no_class_is_called_as_another_table() -> None:
    for tables in (("Orders", "orders"), ("Categories", "categories", "Category"), ("A", "As", "as")):
        names = named(*tables)
        assert len({name.casefold() for name in names.values()}) == len(tables)
        assert all(name == label for label, name in names.items() if name in tables)


def test_a_name_stays_with_its_table_when_others_come() -> None:
    known = {"orders": "Order", "gone": "Item"}
    assert named("Order", "orders", "items", known=known) == {
        "Order": "Order2",
        "items": "Items",
        "orders": "Order",
    }


def test_no_two_nodes_are_called_alike() -> None:
    assert named("orders", "order_bulk") == {"order_bulk": "OrderBulkTable", "orders": "Order"}


def test_an_oddity_of_one_table_is_its_reason_and_keeps_no_other_from_its_model(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unheard_of: Any = "?"
    odd = CatalogTable("odd", "table", (ID._replace(name="a", logical=unheard_of),), key=("a",))
    place = place_of(table("first"), odd, table("zoo"))

    def adopt(model: Model) -> Mapping[str, Node]:
        if model.name == "Zoo":
            raise RuntimeError("an animal")
        return {}

    done = register(place, place.tables, adopt)
    assert list(done.models) == ["first"]
    assert set(done.errors) == {"odd", "zoo"}
    assert "RuntimeError" in done.errors["zoo"]
    assert "an animal" not in done.errors["zoo"]
    assert {record.name for record in caplog.records} == {"dataflow.discovery"}


def test_a_table_that_cannot_be_described_is_there_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def describe() -> CatalogTable:
        raise KeyError("x")

    odd = by_itself("odd", "sales", describe)
    assert (odd.label, odd.columns) == ("sales.odd", ())
    models, errors = models_of(place_of(odd, table("users")), ["sales.odd", "users"])
    assert list(models) == ["users"]
    assert "does not understand" in errors["sales.odd"]
    assert caplog.records


def test_a_foreign_key_refers_to_the_table_that_it_names() -> None:
    """And to no other whose name looks like the schema and the name of that."""
    reference = CatalogReference("", ("id",), "sales", "orders", ("id",))
    place = place_of(table("sales.orders"), table("orders", schema="sales"))
    assert place.names == {"sales.orders": "SalesOrder", '"sales"."orders"': "Order"}
    assert place.target(reference) == ("Order", ("id",))


def test_generated_nodes_answer_to_the_table_and_to_the_class() -> None:
    nodes = GeneratedNodes({"Order": {}, "Category": {}}, {"orders": "Order", "Categories": "Category"})
    assert nodes["orders"] is nodes["Order"]
    assert "Categories" in nodes
    assert nodes.get("nothing") is None
