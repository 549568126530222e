# /// seed
# document = "Zero-Config Database Framework"
# section = "Staging Environment Testing"
# needs = ["dataflow-migrations"]
# ///
from dataflow.migrations.staging_environment_manager import StagingEnvironmentManager

# Create production-like staging environment
staging_manager = StagingEnvironmentManager(connection_manager)

staging_env = await staging_manager.create_staging_environment(
    environment_name="migration_test_001",
    data_sampling_strategy={
        "strategy": "representative",
        "sample_percentage": 10,  # 10% of production data
        "preserve_referential_integrity": True
    }
)

try:
    # Test migration in staging
    test_result = await staging_manager.test_migration_in_staging(
        staging_env,
        migration_plan=your_migration_plan,
        validation_checks=True
    )
    
    print(f"Staging test result: {test_result.success}")
    print(f"Performance metrics: {test_result.performance_metrics}")
    
    if test_result.success:
        print("Safe to execute in production")
    else:
        print(f"Migration issues found: {test_result.issues}")
        
finally:
    # Always cleanup staging environment
    await staging_manager.cleanup_staging_environment(staging_env)
