# /// seed
# document = "Zero-Config Database Framework"
# section = "Safe Database Connection Modes"
# supplied = ["the imports", "a URL", "a database with tables"]
# ///
# Development Mode - Full auto-migration
db_dev = DataFlow(
    database_url="postgresql://user:pass@localhost/dev_db",
    auto_migrate=True,           # Create/modify tables as needed
    existing_schema_mode=False   # Allow schema changes
)

# Production Mode - Read existing schema only
db_prod = DataFlow(
    database_url="postgresql://user:pass@localhost/prod_db",
    auto_migrate=False,          # No automatic migrations
    existing_schema_mode=True    # Prevent ALL schema modifications
)

# Even if you accidentally define a new model, no tables will be created
@db_prod.model  
class NewModel:
    name: str
    value: int

# Model is registered locally but NO table created in database
assert 'NewModel' in db_prod.list_models()  # ✓ Local registration
schema = db_prod.discover_schema(use_real_inspection=True)
assert 'new_models' not in schema  # ✓ No table in database
