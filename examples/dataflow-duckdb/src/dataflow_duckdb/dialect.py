"""DuckDB as a dialect: what it can do, and where each question is answered.

What needs sqlglot is imported when a statement is compiled for the first time, as that import takes longer than most
programs run.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.abc import Codec, Column, Connection, Convert, Table
from dataflow.capabilities import Capability
from dataflow.config import DataFlowConfig
from dataflow.execution.workers import Workers
from dataflow.model.schema import Model, ModelField
from dataflow.stages import Function
from dataflow.statements import Delete, Insert, SchemaChange, Update
from dataflow.terms import USUAL, Isolation, Terms
from dataflow.types import ColumnType, Kind
from dataflow.url import DatabaseURL

from dataflow_duckdb import introspection, types
from dataflow_duckdb.driver import BEGIN, DuckDBConnection
from dataflow_duckdb.keys import Keys
from dataflow_duckdb.options import DuckDBOptions

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

__all__ = ["DuckDBDialect"]

T = TypeVar("T")


class DuckDBDialect:
    """The dialect for a URL such as ``duckdb:///shop.db`` or ``duckdb:///:memory:``.

    It does not declare ``CONCURRENT_WRITERS``: DuckDB would refuse the second of two transactions that change the same
    row. So those of one process write in turns, and none is refused; who only reads sees a snapshot.
    """

    name = "duckdb"
    grammar = "duckdb"
    capabilities = frozenset({Capability.INFINITY, Capability.KEY_ORDER, Capability.NAN, Capability.UPSERT})
    isolations = frozenset(Isolation)
    two_phase = None
    returning: frozenset[type] = frozenset({Insert, Update, Delete})
    generated_key = ""
    batch_size = 10_000
    list_batch_size = 10_000
    in_process = True
    pool_size = 5
    no_limit: str | None = None

    def __init__(self, url: DatabaseURL, config: DataFlowConfig) -> None:
        self._options = DuckDBOptions.of(url)
        self._workers = Workers("dataflow-duckdb")
        self._keys = Keys()
        self._indexes: dict[str, Sequence[tuple[str, str]]] = {}
        self.max_connections = 1 if self._options.in_memory else None
        # The threads of DuckDB do not come along into a child, which would wait for them.
        self.fork_closes = not self._options.in_memory

    # ------------------------------------------------------------------ connections

    def connection(self) -> Connection:
        return DuckDBConnection(self._options, self._keys, self._workers)

    async def offload(self, work: Coroutine[Any, Any, T], hasten: Callable[[], None]) -> T:
        return await self._workers.run(work, hasten, first=False)

    def begin(self, *, writes: bool, terms: Terms = USUAL) -> str:
        return BEGIN

    def after(self, terms: Terms) -> str:
        return ""

    def lock(self, model: Model) -> str | None:
        return None

    async def lock_schema(self, connection: Connection) -> None:
        pass  # no other process can have the file open, and in this one the turn to write is taken

    async def unlock_schema(self, connection: Connection) -> None:
        pass

    # ------------------------------------------------------------------ values

    def placeholder(self, position: int) -> str:
        return "?"

    def parameter(self, placeholder: "Expression", type: ColumnType) -> "Expression":
        from dataflow_duckdb.expressions import parameter

        return parameter(placeholder, type)

    def literal(self, stored: object, type: ColumnType) -> "Expression":
        from dataflow_duckdb.expressions import literal

        return literal(stored, type)

    def verbatim(self, text: str) -> str:
        return text

    def codec(self, type: ColumnType) -> Codec:
        return types.codec(type)

    def pack(self, type: ColumnType) -> Convert:
        return list

    # ------------------------------------------------------------------ conditions and calculations

    def ordered(self, operand: "Expression", kind: Kind) -> "Expression":
        from dataflow_duckdb.expressions import ordered

        return ordered(operand, kind)

    def among(self, operand: "Expression", members: "Expression", type: ColumnType) -> "Expression":
        from dataflow_duckdb.expressions import among

        return among(operand, members, type)

    def arithmetic(
        self, operator: str, current: "Expression", amount: "Expression", type: ColumnType
    ) -> "Expression":
        from dataflow_duckdb.expressions import arithmetic

        return arithmetic(operator, current, amount, type.kind)

    def accumulated(self, function: Function, operand: "Expression", kind: Kind) -> "Expression":
        from dataflow_duckdb.expressions import accumulated

        return accumulated(function, operand, kind)

    def matches(self, operator: str, operand: "Expression", pattern: "Expression") -> "Expression":
        from dataflow_duckdb.searching import matches

        return matches(operator, operand, pattern)

    def pattern(self, operator: str) -> Convert | None:
        from dataflow_duckdb.searching import pattern

        return pattern(operator)

    def json_type(self, document: "Expression", path: Sequence[str]) -> "Expression":
        from dataflow_duckdb.searching import json_type

        return json_type(document, path)

    def json_value(self, document: "Expression", path: Sequence[str], kind: Kind) -> "Expression":
        from dataflow_duckdb.searching import json_value

        return json_value(document, path, kind)

    def json_operand(self, kind: Kind) -> ColumnType:
        return types.json_operand(kind)

    def json_contains(
        self, document: "Expression", path: Sequence[str], member: "Expression"
    ) -> "Expression":
        from dataflow_duckdb.searching import json_contains

        return json_contains(document, path, member)

    def row_source(self, rows: "Expression", name: str, columns: Sequence[str]) -> "Expression":
        from dataflow_duckdb.expressions import row_source

        return row_source(rows, name, columns)

    # ------------------------------------------------------------------ the schema

    def ddl(self, change: SchemaChange) -> str:
        from dataflow_duckdb.ddl import render

        return render(self, change, self._indexes)

    async def tables(self, connection: Connection, models: Sequence[Model]) -> Mapping[str, Table]:
        found = await introspection.tables_of(connection, models)
        with_indexes = [table.name for table in found.values() if table.indexes]
        if with_indexes:
            self._indexes.update(await introspection.indexes_of(connection, with_indexes))
        return found

    def stores(self, column: Column, type: ColumnType) -> bool:
        return types.stores(column, type)

    def cannot_add(self, field: ModelField) -> str | None:
        return "DuckDB adds no foreign key to a table that exists" if field.foreign_key is not None else None

    def narrowed(self, model: Model, field: ModelField) -> ColumnType:
        return replace(field.type, digits=types.DIGITS) if field.type.kind is Kind.DECIMAL else field.type

    def check_model(self, model: Model) -> None:
        self._keys.learn(model)
