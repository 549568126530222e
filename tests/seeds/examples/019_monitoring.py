# /// seed
# document = "Core Concepts"
# section = "9. Monitoring and Observability"
# supplied = ["the imports"]
# needs = ["get_monitor: no package yet"]
# ///
db = DataFlow(
    monitoring=True,
    metrics_export="prometheus",
    slow_query_threshold=1.0
)

# Access monitoring data
monitor = db.get_monitor()
metrics = monitor.get_metrics()
health = monitor.get_health_status()
