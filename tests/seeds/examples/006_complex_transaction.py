# /// seed
# document = "ADR-003: Workflow-Native Database Operations"
# section = "Complex Transaction"
# supplied = ["model Order", "model Inventory", "model Payment", "rows of Inventory", "nodes of the shop", "parameters for {...}", "the imports", "a run"]
# ///
workflow = WorkflowBuilder()

# Start distributed transaction
workflow.add_node("DistributedTransactionManagerNode", "dtm", {
    "pattern": "saga",
    "timeout": 30
})

# Multiple database operations
workflow.add_node("OrderCreateNode", "order", {...})
workflow.add_node("InventoryUpdateNode", "inventory", {...})
workflow.add_node("PaymentProcessNode", "payment", {...})

# Compensation on failure
workflow.add_node("OrderCancelNode", "cancel_order", {...})
workflow.add_node("InventoryRestoreNode", "restore_inventory", {...})

# Connect with saga pattern
workflow.add_connection("dtm", "order")
workflow.add_connection("order", "inventory",
    condition="status == 'success'")
workflow.add_connection("order", "cancel_order",
    condition="status == 'failed'")
