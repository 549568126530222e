# /// seed
# document = "Core Concepts"
# section = "7. Caching Layer"
# supplied = ["the imports"]
# needs = ["dataflow-cache"]
# ///
from kailash.nodes.data import create_query_cache

# Create cache
cache = create_query_cache("redis://localhost:6379")

# Cache query results
cached_result = cache.get_or_execute(
    key="active_users",
    query_func=lambda: get_active_users(),
    ttl=300  # 5 minutes
)
