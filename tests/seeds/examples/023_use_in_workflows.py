# /// seed
# document = "Core Concepts"
# section = "2. Use in Workflows"
# supplied = ["model Product", "workflow", "a run"]
# ///
workflow.add_node("ProductCreateNode", "create_product", {
    "name": "iPhone 15",
    "price": 999.99,
    "category": "electronics",
    "stock": 100
})
