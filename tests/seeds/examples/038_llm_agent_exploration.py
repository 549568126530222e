# /// seed
# document = "Zero-Config Database Framework"
# section = "LLM Agent Database Exploration"
# supplied = ["the imports", "a URL", "a database with tables"]
# ///
# LLM Agent workflow for database exploration
db_agent = DataFlow(
    database_url="postgresql://user:pass@localhost/unknown_db",
    existing_schema_mode=True  # Safe exploration mode
)

# Agent discovers database structure
schema = db_agent.discover_schema(use_real_inspection=True)
interesting_tables = [t for t in schema.keys() 
                     if not t.startswith('dataflow_')]  # Skip system tables

# Agent registers tables it wants to work with
result = db_agent.register_schema_as_models(tables=interesting_tables[:5])

# Agent builds exploration workflow
workflow = WorkflowBuilder()

for model_name in result['registered_models']:
    nodes = result['generated_nodes'][model_name]
    
    # Sample a few records from each table
    workflow.add_node(nodes['list'], f"sample_{model_name}", {
        "limit": 3,
        "order_by": []
    })

# Execute exploration
runtime = LocalRuntime()
results, run_id = runtime.execute(workflow.build())

# Agent can now analyze the data structure and content
for node_id, result in results.items():
    if node_id.startswith('sample_'):
        table_name = node_id.replace('sample_', '')
        data = result.get('result', [])
        print(f"Table {table_name}: {len(data)} sample records")
