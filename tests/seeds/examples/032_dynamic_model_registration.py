# /// seed
# document = "Zero-Config Database Framework"
# section = "Option 2: Dynamic Model Registration (NEW)"
# supplied = ["the imports", "a URL", "a database with tables"]
# ///
from dataflow import DataFlow
from kailash.workflow.builder import WorkflowBuilder
from kailash.runtime.local import LocalRuntime

# Connect to existing database safely
db = DataFlow(
    database_url="postgresql://user:pass@localhost/existing_db",
    existing_schema_mode=True  # Safe mode - no schema changes
)

# Discover and register existing tables as models
schema = db.discover_schema(use_real_inspection=True)
result = db.register_schema_as_models(tables=['users', 'orders'])

# Use generated nodes immediately (no @db.model needed)
workflow = WorkflowBuilder()
user_nodes = result['generated_nodes']['users']

workflow.add_node(user_nodes['list'], "get_users", {
    "filter": {"active": True},
    "limit": 10
})

runtime = LocalRuntime()
results, run_id = runtime.execute(workflow.build())
