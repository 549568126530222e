"""DuckDB as a dialect of DataFlow."""
