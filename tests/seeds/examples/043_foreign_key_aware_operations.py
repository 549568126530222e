# /// seed
# document = "Zero-Config Database Framework"
# section = "FK-Aware Table Operations"
# needs = ["dataflow-migrations"]
# ///
from dataflow.migrations.foreign_key_analyzer import ForeignKeyAnalyzer, FKOperationType

# Analyze FK impact before table operations
fk_analyzer = ForeignKeyAnalyzer(connection_manager)

fk_impact = await fk_analyzer.analyze_fk_impact(
    operation=FKOperationType.RENAME_TABLE,
    table_name="user_accounts",
    new_table_name="users",
    include_cascade_analysis=True
)

print(f"FK Impact Level: {fk_impact.impact_level}")
print(f"Affected constraints: {len(fk_impact.affected_constraints)}")

# Generate FK-safe migration plan
if fk_impact.is_safe_to_proceed:
    fk_plan = await fk_analyzer.generate_fk_safe_migration_plan(fk_impact)
    result = await fk_analyzer.execute_fk_safe_migration(fk_plan)
    print(f"FK-safe migration completed: {result.success}")
