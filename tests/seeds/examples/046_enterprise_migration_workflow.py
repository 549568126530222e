# /// seed
# document = "Zero-Config Database Framework"
# section = "Complete Enterprise Migration Workflow"
# needs = ["dataflow-migrations"]
# ///
async def enterprise_migration_workflow(
    operation_type: str,
    table_name: str,
    migration_details: dict
):
    """Complete enterprise migration with all safety systems."""
    
    # Step 1: Risk Assessment
    risk_engine = RiskAssessmentEngine(connection_manager)
    risk_assessment = await risk_engine.assess_operation_risk(
        operation_type, table_name, **migration_details
    )
    
    # Step 2: Generate Mitigation Strategies  
    mitigation_engine = MitigationStrategyEngine(risk_engine)
    mitigation_plan = await mitigation_engine.generate_mitigation_plan(risk_assessment)
    
    # Step 3: Create Staging Environment
    staging_manager = StagingEnvironmentManager(connection_manager)
    staging_env = await staging_manager.create_staging_environment(
        f"migration_{int(time.time())}"
    )
    
    try:
        # Step 4: Test in Staging
        staging_test = await staging_manager.test_migration_in_staging(
            staging_env, migration_details
        )
        
        if not staging_test.success:
            return {"success": False, "reason": "Staging test failed"}
        
        # Step 5: Execute with Lock Protection
        lock_manager = MigrationLockManager(connection_manager)
        
        async with lock_manager.acquire_migration_lock(
            "table_modification", timeout_seconds=600
        ):
            # Step 6: Multi-stage Validation
            validator = ValidationCheckpointManager(connection_manager)
            
            result = await validator.execute_with_validation(
                migration_operation=lambda: execute_actual_migration(
                    operation_type, table_name, migration_details
                ),
                checkpoints=[
                    {"stage": "pre", "validators": ["integrity", "fk_consistency"]},
                    {"stage": "post", "validators": ["data_integrity", "performance"]}
                ],
                rollback_on_failure=True
            )
            
            return {"success": result.all_checkpoints_passed}
            
    finally:
        # Step 7: Cleanup
        await staging_manager.cleanup_staging_environment(staging_env)

# Usage
result = await enterprise_migration_workflow(
    operation_type="add_not_null_column",
    table_name="users", 
    migration_details={
        "column_name": "account_status",
        "default_value": "active"
    }
)
