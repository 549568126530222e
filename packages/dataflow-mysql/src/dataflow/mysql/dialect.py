"""MySQL and MariaDB as a dialect: what they can do, how they store and compare, how they are opened."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.abc import Codec, Column, Connection, Convert, Table
from dataflow.capabilities import Capability
from dataflow.catalog import CatalogTable
from dataflow.config import DataFlowConfig
from dataflow.errors import ConfigurationError, DatabaseBusy
from dataflow.model.field import MISSING
from dataflow.model.schema import Model, ModelField
from dataflow.mysql import introspection, types
from dataflow.mysql.catalog import catalog_of
from dataflow.mysql.driver import MySQLConnection
from dataflow.mysql.flavors import MARIADB, MYSQL, Flavor
from dataflow.mysql.limits import check_names, check_sizes, key_length
from dataflow.mysql.names import quoted
from dataflow.mysql.options import MySQLOptions
from dataflow.mysql.replication import MySQLReplication
from dataflow.mysql.session import Settings
from dataflow.mysql.transactions import begin_on, restore_limits
from dataflow.mysql.two_phase import MySQLTwoPhase
from dataflow.stages import Function
from dataflow.statements import Delete, Insert, SchemaChange
from dataflow.terms import USUAL, Isolation, Terms
from dataflow.types import JSON_SCALARS, ColumnType, Kind
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

__all__ = ["MySQLDialect"]

T = TypeVar("T")
CONNECTIONS_KEPT = 10
SCHEMA_LOCK_PATIENCE = 60
ALL_ROWS = str(2**64 - 1)


class MySQLDialect:
    """The dialect for a URL such as ``mysql://ann:secret@db.example.org/shop``."""

    name = "mysql"
    grammar = "mysql"
    capabilities = frozenset(
        {
            Capability.CONCURRENT_WRITERS,
            Capability.DISCOVERY,
            Capability.EMPTY_ROWS,
            Capability.FORWARD_REFERENCES,
            Capability.KEY_ORDER,
            Capability.LIMITED_WRITES,
            Capability.PARTIAL_INDEXES,
            Capability.REFERENTIAL_ACTIONS,
            Capability.REPLICAS,
            Capability.SAVEPOINTS,
            Capability.STATEMENT_ATOMICITY,
            Capability.UPDATE_JOIN,
            Capability.UPSERT_OF_ANY_KEY,
        }
    )
    in_process = False
    pool_size = CONNECTIONS_KEPT
    max_connections: int | None = None
    batch_size = 10_000
    list_batch_size = 100_000
    fork_closes = False
    generated_key = "LAST_INSERT_ID()"
    isolations = frozenset(Isolation)
    no_limit: str | None = ALL_ROWS
    two_phase = MySQLTwoPhase()

    def __init__(self, url: DatabaseURL, config: DataFlowConfig) -> None:
        self._options = MySQLOptions.of(url)
        self._database = url.database or ""
        self._settings: Settings | None = None
        # Until a connection has told, the URL is believed.
        self._flavor = MARIADB if url.scheme == "mariadb" else MYSQL
        self._stored_apart: set[tuple[str, str]] = set()
        self._indexes: dict[tuple[str, str], tuple[str, ...]] = {}
        self.replication = MySQLReplication(self._indexes, self._greet)

    @property
    def returning(self) -> frozenset[type]:
        """MySQL brings no rows back, and MariaDB none of an UPDATE."""
        return RETURNING if self._flavor.returning and self._settings is not None else NOTHING_RETURNING

    @property
    def flavor(self) -> Flavor:
        """Which of the servers it is."""
        return self._flavor

    def _greet(self, settings: Settings) -> None:
        if self._settings is not None and self._settings.flavor != settings.flavor:
            raise ConfigurationError(
                f"the server was {self._flavor.name} and is {settings.flavor.name} now; make a new DataFlow"
            )
        self._settings, self._flavor = settings, settings.flavor

    def connection(self) -> Connection:
        return MySQLConnection(self._options, self._indexes, self._greet)

    async def offload(self, work: Coroutine[Any, Any, T], hasten: Callable[[], None]) -> T:
        return await work

    def begin(self, *, writes: bool, terms: Terms = USUAL) -> str:
        return begin_on(self._flavor, terms, writes=writes)

    def after(self, terms: Terms) -> str:
        return "" if terms.timeout is None else restore_limits(self._flavor)

    async def lock_schema(self, connection: Connection) -> None:
        # A statement that waits longer than the URL allows would be cut off.
        patience = max(
            0, min(SCHEMA_LOCK_PATIENCE, int((self._options.timeout or SCHEMA_LOCK_PATIENCE + 1) - 1))
        )
        rows = await connection.fetch("SELECT GET_LOCK(%s, %s)", (self._lock_name, patience))
        if rows[0][0] != 1:
            raise DatabaseBusy(f"another process has been changing the schema for {patience} s; try again")
        # Tables may refer to each other, whichever is made first.
        await connection.execute("SET SESSION foreign_key_checks = 0")

    async def unlock_schema(self, connection: Connection) -> None:
        await connection.execute("SET SESSION foreign_key_checks = 1")
        await connection.fetch("SELECT RELEASE_LOCK(%s)", (self._lock_name,))

    @property
    def _lock_name(self) -> str:
        return f"dataflow:{hashlib.sha1(self._database.encode()).hexdigest()}"

    def lock(self, model: Model) -> str | None:
        # Reading all rows to change them locks the gaps between them too. LOCK TABLES would commit.
        return f"SELECT COUNT(*) FROM {quoted(model.table).replace('%', '%%')} FOR UPDATE"

    def placeholder(self, position: int) -> str:
        return "%s"

    def parameter(self, placeholder: "Expression", type: ColumnType) -> "Expression":
        return placeholder

    def literal(self, stored: object, type: ColumnType) -> "Expression":
        from dataflow.mysql.expressions import literal_expression

        return literal_expression(stored)

    def verbatim(self, text: str) -> str:
        return text.replace("%", "%%")

    def codec(self, type: ColumnType) -> Codec:
        return types.codec(type)

    def ordered(self, operand: "Expression", kind: Kind) -> "Expression":
        return operand

    def among(self, operand: "Expression", members: "Expression", type: ColumnType) -> "Expression":
        from dataflow.mysql.expressions import among

        return among(operand, members)

    def arithmetic(
        self, operator: str, current: "Expression", amount: "Expression", type: ColumnType
    ) -> "Expression":
        from dataflow.mysql.expressions import arithmetic

        return arithmetic(operator, current, amount, type)

    def pack(self, type: ColumnType) -> Convert:
        return types.pack

    def matches(self, operator: str, operand: "Expression", pattern: "Expression") -> "Expression":
        from dataflow.mysql.searching import matches

        return matches(self._flavor, operator, operand, pattern)

    def pattern(self, operator: str) -> Convert | None:
        from dataflow.mysql.patterns import ilike_as_regex, rendered

        return {"$ilike": ilike_as_regex, "$regex": rendered}.get(operator)

    def json_type(self, document: "Expression", path: Sequence[str]) -> "Expression":
        from dataflow.mysql.searching import json_type

        return json_type(document, path)

    def json_value(self, document: "Expression", path: Sequence[str], kind: Kind) -> "Expression":
        from dataflow.mysql.searching import json_value

        return json_value(self._flavor, document, path, kind)

    def json_operand(self, kind: Kind) -> ColumnType:
        return ColumnType(kind, JSON_SCALARS[kind])

    def json_contains(
        self, document: "Expression", path: Sequence[str], member: "Expression"
    ) -> "Expression":
        from dataflow.mysql.searching import json_contains

        return json_contains(self._flavor, document, path, member)

    def accumulated(self, function: Function, operand: "Expression", kind: Kind) -> "Expression":
        from dataflow.mysql.expressions import accumulated

        return accumulated(function, operand, kind)

    def row_source(self, rows: "Expression", name: str, columns: Sequence[str]) -> "Expression":
        from dataflow.mysql.expressions import row_source

        return row_source(self._flavor, rows, name, columns)

    def ddl(self, change: SchemaChange) -> str:
        from dataflow.mysql.ddl import render

        return render(self, self._flavor, change, self._stored_apart)

    async def tables(self, connection: Connection, models: Sequence[Model]) -> Mapping[str, Table]:
        assert self._settings is not None
        found = await introspection.tables_of(
            connection,
            models,
            null_is_written=self._flavor is MARIADB,
            case_matters=self._settings.case_matters,
        )
        self._stored_apart.update(
            (table.name, column.name)
            for table in found.values()
            for column in table.columns.values()
            if types.is_stored_apart(column)
        )
        return found

    async def discover(self, connection: Connection) -> Sequence[CatalogTable]:
        if not self._database:
            raise ConfigurationError("the URL names no database to look at; write mysql://host/shop")
        return await catalog_of(connection, is_mariadb=self._flavor is MARIADB)

    def stores(self, column: Column, type: ColumnType) -> bool:
        return types.stores(column, type)

    def cannot_add(self, field: ModelField) -> str | None:
        if field.foreign_key is not None and field.default not in (MISSING, None):
            return "a foreign key that has a default cannot be added"
        return None

    def narrowed(self, model: Model, field: ModelField) -> ColumnType:
        match field.type.kind:
            case Kind.FLOAT:
                return replace(field.type, nan=False, infinite=False)
            case Kind.DECIMAL:
                return field.type if model.existing else replace(field.type, digits=types.DIGITS)
            case Kind.TEXT | Kind.BINARY if not model.existing:
                return replace(field.type, max_length=key_length(model, field))
        return field.type

    def check_model(self, model: Model) -> None:
        if not model.existing:
            check_names(model)
            check_sizes(model)
        for index in model.indexes:
            columns = tuple(model.field(name).column for name, _ in index.keys)
            self._indexes[model.table, index.name or ""] = columns
        self._indexes[model.table, "PRIMARY"] = tuple(field.column for field in model.key)


NOTHING_RETURNING: frozenset[type] = frozenset()
RETURNING: frozenset[type] = frozenset({Insert, Delete})
