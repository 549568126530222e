"""SQL of the user's own as a node, with bound parameters only."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from dataflow.errors import InvalidValue, MissingValue, UnknownName, ValidationError
from dataflow.execution.database import Database
from dataflow.nodes.contract import Output, Place
from dataflow.statements import Raw

if TYPE_CHECKING:
    from dataflow.sql.raw import RawShape

__all__ = ["SQLNode"]

CONTROLS = frozenset({"sql", "parameters"})


class Prepared(NamedTuple):
    """A statement, and what is known of it."""

    statement: Raw
    shape: "RawShape"


class SQLNode:
    """Runs one statement: ``sql`` with ``:names``, ``parameters`` with their values.

    Any other parameter, and so any input, is the value of the name that it bears.
    """

    name = "SQLNode"
    model = None
    outputs = frozenset({"records", "count", "affected", "result"})
    settled = False
    waits = False
    outside = False

    def __init__(self, database: Database) -> None:
        self.database = database

    def may_write(self, parameters: Mapping[str, object]) -> bool:
        from dataflow.sql.raw import read_sql

        sql = parameters.get("sql")
        return not isinstance(sql, str) or read_sql(self.database.dialect.grammar, sql).writes

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        from dataflow.sql.raw import encode_parameters

        if "sql" not in parameters:
            return
        bound = self._shape(parameters).names
        known = self._values(parameters)
        for name in (*names, *known):
            if name not in CONTROLS and name not in bound:
                raise UnknownName("parameter", name, "the SQL of the SQLNode", bound)
        encode_parameters(self.database.dialect, tuple(name for name in bound if name in known), known)

    def missing(self, names: Collection[str]) -> str | None:
        return None if "sql" in names else "SQLNode needs sql, a statement with :names for its values"

    def prepare(self, parameters: Mapping[str, Any]) -> Prepared:
        shape = self._shape(parameters)
        return Prepared(Raw(self._sql(parameters), self._values(parameters)), shape)

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        return True

    def alone(self, prepared: Prepared) -> bool:
        return not prepared.shape.writes

    async def run(self, scope: Place, prepared: Prepared) -> Output:
        connection = await scope.connection(self.database)
        if prepared.shape.outlasts:
            self.database.use_up(connection)
        outcome = await self.database.executor.raw(connection, prepared.statement)
        if isinstance(outcome, int):
            return {"records": [], "count": 0, "affected": outcome, "result": outcome}
        return {"records": outcome, "count": len(outcome), "affected": 0, "result": outcome}

    def _shape(self, parameters: Mapping[str, object]) -> "RawShape":
        from dataflow.sql.raw import read_sql

        shape = read_sql(self.database.dialect.grammar, self._sql(parameters))
        if not shape.keeps_schema and not self.database.may_change_schema:
            raise ValidationError(
                "SQLNode: existing_schema_mode allows no statement that may change the schema, and lets through "
                "SELECT without INTO, VALUES, TABLE, INSERT, UPDATE, DELETE, REPLACE, MERGE, SHOW, and EXPLAIN of these"
            )
        return shape

    def _sql(self, parameters: Mapping[str, object]) -> str:
        sql = parameters.get("sql")
        if sql is None:
            raise MissingValue(self.missing(()) or "")
        if not isinstance(sql, str):
            raise InvalidValue(f"SQLNode sql: expected str, got {type(sql).__name__}")
        return sql

    def _values(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        values = parameters.get("parameters", {})
        if not isinstance(values, Mapping):
            raise InvalidValue(
                f"SQLNode parameters: expected a dict of names and values, got {type(values).__name__}"
            )
        return {**values, **{name: value for name, value in parameters.items() if name not in CONTROLS}}
