"""How inputs bind to nodes, seen in what the nodes do."""

from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import RecordNotFound, WorkflowBuildError, WorkflowExecutionError


@pytest.fixture(autouse=True)
def three_items(db: DataFlow) -> None:
    rows = [{"name": name, "amount": amount} for name, amount in [("a", 1), ("b", 2), ("c", 3)]]
    db.run_sync(db.nodes.ItemBulkCreateNode(data=rows))


def fed(
    db: DataFlow, type: str, input: str, value: object, parameters: dict[str, object] | None = None
) -> dict[str, Any]:
    """What a node gives when a value comes over a connection."""
    workflow = WorkflowBuilder(db)
    workflow.add_node(lambda: {"value": value}, "source")
    workflow.add_node(type, "node", parameters)
    workflow.add_connection("source", "value", "node", input)
    results, _ = LocalRuntime().execute(workflow.build())
    output: dict[str, Any] = results["node"]
    return output


def amounts(db: DataFlow) -> dict[str, int]:
    rows = db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]
    return {row["name"]: row["amount"] for row in rows}


@pytest.mark.parametrize("key", ["id", "item_id"])
def test_the_key_and_the_models_id_select(key: str, db: DataFlow) -> None:
    assert fed(db, "ItemReadNode", key, 2)["name"] == "b"
    assert fed(db, "ItemUpdateNode", key, 2, {"updates": {"amount": 20}})["amount"] == 20
    assert fed(db, "ItemDeleteNode", key, 3)["deleted"] == 1
    assert amounts(db) == {"a": 1, "b": 20}


def test_a_name_in_the_conditions_comes_first(db: DataFlow) -> None:
    """``:amount`` is a name of the condition, so that it is no new value and no other selector."""
    parameters: dict[str, object] = {"conditions": "id = :amount", "updates": {"name": "z"}}
    assert fed(db, "ItemUpdateNode", "amount", 2, parameters)["name"] == "z"
    assert amounts(db) == {"a": 1, "z": 2, "c": 3}
    assert fed(db, "ItemReadNode", "name", 3, {"conditions": "amount = :name"})["name"] == "c"
    assert fed(db, "ItemReadNode", "id", "c", {"conditions": "name = :id"})["amount"] == 3


def test_a_field_selects_where_nothing_else_does(db: DataFlow) -> None:
    assert fed(db, "ItemReadNode", "name", "b")["id"] == 2
    assert fed(db, "ItemReadNode", "name", "nobody")["found"] is False
    assert fed(db, "ItemDeleteNode", "name", "b") == {"deleted": 1, "id": 2, "result": 1}
    assert fed(db, "ItemUpdateNode", "name", "c", {"updates": {"amount": 30}})["amount"] == 30
    assert amounts(db) == {"a": 1, "c": 30}


def test_a_field_beside_a_selector_is_a_value_for_update(db: DataFlow) -> None:
    assert fed(db, "ItemUpdateNode", "amount", 20, {"id": 2})["amount"] == 20
    assert fed(db, "ItemUpdateNode", "amount", 30, {"conditions": {"name": "c"}})["amount"] == 30
    assert amounts(db) == {"a": 1, "b": 20, "c": 30}


@pytest.mark.parametrize("type", ["ItemReadNode", "ItemDeleteNode"])
def test_a_field_beside_a_selector_is_no_value_for_read_and_delete(type: str, db: DataFlow) -> None:
    with pytest.raises(WorkflowBuildError, match="'amount'"):
        fed(db, type, "amount", 3, {"id": 2})
    assert amounts(db) == {"a": 1, "b": 2, "c": 3}


def test_a_field_is_a_value_for_create(db: DataFlow) -> None:
    assert fed(db, "ItemCreateNode", "amount", 4, {"name": "d"})["amount"] == 4
    assert fed(db, "ItemCreateNode", "id", 77, {"name": "e"})["id"] == 77


def test_a_field_fills_the_rows_of_a_bulk_node_that_lack_it(db: DataFlow) -> None:
    data = [{"name": "d"}, {"name": "e", "amount": 5}, {"name": "f"}]
    output = fed(db, "ItemBulkCreateNode", "amount", 9, {"data": data, "return_rows": True})
    assert [row["amount"] for row in output["result"]] == [9, 5, 9]
    assert data[0] == {"name": "d"}


