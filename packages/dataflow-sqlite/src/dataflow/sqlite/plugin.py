"""What dataflow-sqlite tells the core. It imports no driver."""

from collections.abc import Iterable

from dataflow.abc import DialectFactory
from dataflow.hookspecs import hookimpl

__all__ = ["dataflow_register_dialects"]


@hookimpl
def dataflow_register_dialects() -> Iterable[DialectFactory]:
    return [
        DialectFactory("sqlite", ("sqlite",), "dataflow.sqlite.dialect:SQLiteDialect", reading={"mode": "ro"})
    ]
