"""What dataflow-postgres tells the core. It imports no driver."""

from collections.abc import Iterable

from dataflow.abc import DialectFactory
from dataflow.hookspecs import hookimpl

__all__ = ["dataflow_register_dialects"]


@hookimpl
def dataflow_register_dialects() -> Iterable[DialectFactory]:
    schemes = ("postgresql", "postgres")
    return [DialectFactory("postgres", schemes, "dataflow.postgres.dialect:PostgresDialect")]
