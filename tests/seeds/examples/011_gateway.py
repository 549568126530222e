# /// seed
# document = "Implementation Summary"
# section = "3. Gateway Integration"
# needs = ["a gateway: no package yet"]
# ///
app = create_gateway(
    database_url=db.config.database.get_connection_url(),
    enable_monitoring=True
)

# DataFlow models automatically available in API
