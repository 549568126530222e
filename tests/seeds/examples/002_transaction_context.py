# /// seed
# document = "ADR-003: Workflow-Native Database Operations"
# section = "Decision"
# supplied = ["model Product", "model Inventory", "rows of Inventory", "parameters for {...}", "the imports", "a run"]
# ///
workflow = WorkflowBuilder()
# Automatic transaction management with high-level abstraction
workflow.add_node("TransactionContextNode", "tx_context", {
    "isolation_level": "READ_COMMITTED",
    "timeout": 30
})
workflow.add_node("ProductCreateNode", "create", {...})
workflow.add_node("InventoryUpdateNode", "update", {...})
# Automatic commit/rollback based on success/failure
