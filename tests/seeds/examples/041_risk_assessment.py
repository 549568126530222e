# /// seed
# document = "Zero-Config Database Framework"
# section = "Risk Assessment Before Schema Changes"
# needs = ["dataflow-migrations"]
# ///
from dataflow.migrations.risk_assessment_engine import RiskAssessmentEngine
from dataflow.migrations.mitigation_strategy_engine import MitigationStrategyEngine

# Assess risk before dropping a column
risk_engine = RiskAssessmentEngine(connection_manager)
risk_assessment = await risk_engine.assess_operation_risk(
    operation_type="drop_column",
    table_name="users",
    column_name="deprecated_field"
)

print(f"Risk Level: {risk_assessment.overall_risk_level}")
print(f"Risk Score: {risk_assessment.overall_score}/100")

# Generate mitigation strategies if risk is high
if risk_assessment.overall_risk_level in ["HIGH", "CRITICAL"]:
    mitigation_engine = MitigationStrategyEngine(risk_engine)
    strategies = await mitigation_engine.generate_mitigation_plan(risk_assessment)
    
    print("Recommended mitigation strategies:")
    for strategy in strategies.recommended_strategies:
        print(f"- {strategy.description} (Effectiveness: {strategy.effectiveness_score}%)")
