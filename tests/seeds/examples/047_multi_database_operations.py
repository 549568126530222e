# /// seed
# document = "Zero-Config Database Framework"
# section = "Multi-Database Operations"
# supplied = ["the imports", "a URL", "the first db again, as the second has no analytics"]
# ///
# Configure multiple databases
db = DataFlow(
    database_url="postgresql://user:pass@localhost/main",
    analytics_db="postgresql://user:pass@localhost/analytics"
)

# Special characters in passwords are now fully supported (v0.9.4+)
db = DataFlow(
    database_url="postgresql://admin:MySecret#123$@localhost:5432/production",
    read_replica="postgresql://readonly:Complex@Pass!@replica:5432/production"
)

# Models can specify their database
@db.model
class User:
    name: str
    email: str
    __dataflow__ = {"database": "primary"}

@db.model
class Event:
    user_id: int
    action: str
    __dataflow__ = {"database": "analytics"}