def test_data_can_be_an_input_beside_a_field(db: DataFlow) -> None:
    fed(db, "ItemBulkCreateNode", "data", [{"name": "d"}, {"name": "e", "amount": 5}], {"amount": 9})
    assert amounts(db) == {"a": 1, "b": 2, "c": 3, "d": 9, "e": 5}


def test_a_filter_can_be_an_input(db: DataFlow) -> None:
    assert fed(db, "ItemListNode", "filter", {"amount": {"$gte": 2}}, {"order_by": ["-id"]})["count"] == 2
    assert fed(db, "ItemListNode", "limit", 1)["count"] == 1


def test_names_of_sql_are_inputs(db: DataFlow) -> None:
    sql = "SELECT name FROM items WHERE amount > :least AND name <> :other ORDER BY id"
    output = fed(db, "SQLNode", "least", 1, {"sql": sql, "parameters": {"other": "c"}})
    assert output["records"] == [{"name": "b"}]


def test_a_model_id_that_is_a_field_is_a_field() -> None:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Order:
            order_id: str
            total: int

        db.run_sync(db.nodes.OrderCreateNode(order_id="X-1", total=5))
        db.run_sync(db.nodes.OrderCreateNode(order_id="X-2", total=6))
        assert fed(db, "OrderReadNode", "order_id", "X-2")["total"] == 6
        assert fed(db, "OrderUpdateNode", "order_id", "X-3", {"id": 2})["order_id"] == "X-3"
        assert db.run_sync(db.nodes.OrderReadNode(id=2))["order_id"] == "X-3"


def test_a_key_of_another_name_answers_to_id_and_the_models_id_too() -> None:
    from typing import Annotated

    from dataflow import Field

    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Country:
            code: Annotated[str, Field(primary_key=True)]
            name: str

        db.run_sync(db.nodes.CountryCreateNode(code="ch", name="Switzerland"))
        for input in ("code", "id", "country_id"):
            assert fed(db, "CountryReadNode", input, "ch")["name"] == "Switzerland"


def test_dotted_outputs_lead_into_rows_and_lists(db: DataFlow) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node("ItemListNode", "all", {"order_by": ["-amount"]})
    for id, path in {"one": "result.0.id", "two": "records.1.id"}.items():
        workflow.add_node("ItemReadNode", id)
        workflow.add_connection("all", path, id, "id")
    workflow.add_node("ItemReadNode", "three")
    workflow.add_connection("one", "three", "record.id", "id")
    results, _ = LocalRuntime().execute(workflow.build())
    assert [results[id]["name"] for id in ("one", "two", "three")] == ["c", "b", "c"]


def test_a_path_that_leads_nowhere_fails_and_tells_how_far_it_led(db: DataFlow) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node("ItemListNode", "all", {"filter": {"name": "nobody"}})
    workflow.add_node("ItemReadNode", "one")
    workflow.add_connection("all", "result.0.id", "one", "id")
    with pytest.raises(WorkflowExecutionError, match=r"result\.0\.id.*0 items") as caught:
        LocalRuntime().execute(workflow.build())
    assert caught.value.node == "one"


def test_an_output_of_a_row_that_was_not_found_is_an_error_that_names_the_source(db: DataFlow) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node("ItemReadNode", "nobody", {"id": 99})
    workflow.add_node("ItemUpdateNode", "change", {"updates": {"amount": 0}})
    workflow.add_connection("nobody", "change", "id")
    with pytest.raises(WorkflowExecutionError, match="'nobody' found no row") as caught:
        LocalRuntime().execute(workflow.build())
    assert isinstance(caught.value.cause, RecordNotFound)
    assert amounts(db) == {"a": 1, "b": 2, "c": 3}


def test_whether_a_row_was_found_can_be_asked(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemReadNode", "read", {"name": "d"})
    builder.add_node("ItemCreateNode", "make", {"name": "d"})
    builder.add_connection("read", "make", condition="not found")
    workflow = builder.build()
    for made in (True, False):
        results, _ = LocalRuntime().execute(workflow)
        assert ("make" in results) is made


def test_the_seeds_three_names_bind_product_id_to_the_condition(db: DataFlow) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node("ItemCreateNode", "create", {"name": "d"})
    workflow.add_node("ItemUpdateNode", "update", {"conditions": "id = :item_id", "updates": {"amount": 4}})
    workflow.add_connection("create", "update", "item_id")
    results, _ = LocalRuntime().execute(workflow.build())
    assert results["update"]["amount"] == 4
    assert amounts(db)["d"] == 4
