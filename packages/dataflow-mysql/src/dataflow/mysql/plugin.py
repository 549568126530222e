"""What dataflow-mysql tells the core. It imports no driver."""

from collections.abc import Iterable

from dataflow.abc import DialectFactory
from dataflow.hookspecs import hookimpl

__all__ = ["dataflow_register_dialects"]


@hookimpl
def dataflow_register_dialects() -> Iterable[DialectFactory]:
    return [DialectFactory("mysql", ("mysql", "mariadb"), "dataflow.mysql.dialect:MySQLDialect")]
