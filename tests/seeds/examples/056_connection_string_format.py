# /// seed
# document = "Zero-Config Database Framework"
# section = "Connection String Format"
# illustrates = "three forms of URLs, not Python"
# ///
# Standard format
scheme://[username[:password]@]host[:port]/database[?param1=value1&param2=value2]

# Examples
postgresql://username:password@localhost:5432/database_name
mysql://user:pass@host:3306/db_name?charset=utf8mb4
sqlite:///path/to/database.db
