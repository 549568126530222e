# /// seed
# document = "Zero-Config Database Framework"
# section = "Environment Variables"
# illustrates = "commands of a shell"
# ///
export DATAFLOW_DATABASE_URL="postgresql://..."
export DATAFLOW_REDIS_URL="redis://..."
export DATAFLOW_LOG_LEVEL="INFO"
export DATAFLOW_ENABLE_METRICS="true"
