"""The examples of the documents run, and do what they say."""

import re
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.errors import WorkflowExecutionError
from dataflow.url import DatabaseURL
from tests.seeds.seed import Seed

SUFFIXES = (
    "Create",
    "Read",
    "Update",
    "Delete",
    "List",
    "BulkCreate",
    "BulkUpdate",
    "BulkDelete",
    "BulkUpsert",
)
ALICE = {"name": "Alice", "email": "alice@example.com", "age": 30}
JOHN = {"name": "John Doe", "email": "john@example.com", "age": 25, "department": "engineering"}


def rows(db: DataFlow, model: str, **parameters: Any) -> list[dict[str, Any]]:
    """What the table of a model holds."""
    records: list[dict[str, Any]] = db.run_sync(getattr(db.nodes, f"{model}ListNode")(**parameters))[
        "records"
    ]
    return records


def has(row: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    return {name: row[name] for name in expected} == expected


def nodes_of(db: DataFlow, model: str) -> list[str]:
    """Which of the nine nodes of a model there are."""
    return [suffix for suffix in SUFFIXES if hasattr(db.nodes, f"{model}{suffix}Node")]


class Product:
    name: str
    price: float
    category: str = ""
    stock: int = 0


class User:
    name: str
    email: str = ""
    age: int = 0
    department: str = ""
    status: str = "active"
    active: bool = True


class OrderItem:
    order_id: int
    product_id: int
    quantity: int
    price: float


def test_001_a_model_has_nine_nodes(seed: Seed) -> None:
    db = seed.database()
    seed.run(db=db)
    assert nodes_of(db, "Product") == list(SUFFIXES)


class Inventory:
    product_id: int
    stock: int


@pytest.mark.parametrize("fails", [False, True])
def test_002_what_is_under_a_transaction_context_happens_together(seed: Seed, fails: bool) -> None:
    db = seed.database(Product, Inventory)
    seed.insert(db, "Inventory", {"product_id": 7, "stock": 5})
    seed.fill({"name": "Pen", "price": 1.5}, {"product_id": 8 if fails else 7, "updates": {"stock": 4}})
    workflow = seed.run()["workflow"]
    if fails:
        with pytest.raises(WorkflowExecutionError, match="rolled back: create"):
            seed.execute(workflow)
    else:
        assert seed.execute(workflow)["tx_context"]["isolation_level"] == "READ_COMMITTED"
    assert [row["stock"] for row in rows(db, "Inventory")] == [5 if fails else 4]
    assert [row["name"] for row in rows(db, "Product")] == ([] if fails else ["Pen"])


def test_003_the_id_of_one_row_selects_another(seed: Seed) -> None:
    db = seed.database(Product, Inventory)
    seed.insert(db, "Inventory", {"product_id": 1, "stock": 5}, {"product_id": 2, "stock": 6})
    workflow = WorkflowBuilder(db)
    workflow.add_node("ProductCreateNode", "create", {"name": "Pen", "price": 1.5})
    workflow.add_node("InventoryUpdateNode", "update", {"updates": {"stock": 4}})
    seed.run(workflow=workflow)
    results = seed.execute(workflow)
    assert results["create"]["product_id"] == 1
    assert [(row["product_id"], row["stock"]) for row in rows(db, "Inventory")] == [(1, 4), (2, 6)]


def test_005_what_was_created_is_read_in_the_same_run(seed: Seed) -> None:
    db = seed.database(Product)
    names = seed.run(Product=Product)
    assert has(names["results"]["verify"], {"found": True, "name": "iPhone 15", "price": 999.99})
    assert len(rows(db, "Product")) == 1


class Order:
    number: int = Field(unique=True)
    item: str = ""


class Payment:
    amount: int


def define_shop(seed: Seed, db: DataFlow) -> None:
    """The nodes of a shop that belong to no model."""

    @db.node(name="PaymentProcessNode")
    def pay(amount: int) -> dict[str, Any]:
        paid = db.run_sync(db.nodes.PaymentCreateNode(amount=amount))
        if amount > 100:
            raise ValueError("the bank refuses it")
        return {"payment": paid["id"]}

    @db.node(name="OrderCancelNode")
    def cancel(number: int) -> dict[str, Any]:
        return {"cancelled": number}

    @db.node(name="InventoryRestoreNode")
    def restore(product_id: int) -> dict[str, Any]:
        ordered = db.run_sync(db.nodes.OrderListNode(count_only=True))["count"]
        left = {"stock": 5 - ordered}
        return db.run_sync(db.nodes.InventoryUpdateNode(product_id=product_id, updates=left))

    @db.node(name="PaymentRefundNode")
    def refund(amount: int) -> dict[str, Any]:
        return {"refunded": amount}

    seed.say("nodes of the shop")


@pytest.mark.parametrize("case", ["all is well", "the order fails", "the payment fails"])
def test_006_an_order_happens_as_a_whole_or_is_cancelled(seed: Seed, case: str) -> None:
    db = seed.database(Order, Inventory, Payment)
    define_shop(seed, db)
    seed.insert(db, "Inventory", {"product_id": 7, "stock": 5})
    taken = case == "the order fails"
    if taken:
        db.run_sync(db.nodes.OrderCreateNode(number=1))
    seed.fill(
        {"number": 1, "item": "Pen"},
        {"product_id": 7, "updates": {"$inc": {"stock": -1}}},
        {"amount": 500 if case == "the payment fails" else 50},
        {"number": 1},
        {"product_id": 7},
    )
    workflow = seed.run()["workflow"]
    if case == "the payment fails":
        with pytest.raises(WorkflowExecutionError, match="rolled back: order, inventory"):
            seed.execute(workflow)
        assert (rows(db, "Order"), rows(db, "Payment")) == ([], [])
    else:
        results = seed.execute(workflow)
        assert results["dtm"]["timeout"] == 30
        assert ("cancel_order" in results, "inventory" in results) == (taken, not taken)
        assert [row["item"] for row in rows(db, "Order")] == ([""] if taken else ["Pen"])
        assert [row["amount"] for row in rows(db, "Payment")] == [50]
    assert [row["stock"] for row in rows(db, "Inventory")] == [5 if case == "the payment fails" else 4]


@pytest.mark.parametrize("fails", [False, True])
def test_010_what_could_not_be_paid_is_refunded(seed: Seed, fails: bool) -> None:
    db = seed.database(Order, Payment)
    define_shop(seed, db)
    workflow = WorkflowBuilder(db)
    workflow.add_node("OrderCreateNode", "order", {"number": 1})
    workflow.add_node("PaymentProcessNode", "payment", {"amount": 500 if fails else 50})
    workflow.add_node("PaymentRefundNode", "refund", {"amount": 500})
    seed.run(workflow=workflow)
    results = seed.execute(workflow)
    assert results.get("refund", {}).get("refunded") == (500 if fails else None)
    # What the payment had written is undone with it, the order stays.
    assert [row["amount"] for row in rows(db, "Payment")] == ([] if fails else [50])
    assert [row["number"] for row in rows(db, "Order")] == [1]


def test_009_a_model_has_nine_nodes(seed: Seed) -> None:
    names = seed.run()
    assert nodes_of(names["db"], "User") == list(SUFFIXES)


def test_012_a_class_with_hints_is_a_table(seed: Seed) -> None:
    db = seed.run()["db"]
    before = datetime.now(UTC)
    user = db.run_sync(db.nodes.UserCreateNode(**ALICE))
    assert has(user, {**ALICE, "active": True, "profile": None})
    assert before <= user["created_at"] <= datetime.now(UTC)
    assert rows(db, "User") == [user["record"]]


def test_015_what_a_workflow_writes_it_lists(seed: Seed) -> None:
    db = seed.database(User)
    names = seed.run()
    (listed,) = names["results"]["list_users"]["records"]
    assert has(listed, {**ALICE, "active": True})
    assert rows(db, "User") == [listed]


def test_016_a_builder_makes_sql_with_parameters(seed: Seed) -> None:
    names = seed.run()
    assert names["params"] == [18, "active"]
    assert "$1" in names["sql"]
    assert "active" not in names["sql"]


def test_018_a_tenant_is_added_to_the_model(seed: Seed) -> None:
    db = seed.run()["db"]
    assert "tenant_id" in db.databases()["primary"].models["Customer"].fields


def test_019_a_monitor_tells_metrics_and_health(seed: Seed) -> None:
    names = seed.run()
    assert names["health"]["status"] == "healthy"


def test_021_a_run_is_a_transaction(seed: Seed) -> None:
    workflow = WorkflowBuilder()
    db = seed.run(workflow=workflow)["db"]
    seed.execute(workflow)
    assert has(rows(db, "User")[0], {"name": "Alice", "email": "alice@example.com"})


def test_022_a_model_is_defined(seed: Seed) -> None:
    db = seed.database()
    seed.run(db=db)
    pen = {"name": "Pen", "price": 1.5, "category": "office", "stock": 3}
    assert has(db.run_sync(db.nodes.ProductCreateNode(**pen)), pen)


def test_023_a_model_is_used(seed: Seed) -> None:
    db = seed.database(Product)
    workflow = WorkflowBuilder(db)
    seed.run(workflow=workflow)
    seed.execute(workflow)
    phone = {"name": "iPhone 15", "price": 999.99, "category": "electronics", "stock": 100}
    assert has(rows(db, "Product")[0], phone)


def test_024_a_run_tells_its_id_and_its_time(seed: Seed, capsys: pytest.CaptureFixture[str]) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node(lambda: {"done": True}, "work")
    names = seed.run(workflow=workflow)
    assert names["results"]["work"]["done"] is True
    assert names["results"]["execution_time"] > 0
    assert re.fullmatch(rf"Workflow {names['run_id']} completed in [\d.e-]+s\n", capsys.readouterr().out)


def test_025_nothing_needs_to_be_configured(seed: Seed) -> None:
    db = seed.run()["db"]
    db.model(User)
    db.run_sync(db.nodes.UserCreateNode(name="Ann"))
    assert [row["name"] for row in rows(db, "User")] == ["Ann"]


def test_026_every_option_has_its_package(seed: Seed) -> None:
    config = seed.run()["db"].config
    assert (config.pool_size, config.pool_max_overflow) == (20, 50)


def test_029_a_model_is_enough(seed: Seed) -> None:
    names = seed.run()
    john = {"name": "John Doe", "email": "john@example.com", "active": True}
    assert has(names["results"]["create_user"], john)
    assert has(rows(names["db"], "User")[0], john)


def test_030_a_model_makes_no_objects(seed: Seed) -> None:
    db = seed.database(User)
    workflow = WorkflowBuilder(db)
    objects, nodes = seed.statements(User=User, workflow=workflow)
    with pytest.raises(TypeError, match="UserCreateNode"):
        objects()
    nodes()
    seed.execute(workflow)
    assert [row["name"] for row in rows(db, "User")] == ["John"]


def test_031_a_filter_finds_what_was_written(seed: Seed) -> None:
    names = seed.run()
    created, listed = names["results"]["create_user"], names["results"]["list_users"]
    assert has(created, JOHN)
    assert listed["records"] == [created["record"]] == rows(names["db"], "User")


def test_033_the_four_nodes_for_one_row(seed: Seed) -> None:
    db = seed.database(User)
    seed.insert(db, "User", {"id": 123, "name": "Ann", "age": 25, "department": "sales"})
    workflow = WorkflowBuilder(db)
    seed.run(workflow=workflow)
    results = seed.execute(workflow)
    assert has(results["create"], {"id": 124, "name": "John", "age": 25})
    assert has(results["read"], {"found": True, "name": "Ann", "age": 25})
    assert has(results["update"], {"id": 123, "age": 26})
    assert has(results["delete"], {"deleted": 1, "id": 123})
    assert [row["id"] for row in rows(db, "User")] == [124]


def test_034_a_filter_joins_conditions(seed: Seed) -> None:
    db = seed.database(User)
    seed.insert(
        db,
        "User",
        {"name": "John", "age": 30, "department": "eng"},
        {"name": "Johnny", "age": 64, "department": "sales", "status": "new"},
        {"name": "John", "age": 18, "department": "eng"},
        {"name": "John", "age": 65, "department": "eng"},
        {"name": "Big John", "age": 30, "department": "eng"},
        {"name": "John", "age": 30, "department": "law"},
        {"name": "John", "age": 30, "department": "eng", "status": "inactive"},
    )
    workflow = WorkflowBuilder(db)
    seed.run(workflow=workflow)
    assert sorted(row["name"] for row in seed.execute(workflow)["list"]["records"]) == ["John", "Johnny"]


def test_035_the_four_nodes_for_many_rows(seed: Seed) -> None:
    class User:
        name: str
        email: str | None = Field(default=None, unique=True)
        age: int = 0
        department: str = ""
        status: str = "active"
        __dataflow__: ClassVar = {"soft_delete": True}

    db = seed.database(User)
    seed.insert(
        db,
        "User",
        {"name": "Cy", "email": "alice@example.com", "age": 40, "department": "law"},
        {"name": "Di", "age": 50, "department": "engineering", "status": "inactive"},
    )
    workflow = WorkflowBuilder(db)
    seed.run(workflow=workflow)
    results = seed.execute(workflow)
    assert results["bulk_create"]["inserted"] == 2
    assert results["bulk_update"]["updated"] == 2
    assert results["bulk_delete"]["deleted"] == 1
    assert has(results["bulk_upsert"], {"inserted": 1, "updated": 1})
    found = {row["name"]: (row["age"], row["email"]) for row in rows(db, "User")}
    assert found == {
        "Alice Updated": (40, "alice@example.com"),
        "Alice": (30, None),
        "Bob": (36, None),
        "New User": (0, "new@example.com"),
    }
    deleted = rows(db, "User", include_deleted=True, filter={"name": "Di"})
    assert [row["age"] for row in deleted] == [51]


TABLES = """
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, active BOOLEAN NOT NULL, created_at DATETIME);
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, total REAL NOT NULL);
    CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL NOT NULL);
    INSERT INTO users VALUES (1, 'Ann', 1, NULL), (2, 'Bob', 0, NULL);
    INSERT INTO customers VALUES (7, 'Cy', 'active'), (8, 'Di', 'gone');
    INSERT INTO orders VALUES (1, 7, 10.5);
"""


def existing(seed: Seed, name: str) -> None:
    """A database with tables that nobody declared."""
    path = seed.url(name).removeprefix("sqlite:///")
    raw = sqlite3.connect(path)
    try:
        raw.executescript(TABLES)
    finally:
        raw.close()
    seed.say("a database with tables")


def test_032_existing_tables_become_models(seed: Seed) -> None:
    existing(seed, "existing_db")
    names = seed.run()
    assert [row["name"] for row in names["results"]["get_users"]["records"]] == ["Ann"]


def test_036_an_existing_database_is_explored(seed: Seed) -> None:
    existing(seed, "existing_db")
    names = seed.run()
    assert names["result"]["success_count"] == 2
    assert [row["name"] for row in names["results"]["get_customers"]["records"]] == ["Cy"]


def test_037_models_are_found_again_in_another_session(seed: Seed) -> None:
    existing(seed, "company_db")
    names = seed.run()
    results, _ = LocalRuntime().execute(names["workflow"].build())
    assert [row["name"] for row in results["active_users"]["records"]] == ["Ann"]


def test_038_an_agent_samples_every_table(seed: Seed, capsys: pytest.CaptureFixture[str]) -> None:
    existing(seed, "unknown_db")
    seed.run()
    assert "sample records" in capsys.readouterr().out


def test_039_no_table_is_made_in_an_existing_schema(seed: Seed) -> None:
    existing(seed, "prod_db")
    names = seed.run()
    assert "NewModel" in names["db_prod"].list_models()


def test_040_the_methods_for_existing_tables(seed: Seed) -> None:
    existing(seed, "it")
    names = seed.run(db=DataFlow(seed.url("it"), existing_schema_mode=True))
    assert names["result"]["registered_models"] == ["User", "Order"]


def test_047_models_choose_their_database(seed: Seed) -> None:
    both, replica, user, event = seed.statements()
    first = both()["db"]
    with replica()["db"] as second:
        assert set(second.config.databases) == {"primary", "read_replica"}
        assert second.run_sync(second.health())["primary"]["ok"]
    seed.say("the first db again, as the second has no analytics")
    user()["db"] = first
    user()
    event()
    first.run_sync(first.nodes.UserCreateNode(name="Ann", email="ann@example.com"))
    first.run_sync(first.nodes.EventCreateNode(user_id=1, action="login"))
    assert {name: list(database.models) for name, database in first.databases().items()} == {
        "primary": ["User"],
        "analytics": ["Event"],
    }
    assert (len(rows(first, "User")), len(rows(first, "Event"))) == (1, 1)


def test_048_an_order_belongs_to_a_tenant(seed: Seed) -> None:
    db = seed.database()
    workflow = WorkflowBuilder(db)
    seed.run(db=db, workflow=workflow)
    assert has(seed.execute(workflow)["create"], {"tenant_id": "tenant_abc", "total": 250.0})


@pytest.mark.parametrize("fails", [False, True])
def test_049_payment_order_and_inventory_are_a_saga(seed: Seed, fails: bool) -> None:
    class Payment:
        order_id: int
        amount: float
        status: str = "charged"

    class Order:
        status: str = "pending"

    db = seed.database(Payment, Order, Inventory)
    seed.insert(db, "Order", {"status": "pending"})
    seed.insert(db, "Inventory", {"product_id": 7, "stock": 5})
    undone = []

    @db.node(name="PaymentRollbackNode")
    def roll_back(id: int) -> None:
        db.run_sync(db.nodes.PaymentUpdateNode(id=id, status="refunded"))
        undone.append("payment")

    @db.node(name="OrderRevertNode")
    def revert(id: int) -> None:
        db.run_sync(db.nodes.OrderUpdateNode(id=id, updates={"status": "pending"}))
        undone.append("order")

    @db.node(name="InventoryRestoreNode")
    def restore(id: int) -> None:
        undone.append("inventory")

    workflow = WorkflowBuilder(db)
    seed.run(workflow=workflow)
    seed.say("functions as types of nodes", "what the steps are given, by the parameters of the run")
    given = {
        "PaymentCreateNode.order_id": 1,
        "PaymentCreateNode.amount": 12.5,
        "OrderUpdateNode.id": 1,
        "OrderUpdateNode.updates": {"status": "paid"},
        "InventoryUpdateNode.product_id": 8 if fails else 7,
        "InventoryUpdateNode.updates": {"$inc": {"stock": -1}},
    }
    if fails:
        with pytest.raises(WorkflowExecutionError, match="InventoryUpdateNode found no row"):
            LocalRuntime().execute(workflow.build(), {"payment_flow": given})
    else:
        results, _ = LocalRuntime().execute(workflow.build(), {"payment_flow": given})
        assert results["payment_flow"]["pattern"] == "saga"
    assert undone == (["order", "payment"] if fails else [])
    assert [row["status"] for row in rows(db, "Payment")] == ["refunded" if fails else "charged"]
    assert [row["status"] for row in rows(db, "Order")] == ["pending" if fails else "paid"]
    assert [row["stock"] for row in rows(db, "Inventory")] == [5 if fails else 4]


def test_050_an_order_gets_its_items_and_its_total(seed: Seed) -> None:
    names = seed.run()
    db, results = names["db"], names["results"]
    id = results["create_order"]["id"]
    assert has(rows(db, "Order")[0], {"id": id, "customer_id": 123, "total": 200.0, "status": "confirmed"})
    items = [
        (row["order_id"], row["product_id"], row["quantity"], row["price"]) for row in rows(db, "OrderItem")
    ]
    assert items == [(id, 1, 2, 50.0), (id, 2, 1, 100.0)]
    assert results["add_items"]["inserted"] == 2
    assert has(results["update_total"], {"order_id": id, "status": "confirmed"})


def test_051_sales_are_counted_and_products_ranked(seed: Seed, capsys: pytest.CaptureFixture[str]) -> None:
    class Order:
        customer_id: int
        total: float
        status: str
        __dataflow__: ClassVar = {"naive_datetimes": "utc"}

    db = seed.database(OrderItem)
    db.model(Order)
    seed.say("model Order, whose naive datetimes are UTC")
    seed.insert(
        db,
        "Order",
        {"customer_id": 1, "total": 1.0, "status": "completed"},
        {"customer_id": 2, "total": 1.0, "status": "pending"},
    )
    sold = [(product, 1) for product in range(12)] + [(3, 5), (7, 2)]
    items = [{"order_id": 1, "product_id": id, "quantity": quantity, "price": 1.0} for id, quantity in sold]
    seed.insert(db, "OrderItem", *items)
    names = seed.run(runtime=LocalRuntime())
    assert [row["customer_id"] for row in names["results"]["today_sales"]["result"]] == [1]
    top = names["results"]["top_products"]["result"]
    assert top[:2] == [{"_id": 3, "sold": 6}, {"_id": 7, "sold": 3}]
    assert [one["sold"] for one in top[2:]] == [1] * 8
    assert capsys.readouterr().out == f"Today's orders: 1\nTop products: {top}\n"


def test_055_passwords_hold_any_character(seed: Seed) -> None:
    names = seed.run()
    urls = map(DatabaseURL.parse, names["connection_examples"])
    assert [(url.password, url.host) for url in urls] == [
        ("MySecret#123$", "localhost"),
        ("P@ssw0rd!", "db.example.com"),
        ("Complex$ecret?", "mysql.internal"),
        ("temp#pass", "replica.host"),
    ]
    assert names["db"].config.database.host == "replica.host"


def test_057_an_encoded_password_is_decoded(seed: Seed) -> None:
    password = seed.run()["password"]
    assert DatabaseURL.parse(f"postgresql://admin:{password}@localhost/db").password == "MySecret#123$"


def test_058_a_password_is_given_as_it_is(seed: Seed) -> None:
    assert seed.run()["db"].config.database.password == "MySecret#123$"


def test_061_the_pipeline_does_what_the_sql_did(seed: Seed) -> None:
    db = seed.database(User)
    ages = [("eng", 30), ("law", 40), ("eng", 50), ("eng", 18), ("art", 10), ("law", 20), ("eng", 19)]
    seed.insert(
        db, "User", *({"name": "x", "department": department, "age": age} for department, age in ages)
    )
    cursor = Cursor(db)
    names = seed.run(cursor=cursor)
    results = seed.execute(names["workflow"])
    by_sql = [{"_id": row["department"], "count": row["count"]} for row in cursor.rows]
    assert (
        results["dept_stats"]["result"] == by_sql == [{"_id": "eng", "count": 3}, {"_id": "law", "count": 2}]
    )


class Cursor:
    """A cursor whose placeholders are %s."""

    def __init__(self, db: DataFlow) -> None:
        self._db = db
        self.rows: list[dict[str, Any]] = []

    def execute(self, sql: str, parameters: tuple[object, ...]) -> None:
        named = {f"p{position}": value for position, value in enumerate(parameters)}
        for name in named:
            sql = sql.replace("%s", f":{name}", 1)
        self.rows = self._db.run_sync(self._db.nodes.SQLNode(sql=sql, parameters=named))["records"]


def test_062_the_filter_does_what_the_query_did(seed: Seed) -> None:
    db = seed.database(User)
    people = [("eng", 30), ("law", 40), ("sales", 50), ("eng", 18)] + [("eng", 20)] * 12
    seed.insert(
        db, "User", *({"name": "x", "department": department, "age": age} for department, age in people)
    )
    _, builder, node = seed.statements()
    seed.say("SQLAlchemy's part left out")
    builder()
    listed = seed.execute(node()["workflow"])["filtered_users"]["records"]
    assert len(listed) == 10
    assert all(row["age"] > 18 and row["department"] in ("eng", "sales") for row in listed)
    assert [row["created_at"] for row in listed] == sorted(
        (row["created_at"] for row in listed), reverse=True
    )
