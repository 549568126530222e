# /// seed
# document = "Zero-Config Database Framework"
# section = "Safe Column Addition with Multiple Strategies"
# needs = ["dataflow-migrations"]
# ///
from dataflow.migrations.not_null_handler import (
    NotNullColumnHandler, ColumnDefinition, DefaultValueType
)

# Add NOT NULL column with computed default
handler = NotNullColumnHandler(connection_manager)

# Strategy 1: Static default (fastest)
static_column = ColumnDefinition(
    name="status",
    data_type="VARCHAR(20)",
    default_value="active",
    default_type=DefaultValueType.STATIC
)

# Strategy 2: Computed default (for complex logic)
computed_column = ColumnDefinition(
    name="user_tier",
    data_type="VARCHAR(10)",
    default_expression="CASE WHEN account_value > 10000 THEN 'premium' ELSE 'standard' END",
    default_type=DefaultValueType.COMPUTED
)

# Safe execution with validation
plan = await handler.plan_not_null_addition("users", static_column)
validation = await handler.validate_addition_safety(plan)

if validation.is_safe:
    result = await handler.execute_not_null_addition(plan)
    print(f"Column added successfully in {result.execution_time:.2f}s")
else:
    print(f"Validation failed: {validation.issues}")
