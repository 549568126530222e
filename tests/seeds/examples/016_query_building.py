# /// seed
# document = "Core Concepts"
# section = "6. Query Building"
# supplied = ["the imports"]
# ///
from kailash.nodes.data import create_query_builder

# Create query builder
builder = create_query_builder("postgresql")

# Build complex queries
builder.table("users").where("age", "$gt", 18).where("status", "$eq", "active")

# Generate optimized SQL
sql, params = builder.build_select(["name", "email", "created_at"])
