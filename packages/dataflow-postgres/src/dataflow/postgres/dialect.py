"""PostgreSQL as a dialect: what it can do, how it stores and compares, how it is reached."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.abc import Codec, Column, Connection, Convert, Table
from dataflow.capabilities import Capability
from dataflow.catalog import CatalogTable
from dataflow.config import DataFlowConfig
from dataflow.errors import ModelError
from dataflow.model.schema import Model, ModelField
from dataflow.postgres import introspection, types
from dataflow.postgres.catalog import catalog_of
from dataflow.postgres.ddl import qualified
from dataflow.postgres.driver import PostgresConnection
from dataflow.postgres.options import PostgresOptions
from dataflow.postgres.replication import PostgresReplication
from dataflow.postgres.transactions import begin_on
from dataflow.postgres.two_phase import PostgresTwoPhase
from dataflow.stages import Function
from dataflow.statements import Delete, Insert, SchemaChange, Update
from dataflow.terms import USUAL, Isolation, Terms
from dataflow.types import ColumnType, Kind
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

__all__ = ["PostgresDialect"]

T = TypeVar("T")
CONNECTIONS_KEPT = 10
LONGEST_NAME = 63
SCHEMA_LOCK = 0x6461_7461_666C_6F77  # "dataflow"


class PostgresDialect:
    """The dialect for a URL such as ``postgresql://ann:secret@host/shop``."""

    name = "postgres"
    grammar = "postgres"
    capabilities = frozenset(
        {
            Capability.ARRAYS,
            Capability.CONCURRENT_WRITERS,
            Capability.DISCOVERY,
            Capability.INFINITY,
            Capability.NAN,
            Capability.PARTIAL_INDEXES,
            Capability.REFERENTIAL_ACTIONS,
            Capability.REPLICAS,
            Capability.SAVEPOINTS,
            Capability.UPSERT,
        }
    )
    returning: frozenset[type] = frozenset({Insert, Update, Delete})
    isolations = frozenset(Isolation)
    generated_key = ""
    two_phase = PostgresTwoPhase()
    replication = PostgresReplication()
    in_process = False
    pool_size = CONNECTIONS_KEPT
    max_connections: int | None = None
    batch_size = 10_000
    list_batch_size = 100_000  # each upsert looks through the table once
    fork_closes = False
    no_limit: str | None = None

    def __init__(self, url: DatabaseURL, config: DataFlowConfig) -> None:
        self._options = PostgresOptions.of(url)

    def connection(self) -> Connection:
        return PostgresConnection(self._options)

    async def offload(self, work: Coroutine[Any, Any, T], hasten: Callable[[], None]) -> T:
        return await work

    def begin(self, *, writes: bool, terms: Terms = USUAL) -> str:
        return "BEGIN" if terms is USUAL else begin_on(terms)

    def after(self, terms: Terms) -> str:
        return ""  # SET LOCAL ends with the transaction

    async def lock_schema(self, connection: Connection) -> None:
        await connection.fetch("SELECT pg_catalog.pg_advisory_xact_lock($1)", [SCHEMA_LOCK])

    async def unlock_schema(self, connection: Connection) -> None:
        pass  # the lock ends with the transaction

    def lock(self, model: Model) -> str | None:
        return f"LOCK TABLE {qualified(model.schema, model.table)} IN SHARE ROW EXCLUSIVE MODE"

    def placeholder(self, position: int) -> str:
        return f"${position}"

    def verbatim(self, text: str) -> str:
        return text

    def parameter(self, placeholder: "Expression", type: ColumnType) -> "Expression":
        from dataflow.postgres.expressions import parameter

        return parameter(placeholder, type)

    def literal(self, stored: object, type: ColumnType) -> "Expression":
        from dataflow.postgres.expressions import literal

        return literal(stored, type)

    def codec(self, type: ColumnType) -> Codec:
        return types.codec(type)

    def ordered(self, operand: "Expression", kind: Kind) -> "Expression":
        from dataflow.postgres.expressions import ordered

        return ordered(operand, kind)

    def among(self, operand: "Expression", members: "Expression", type: ColumnType) -> "Expression":
        from dataflow.postgres.expressions import among

        return among(operand, members, type)

    def arithmetic(
        self, operator: str, current: "Expression", amount: "Expression", type: ColumnType
    ) -> "Expression":
        from dataflow.postgres.expressions import arithmetic

        return arithmetic(operator, current, amount, type)

    def pack(self, type: ColumnType) -> Convert:
        return list

    def matches(self, operator: str, operand: "Expression", pattern: "Expression") -> "Expression":
        from dataflow.postgres.searching import matches

        return matches(operator, operand, pattern)

    def pattern(self, operator: str) -> Convert | None:
        return None

    def json_type(self, document: "Expression", path: Sequence[str]) -> "Expression":
        from dataflow.postgres.searching import json_type

        return json_type(document, path)

    def json_value(self, document: "Expression", path: Sequence[str], kind: Kind) -> "Expression":
        from dataflow.postgres.searching import json_value

        return json_value(document, path, kind)

    def json_operand(self, kind: Kind) -> ColumnType:
        return types.json_operand(kind)

    def document(self, array: "Expression", element: ColumnType) -> "Expression":
        from dataflow.postgres.searching import document

        return document(array, element)

    def json_contains(
        self, document: "Expression", path: Sequence[str], member: "Expression"
    ) -> "Expression":
        from dataflow.postgres.searching import json_contains

        return json_contains(document, path, member)

    def accumulated(self, function: Function, operand: "Expression", kind: Kind) -> "Expression":
        from dataflow.postgres.expressions import accumulated

        return accumulated(function, operand, kind)

    def row_source(self, rows: "Expression", name: str, columns: Sequence[str]) -> "Expression":
        from dataflow.postgres.expressions import row_source

        return row_source(rows, name)

    def ddl(self, change: SchemaChange) -> str:
        from dataflow.postgres.ddl import render

        return render(self, change)

    async def tables(self, connection: Connection, models: Sequence[Model]) -> Mapping[str, Table]:
        return await introspection.tables_of(connection, models)

    async def discover(self, connection: Connection) -> Sequence[CatalogTable]:
        return await catalog_of(connection)

    def stores(self, column: Column, type: ColumnType) -> bool:
        return types.stores(column, type)

    def cannot_add(self, field: ModelField) -> str | None:
        return None

    def narrowed(self, model: Model, field: ModelField) -> ColumnType:
        return field.type

    def check_model(self, model: Model) -> None:
        if model.existing:
            return
        names = [model.table, *(field.column for field in model.fields.values())]
        names += [index.name or "" for index in model.indexes]
        for name in names:
            if len(name.encode()) > LONGEST_NAME:
                raise ModelError(
                    f"{model.name}: PostgreSQL cuts names at {LONGEST_NAME} bytes, and {name!r} is longer; set another"
                )
