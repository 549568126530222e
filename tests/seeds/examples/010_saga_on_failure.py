# /// seed
# document = "Implementation Summary"
# section = "2. Enterprise Workflows"
# supplied = ["model Order", "model Payment", "nodes of the shop", "workflow", "a run"]
# ///
# Distributed transaction with Saga pattern
workflow.add_node("DistributedTransactionManagerNode", "saga", {
    "pattern": "saga",
    "timeout": 60
})

# Automatic compensation on failure
workflow.add_connection("payment", "refund",
    condition="status == 'failed'")
