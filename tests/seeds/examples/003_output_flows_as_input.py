# /// seed
# document = "ADR-003: Workflow-Native Database Operations"
# section = "Decision"
# supplied = ["model Product", "model Inventory", "rows of Inventory", "workflow", "a run"]
# ///
   workflow.add_connection("create", "update", "product_id")
   # Output of create flows as input to update
