"""The node that changes many rows: those that match a filter, or each its own way."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from dataflow.errors import InvalidValue, MissingValue, ValidationError
from dataflow.execution.database import Database
from dataflow.filters.changes import Changes, read_changes
from dataflow.model.schema import Model, ModelField
from dataflow.nodes.bulk_sources import is_kept
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.keyed_rows import KeyedRows, RowsOfFields
from dataflow.nodes.many import read_data, read_flag, required_filter
from dataflow.nodes.rows import ModelNode, key_names
from dataflow.nodes.values import Maintained
from dataflow.nodes.versions import ExpectedVersion
from dataflow.statements import Update, UpdateMany

__all__ = ["BulkUpdateNode"]

CONTROLS = frozenset({"filter", "update", "data", "confirmed"})


class PreparedRows(NamedTuple):
    """The updates: one for each set of fields that rows give."""

    statements: tuple[UpdateMany, ...]


Prepared: TypeAlias = Update | PreparedRows


class BulkUpdateNode(ModelNode):
    """Changes many rows: all that match ``filter`` alike, or each row of ``data``, found by its key, in its own way.

    A parameter named like a field is a value for all of them: with ``filter`` beside ``update``, with ``data`` for
    the rows that lack it.
    """

    suffix = "BulkUpdateNode"
    writes = True

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self._rows = KeyedRows(model, self.name)
        self._keys = key_names(model)
        self._maintained = Maintained(model)
        self._version = ExpectedVersion(model, self.name)

    @property
    def outputs(self) -> frozenset[str] | None:
        return frozenset({"updated", "result"})

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        self._check_names(names)
        read_flag(parameters, "confirmed", self.name)
        if "data" in names:
            self._rows.check(self._values(parameters))
            for row in read_data(parameters, self.name) if "data" in parameters else ():
                self._rows.check(row)
            return
        self._changes(parameters)
        if "filter" in parameters and ("confirmed" in parameters or "confirmed" not in names):
            required_filter(self.model, parameters, self.name)

    def missing(self, names: Collection[str]) -> str | None:
        if "data" in names:
            return None
        if "filter" not in names:
            return f"{self.name} needs a filter and an update, or data: a list of rows with their keys"
        if "update" in names or not CONTROLS.issuperset(names):
            return None
        return f"{self.name} has nothing to change; give update, such as {{'field': value}}"

    def prepare(self, parameters: Mapping[str, Any]) -> Prepared:
        self._check_names(parameters)
        if "data" in parameters:
            return self._prepare_rows(parameters)
        where = required_filter(self.model, parameters, self.name)
        changes = self._changes(parameters)
        if not changes.shape:
            raise MissingValue(self.missing(("filter",)) or "")
        changes = self._maintained.beside(changes)
        return Update(self.model, changes.shape, changes.values, where, returning=())

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        return is_kept(parameters.get("data"))

    def alone(self, prepared: Prepared) -> bool:
        return isinstance(prepared, Update)

    async def run(self, scope: Place, prepared: Prepared) -> Output:
        executor = self.database.executor
        if isinstance(prepared, Update):
            updated = await executor.affected(await scope.connection(self.database), prepared)
        else:
            updated = 0
            connection = await scope.connection(self.database)
            for statement in prepared.statements:
                met = await executor.update_many(connection, statement)
                if met < len(statement.rows):
                    await self._version.refuse_stale_rows(self.database, connection, statement, met)
                updated += met
        return {"updated": updated, "result": updated}

    def _prepare_rows(self, parameters: Mapping[str, object]) -> PreparedRows:
        read_flag(parameters, "confirmed", self.name)
        filling = self._values(parameters)
        self._rows.check(filling)
        rows = read_data(parameters, self.name)
        groups = self._rows.read(self._filled(rows, filling) if filling else rows)
        return PreparedRows(tuple(self._statement(group) for group in groups))

    def _statement(self, group: RowsOfFields) -> UpdateMany:
        changes = self._maintained.except_for(group.fields)
        return UpdateMany(self.model, group.match, group.fields, group.rows, changes.shape, changes.values)

    def _filled(
        self, rows: Sequence[Mapping[str, object]], filling: Mapping[str, object]
    ) -> Sequence[Mapping[str, object]]:
        """The rows with what they lack; a key may have one name here and another there."""
        filled = []
        for row in rows:
            given = {self._keys.get(name, name) for name in row}
            lacking = {
                name: value for name, value in filling.items() if self._keys.get(name, name) not in given
            }
            filled.append({**lacking, **row})
        return filled

    def _values(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        return {name: value for name, value in parameters.items() if name not in CONTROLS}

    def _changes(self, parameters: Mapping[str, object]) -> Changes:
        """The changes of all rows that match a filter."""
        values = self._values(parameters)
        beside: list[tuple[ModelField, object]] = []
        for name, value in values.items():
            self._refuse_key(name)
            beside.append((self.model.fields[name], value))
        changes = read_changes(self.model, parameters.get("update", {}), f"{self.name} update", beside)
        for change in changes.shape:
            self._refuse_key(change.field)
        self._version.refuse_change(changes)
        return changes

    def _refuse_key(self, name: str) -> None:
        if name in self._keys:
            raise InvalidValue(
                f"{self.name}: {name} is the key, which no two rows share; "
                f"select by it in the filter, or change it with {self.model.name}UpdateNode"
            )

    def _check_names(self, names: Collection[str]) -> None:
        for name in names:
            if name not in CONTROLS and name not in self.model.fields and name not in self._keys:
                raise self.unknown(name, {*CONTROLS, *self._keys, *self.model.fields})
        if "data" in names:
            for name in ("filter", "update"):
                if name in names:
                    raise ValidationError(f"{self.name} takes either data or {name}, not both")
