# /// seed
# document = "Core Concepts"
# section = "3. Execute and Monitor"
# supplied = ["the imports", "workflow"]
# ///
runtime = LocalRuntime()
results, run_id = runtime.execute(workflow.build())

# Monitor performance
print(f"Workflow {run_id} completed in {results['execution_time']}s")
