# /// seed
# document = "Zero-Config Database Framework"
# section = "Key API Methods"
# supplied = ["the imports", "a URL", "db", "a database with tables"]
# ///
# Schema Discovery
schema = db.discover_schema(use_real_inspection=True)
# Returns: Dict[str, Dict] - Complete table structure with columns, types, constraints

# Dynamic Model Registration  
result = db.register_schema_as_models(tables=['users', 'orders'])
# Returns: {
#   'registered_models': ['User', 'Order'],
#   'generated_nodes': {
#     'User': {'create': 'UserCreateNode', 'list': 'UserListNode', ...},
#     'Order': {'create': 'OrderCreateNode', 'list': 'OrderListNode', ...}
#   },
#   'success_count': 2,
#   'error_count': 0
# }

# Cross-Session Model Reconstruction
models = db.reconstruct_models_from_registry()
# Returns: {
#   'reconstructed_models': ['User', 'Order'],
#   'generated_nodes': {...},
#   'success_count': 2
# }

# Model Persistence Control
db = DataFlow(
    database_url="...",
    enable_model_persistence=True,  # Default: saves models to registry
    existing_schema_mode=True       # Safety: prevents schema changes
)
