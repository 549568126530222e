# /// seed
# document = "Core Concepts"
# section = "DataFlow Approach"
# supplied = ["the imports", "workflow", "a run"]
# ///
# DataFlow
from kailash_dataflow import DataFlow

db = DataFlow()

@db.model
class User:
    name: str
    email: str

# Automatic transaction management in workflow
workflow.add_node("UserCreateNode", "create_user", {
    "name": "Alice",
    "email": "alice@example.com"
})
