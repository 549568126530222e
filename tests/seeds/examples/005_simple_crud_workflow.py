# /// seed
# document = "ADR-003: Workflow-Native Database Operations"
# section = "Simple CRUD Workflow"
# supplied = ["model Product", "the imports"]
# ///
workflow = Product.create_workflow()
workflow.add_node("ProductCreateNode", "create", {
    "name": "iPhone 15",
    "price": 999.99
})
workflow.add_node("ProductReadNode", "verify", {
    "conditions": "id = :product_id"
})
workflow.add_connection("create", "verify", "id", "product_id")

runtime = LocalRuntime()
results, run_id = runtime.execute(workflow.build())
