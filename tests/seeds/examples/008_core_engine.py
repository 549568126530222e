# /// seed
# document = "Implementation Summary"
# section = "Core Engine (`core/engine.py`)"
# illustrates = "a list of names, not Python"
# ///
# Composes these Kailash components:
- WorkflowConnectionPool          # Connection management
- AsyncSQLDatabaseNode            # Query execution
- BulkCreateNode, BulkUpdateNode  # High-performance bulk operations
- ResourceRegistry                # Resource lifecycle
- TransactionContextNode          # Workflow transaction coordination
- TransactionMonitorNode          # Real-time monitoring
- DistributedTransactionManagerNode # Distributed transactions
- MigrationRunner                 # Schema evolution
