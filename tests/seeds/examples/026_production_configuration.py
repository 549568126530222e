# /// seed
# document = "Core Concepts"
# section = "Production Configuration"
# supplied = ["the imports"]
# needs = ["dataflow-tenancy", "dataflow-cache", "monitoring and security: no package yet"]
# ///
# Full configuration
db = DataFlow(
    database_url="postgresql://user:pass@localhost/db",
    pool_size=20,
    pool_max_overflow=50,
    monitoring=True,
    multi_tenant=True,
    cache_enabled=True,
    security_enabled=True
)
