# /// seed
# document = "Zero-Config Database Framework"
# section = "Working with Existing Databases"
# supplied = ["the imports", "a URL", "a database with tables"]
# ///
from dataflow import DataFlow
from kailash.workflow.builder import WorkflowBuilder
from kailash.runtime.local import LocalRuntime

# Connect safely to existing database
db = DataFlow(
    database_url="postgresql://user:pass@localhost/existing_db",
    auto_migrate=False,              # Don't modify existing schema
    existing_schema_mode=True        # Extra safety - prevents ALL modifications
)

# Discover existing database structure
schema = db.discover_schema(use_real_inspection=True)
print(f"Found {len(schema)} tables: {list(schema.keys())}")

# Register discovered tables as DataFlow models
result = db.register_schema_as_models(tables=['customers', 'orders'])

print(f"Registered {result['success_count']} models")
print(f"Generated nodes: {result['generated_nodes']}")

# Now you can use the models in workflows
workflow = WorkflowBuilder()
customer_nodes = result['generated_nodes']['customers']

workflow.add_node(customer_nodes['list'], "get_customers", {
    "filter": {"status": "active"},
    "limit": 10
})

runtime = LocalRuntime()
results, run_id = runtime.execute(workflow.build())
