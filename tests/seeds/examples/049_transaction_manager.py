# /// seed
# document = "Zero-Config Database Framework"
# section = "Transaction Management"
# supplied = ["functions as types of nodes", "model Inventory", "model Order", "model Payment", "rows of Inventory", "rows of Order", "what the steps are given, by the parameters of the run", "workflow"]
# ///
# Distributed transactions
workflow.add_node("TransactionManagerNode", "payment_flow", {
    "transaction_type": "saga",
    "steps": [
        {"node": "PaymentCreateNode", "compensation": "PaymentRollbackNode"},
        {"node": "OrderUpdateNode", "compensation": "OrderRevertNode"},
        {"node": "InventoryUpdateNode", "compensation": "InventoryRestoreNode"}
    ],
    "timeout": 30
})
