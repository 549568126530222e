"""SQLite as a dialect: what it can do, how it stores and compares, how it is opened."""

import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.abc import Codec, Column, Connection, Convert, Table
from dataflow.capabilities import Capability
from dataflow.catalog import CatalogTable
from dataflow.config import DataFlowConfig
from dataflow.errors import ConfigurationError, ModelError
from dataflow.execution.workers import Workers
from dataflow.model.field import MISSING
from dataflow.model.schema import Model, ModelField
from dataflow.sqlite import introspection, types
from dataflow.sqlite.catalog import catalog_of
from dataflow.sqlite.driver import SQLiteConnection
from dataflow.sqlite.options import SQLiteOptions
from dataflow.stages import Function
from dataflow.statements import Delete, Insert, SchemaChange, Update
from dataflow.terms import USUAL, Isolation, Terms
from dataflow.types import JSON_SCALARS, ColumnType, Kind
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

__all__ = ["SQLiteDialect"]

T = TypeVar("T")
OLDEST = (3, 35, 0)
CONNECTIONS_KEPT = 5


class SQLiteDialect:
    """The dialect for a URL such as ``sqlite:///shop.db`` or ``sqlite:///:memory:``."""

    name = "sqlite"
    grammar = "sqlite"
    capabilities = frozenset(
        {
            Capability.DISCOVERY,
            Capability.FORWARD_REFERENCES,
            Capability.INFINITY,
            Capability.KEY_ORDER,
            Capability.PARTIAL_INDEXES,
            Capability.REFERENTIAL_ACTIONS,
            Capability.SAVEPOINTS,
            Capability.STATEMENT_ATOMICITY,
            Capability.UPSERT,
        }
    )
    returning: frozenset[type] = frozenset({Insert, Update, Delete})
    # One writes at a time, and who reads sees the file as it was at the beginning.
    isolations = frozenset(Isolation)
    two_phase = None
    generated_key = ""
    in_process = True
    pool_size = CONNECTIONS_KEPT
    batch_size = 1000
    list_batch_size = 1000
    no_limit: str | None = "-1"

    def __init__(self, url: DatabaseURL, config: DataFlowConfig) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise ConfigurationError(
                f"Python was built with SQLite {sqlite3.sqlite_version}; DataFlow needs {'.'.join(map(str, OLDEST))}"
            )
        self._options = SQLiteOptions.of(url, existing=config.existing_schema_mode)
        self._workers = Workers("dataflow-sqlite")
        self.max_connections = 1 if self._options.in_memory else None
        # SQLite keeps a list of open files per process. A child that inherits it takes no real lock on a file that the
        # parent has open, and what it commits can be lost. In memory there is no file, and closing would lose all.
        self.fork_closes = not self._options.in_memory

    def connection(self) -> Connection:
        return SQLiteConnection(self._options, self._workers)

    async def offload(self, work: Coroutine[Any, Any, T], hasten: Callable[[], None]) -> T:
        return await self._workers.run(work, hasten, first=False)

    def begin(self, *, writes: bool, terms: Terms = USUAL) -> str:
        # A transaction that reads first and writes later fails at once if another one wrote in between.
        return "BEGIN IMMEDIATE" if writes else "BEGIN"

    def after(self, terms: Terms) -> str:
        return ""

    async def lock_schema(self, connection: Connection) -> None:
        # BEGIN IMMEDIATE has done it.
        pass

    async def unlock_schema(self, connection: Connection) -> None:
        pass

    def lock(self, model: Model) -> str | None:
        return None

    def placeholder(self, position: int) -> str:
        return "?"

    def parameter(self, placeholder: "Expression", type: ColumnType) -> "Expression":
        return placeholder

    def literal(self, stored: object, type: ColumnType) -> "Expression":
        from dataflow.sqlite.expressions import literal

        return literal(stored)

    def verbatim(self, text: str) -> str:
        return text

    def codec(self, type: ColumnType) -> Codec:
        return types.codec(type)

    def ordered(self, operand: "Expression", kind: Kind) -> "Expression":
        from dataflow.sqlite.expressions import ordered

        return ordered(operand, kind)

    def among(self, operand: "Expression", members: "Expression", type: ColumnType) -> "Expression":
        from dataflow.sqlite.expressions import among

        return among(operand, members, type)

    def arithmetic(
        self, operator: str, current: "Expression", amount: "Expression", type: ColumnType
    ) -> "Expression":
        from dataflow.sqlite.expressions import arithmetic

        return arithmetic(operator, current, amount, type)

    def pack(self, type: ColumnType) -> Convert:
        return types.pack(type)

    def matches(self, operator: str, operand: "Expression", pattern: "Expression") -> "Expression":
        from dataflow.sqlite.searching import matches

        return matches(operator, operand, pattern)

    def pattern(self, operator: str) -> Convert | None:
        return types.glob if operator == "$like" else None

    def json_type(self, document: "Expression", path: Sequence[str]) -> "Expression":
        from dataflow.sqlite.searching import json_type

        return json_type(document, path)

    def json_value(self, document: "Expression", path: Sequence[str], kind: Kind) -> "Expression":
        from dataflow.sqlite.searching import json_value

        return json_value(document, path, kind)

    def json_operand(self, kind: Kind) -> ColumnType:
        return ColumnType(kind, JSON_SCALARS[kind])

    def json_contains(
        self, document: "Expression", path: Sequence[str], member: "Expression"
    ) -> "Expression":
        from dataflow.sqlite.searching import json_contains

        return json_contains(document, path, member)

    def accumulated(self, function: Function, operand: "Expression", kind: Kind) -> "Expression":
        from dataflow.sqlite.expressions import accumulated

        return accumulated(function, operand, kind)

    def row_source(self, rows: "Expression", name: str, columns: Sequence[str]) -> "Expression":
        from dataflow.sqlite.expressions import row_source

        return row_source(rows, name)

    def ddl(self, change: SchemaChange) -> str:
        from dataflow.sqlite.ddl import render

        return render(self, change)

    async def tables(self, connection: Connection, models: Sequence[Model]) -> Mapping[str, Table]:
        return await introspection.tables_of(connection, models)

    async def discover(self, connection: Connection) -> Sequence[CatalogTable]:
        return await catalog_of(connection)

    def stores(self, column: Column, type: ColumnType) -> bool:
        return types.stores(column, type)

    def cannot_add(self, field: ModelField) -> str | None:
        if field.foreign_key is not None and field.default not in (MISSING, None):
            return "SQLite adds no foreign key that has a default"
        return None

    def narrowed(self, model: Model, field: ModelField) -> ColumnType:
        # SQLite stores null where it is given NaN.
        return replace(field.type, nan=False) if field.type.kind is Kind.FLOAT else field.type

    def check_model(self, model: Model) -> None:
        if model.table.lower().startswith("sqlite_"):
            raise ModelError(
                f"{model.name}: SQLite keeps names that begin with 'sqlite_' for itself; set another table"
            )
