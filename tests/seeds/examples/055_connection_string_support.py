# /// seed
# document = "Zero-Config Database Framework"
# section = "Connection String Support"
# supplied = ["the imports"]
# ///
# Supports complex passwords with special characters
connection_examples = [
    "postgresql://admin:MySecret#123$@localhost:5432/mydb",
    "postgresql://user:P@ssw0rd!@db.example.com:5432/production", 
    "mysql://service:Complex$ecret?@mysql.internal:3306/analytics",
    "postgresql://readonly:temp#pass@replica.host:5432/reports"
]

# All these connection strings work seamlessly
for conn_str in connection_examples:
    db = DataFlow(database_url=conn_str)
    # DataFlow automatically handles URL encoding/decoding
