"""The only holders of connections: pools, transactions, the execution of statements."""
