"""What the package tells DataFlow. It is imported whenever DataFlow is used: it imports no driver."""

from collections.abc import Iterable

from dataflow.abc import DialectFactory
from dataflow.hookspecs import hookimpl

__all__ = ["dataflow_register_dialects"]


@hookimpl
def dataflow_register_dialects() -> Iterable[DialectFactory]:
    return [DialectFactory("duckdb", ("duckdb",), "dataflow_duckdb.dialect:DuckDBDialect")]
