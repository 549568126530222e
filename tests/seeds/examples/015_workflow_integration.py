# /// seed
# document = "Core Concepts"
# section = "4. Workflow Integration"
# supplied = ["the imports", "model User"]
# ///
from kailash.workflow.builder import WorkflowBuilder
from kailash.runtime.local import LocalRuntime

# Create workflow
workflow = WorkflowBuilder()

# Add database operations as nodes
workflow.add_node("UserCreateNode", "create_user", {
    "name": "Alice",
    "email": "alice@example.com",
    "age": 30
})

workflow.add_node("UserListNode", "list_users", {
    "filter": {"active": True},
    "order_by": ["-created_at"],
    "limit": 10
})

# Execute workflow
runtime = LocalRuntime()
results, run_id = runtime.execute(workflow.build())
