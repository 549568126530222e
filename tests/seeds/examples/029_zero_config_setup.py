# /// seed
# document = "Zero-Config Database Framework"
# section = "Why Workflow-Native?"
# supplied = ["the imports", "a URL"]
# ///
# DataFlow - @db.model decorator generates 9 nodes automatically
from dataflow import DataFlow
from kailash.workflow.builder import WorkflowBuilder
from kailash.runtime.local import LocalRuntime

# Zero-config setup
db = DataFlow("postgresql://user:password@localhost/database")

# Automatic node generation from model
@db.model
class User:
    name: str
    email: str
    active: bool = True

# Generated nodes: UserCreateNode, UserReadNode, UserUpdateNode, UserDeleteNode,
# UserListNode, UserBulkCreateNode, UserBulkUpdateNode, UserBulkDeleteNode, UserBulkUpsertNode

# Use in workflows
workflow = WorkflowBuilder()
workflow.add_node("UserCreateNode", "create_user", {
    "name": "John Doe", 
    "email": "john@example.com"
})

runtime = LocalRuntime()
results, run_id = runtime.execute(workflow.build())
