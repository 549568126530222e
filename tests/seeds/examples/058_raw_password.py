# /// seed
# document = "Zero-Config Database Framework"
# section = "Password Special Characters"
# supplied = ["the imports"]
# ///
# Just use the password directly - enhanced in v0.4.0 with better type casting
db = DataFlow(database_url="postgresql://admin:MySecret#123$@localhost/db")
