# /// seed
# document = "Zero-Config Database Framework"
# section = "Cross-Session Model Sharing"
# supplied = ["the imports", "a URL", "a database with tables"]
# ///
# === SESSION 1: Data Engineer discovers and registers models ===
db_engineer = DataFlow(
    database_url="postgresql://user:pass@localhost/company_db",
    existing_schema_mode=True
)

# Engineer discovers and registers models for the team
schema = db_engineer.discover_schema(use_real_inspection=True)
result = db_engineer.register_schema_as_models(
    tables=['users', 'products', 'orders']
)
print(f"Team models registered: {result['registered_models']}")

# === SESSION 2: Developer uses registered models ===
db_developer = DataFlow(
    database_url="postgresql://user:pass@localhost/company_db",
    existing_schema_mode=True
)

# Developer reconstructs models from registry (no @db.model needed)
models = db_developer.reconstruct_models_from_registry()
print(f"Available models: {models['reconstructed_models']}")

# Developer can now build workflows immediately
workflow = WorkflowBuilder()
user_nodes = models['generated_nodes']['users']

workflow.add_node(user_nodes['list'], "active_users", {
    "filter": {"active": True},
    "order_by": ["-created_at"],
    "limit": 20
})
