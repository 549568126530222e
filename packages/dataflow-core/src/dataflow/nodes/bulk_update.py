"""The node that changes many rows: those that match a filter, or each its own way."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from dataflow.abc import Connection
from dataflow.errors import InvalidValue, MissingValue, ValidationError
from dataflow.execution.database import Database
from dataflow.filters.changes import Changes, read_changes
from dataflow.model.schema import Model, ModelField
from dataflow.nodes.bulk_controls import Report, read_batch_size, read_report
from dataflow.nodes.bulk_sources import Data, check_data, is_kept, length_of, open_source
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.keyed_rows import KeyedRows, RowsOfFields
from dataflow.nodes.many import as_dicts, read_flag, required_filter
from dataflow.nodes.rows import ModelNode, key_names
from dataflow.nodes.values import Maintained
from dataflow.nodes.versions import ExpectedVersion
from dataflow.progress import Progress
from dataflow.statements import Update, UpdateMany

__all__ = ["BulkUpdateNode"]

OF_ROWS = frozenset({"batch_size", "progress"})
CONTROLS = frozenset({"filter", "update", "data", "confirmed", *OF_ROWS})


class PreparedRows(NamedTuple):
    """Rows with their keys.

    :param statements: the updates of a list, all of which is checked before the first one is sent; of what is read
        only as it is needed, None.
    :param filling: values for the rows that lack them.
    :param size: how many rows are sent at once.
    """

    data: Data
    statements: Sequence[UpdateMany] | None
    filling: Mapping[str, object]
    size: int
    report: Report | None

    def tell(self, done: int) -> None:
        if self.report is not None:
            self.report(Progress(done, length_of(self.data)))


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
            self._check_rows(parameters)
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
        connection = await scope.connection(self.database)
        if isinstance(prepared, Update):
            updated = await self.database.executor.affected(connection, prepared)
        elif prepared.statements is not None:
            updated = await self._update_list(connection, prepared, prepared.statements)
        else:
            updated = await self._update_batches(connection, prepared)
        return {"updated": updated, "result": updated}

    async def _update_list(
        self, connection: Connection, prepared: PreparedRows, statements: Sequence[UpdateMany]
    ) -> int:
        updated = done = 0
        for statement in statements:
            updated += await self._update(connection, statement)
            done += len(statement.rows)
            # Rows of one key have become one.
            prepared.tell(done if statement is not statements[-1] else length_of(prepared.data) or 0)
        return updated

    async def _update_batches(self, connection: Connection, prepared: PreparedRows) -> int:
        updated = done = 0
        source = open_source(prepared.data, prepared.size, in_process=self.database.in_process)
        try:
            while rows := await source.next():
                for statement in self._statements(rows, prepared.filling, prepared.size, done):
                    updated += await self._update(connection, statement)
                done += len(rows)
                prepared.tell(done)
        finally:
            await source.close()
        return updated

    async def _update(self, connection: Connection, statement: UpdateMany) -> int:
        met = await self.database.executor.update_many(connection, statement)
        if met < len(statement.rows):
            await self._version.refuse_stale_rows(self.database, connection, statement, met)
        return met

    def _check_rows(self, parameters: Mapping[str, object]) -> None:
        read_batch_size(parameters, self.database.dialect, self.name)
        read_report(parameters, self.name)
        self._rows.check(self._values(parameters))
        if "data" not in parameters:
            return
        data = check_data(parameters["data"], f"{self.name} data")
        for row in as_dicts(data, self.name) if isinstance(data, list | tuple) else ():
            self._rows.check(row)

    def _prepare_rows(self, parameters: Mapping[str, object]) -> PreparedRows:
        read_flag(parameters, "confirmed", self.name)
        size = read_batch_size(parameters, self.database.dialect, self.name)
        report = read_report(parameters, self.name)
        filling = self._values(parameters)
        self._rows.check(filling)
        data = check_data(parameters["data"], f"{self.name} data")
        statements = self._statements(data, filling, size) if isinstance(data, list | tuple) else None
        return PreparedRows(data, statements, filling, size, report)

    def _statements(
        self, rows: Sequence[object], filling: Mapping[str, object], size: int, start: int = 0
    ) -> Sequence[UpdateMany]:
        """The updates: of each set of fields that rows give, so many at once.

        :param start: the index of the first row in the input.
        """
        dicts = as_dicts(rows, self.name, start)
        groups = self._rows.read(self._filled(dicts, filling) if filling else dicts, start)
        return [
            self._statement(group, group.rows[at : at + size], size)
            for group in groups
            for at in range(0, len(group.rows), size)
        ]

    def _statement(self, group: RowsOfFields, rows: Sequence[tuple[object, ...]], size: int) -> UpdateMany:
        changes = self._maintained.except_for(group.fields)
        return UpdateMany(
            self.model, group.match, group.fields, rows, changes.shape, changes.values, batch_size=size
        )

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
        else:
            for name in OF_ROWS.intersection(names):
                raise ValidationError(
                    f"{self.name} {name} is for data; all rows of a filter are changed at once"
                )
