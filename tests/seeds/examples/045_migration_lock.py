# /// seed
# document = "Zero-Config Database Framework"
# section = "Migration with Lock Management"
# needs = ["dataflow-migrations"]
# ///
from dataflow.migrations.concurrent_access_manager import MigrationLockManager

# Prevent concurrent migrations
lock_manager = MigrationLockManager(connection_manager)

async with lock_manager.acquire_migration_lock(
    lock_scope="schema_modification",
    timeout_seconds=300,
    operation_description="Add status column to users table"
) as migration_lock:
    
    print(f"Migration lock acquired: {migration_lock.lock_id}")
    
    # Execute migration safely - no other migrations can interfere
    migration_result = await execute_your_migration()
    
    print("Migration completed under lock protection")
    # Lock automatically released when context exits
