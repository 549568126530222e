"""The nodes for one row: Create, Read, Update, Delete."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from dataflow.errors import InvalidValue, MissingValue, MultipleRecords, RecordNotFound
from dataflow.execution.database import Database
from dataflow.execution.unreadable import suspects
from dataflow.filters.changes import read_changes
from dataflow.model.schema import Model
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.key_updates import KeyUpdates
from dataflow.nodes.rows import ModelNode, RowSelector
from dataflow.nodes.values import Maintained, NewRow
from dataflow.nodes.versions import ExpectedVersion
from dataflow.sql.codecs import codec_of
from dataflow.statements import Delete, Insert, Order, Select, Update, Where

__all__ = ["CreateNode", "DeleteNode", "ReadNode", "UpdateNode"]

# A statement for one row asks for two, so that a second match is noticed.
ONE_AND_A_WITNESS = 2


class CreateNode(ModelNode):
    """Stores a new row and gives it back as it is stored."""

    suffix = "CreateNode"
    writes = True

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self._new = NewRow(model, self.name)

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        self._new.check_names(names)
        self._new.check(parameters)

    def missing(self, names: Collection[str]) -> str | None:
        return self._new.missing(names)

    def prepare(self, parameters: Mapping[str, Any]) -> Insert:
        plan = self._new.plan(tuple(parameters))
        return Insert(self.model, plan.fields, plan.values(parameters))

    def alone(self, prepared: Insert) -> bool:
        return Insert in self.database.dialect.returning

    async def run(self, scope: Place, prepared: Insert) -> Output:
        database = self.database
        records = await database.executor.records(await scope.connection(database), prepared)
        return self.row(records[0])


class ReadNode(ModelNode):
    """Finds one row; of several that match, the first by key."""

    suffix = "ReadNode"
    settled = True

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self._selector = RowSelector(model, self.name, takes_values=False)
        self._order = tuple(Order(field.name) for field in model.key)

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        self._selector.check(parameters, names)

    def missing(self, names: Collection[str]) -> str | None:
        return self._selector.missing(names)

    def prepare(self, parameters: Mapping[str, Any]) -> Select:
        by_key = self._selector.by_key(parameters)
        if by_key is not None:
            return Select(self.model, by_key)
        where, _ = self._selector.where(parameters)
        if self._selector.is_key(where):
            return Select(self.model, where)
        return Select(self.model, where, self._order, limit=1)

    def alone(self, prepared: Select) -> bool:
        return True

    async def run(self, scope: Place, prepared: Select) -> Output:
        database = self.database
        records = await database.executor.records(await scope.connection(database), prepared)
        return self.row(records[0]) if records else {"found": False}


class PreparedUpdate(NamedTuple):
    """An update, and whether its row must exist.

    :param selected: which row is meant, whatever its version; None where no version is expected.
    """

    statement: Update
    required: bool
    selected: Where | None


class UpdateNode(ModelNode):
    """Changes one row and gives it back as it is then."""

    suffix = "UpdateNode"
    writes = True

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self._version = ExpectedVersion(model, self.name)
        controls = ("updates", "required", *self._version.names)
        self._selector = RowSelector(model, self.name, takes_values=True, controls=controls)
        self._maintained = Maintained(model)
        self._by_key = KeyUpdates(model, self._selector, self._maintained, special=self._version.names)
        self._place = f"{self.name} updates"
        # What cannot be read of the changed row must be noticed before the change is final.
        codecs = [codec_of(database.dialect, field.type) for field in model.fields.values()]
        self._is_always_readable = all(codec.decode is None or codec.certain for codec in codecs) and not (
            # What a driver fails at, only others can have stored.
            model.existing and suspects(model, model.fields)
        )

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        selection = self._selector.check(parameters, names)
        known = [(field, parameters[field.name]) for field in selection.values if field.name in parameters]
        self._version.refuse_change(
            read_changes(self.model, parameters.get("updates", {}), self._place, known)
        )
        self._version.where(parameters)
        self._required(parameters)

    def missing(self, names: Collection[str]) -> str | None:
        return self._selector.missing(names)

    def prepare(self, parameters: Mapping[str, Any]) -> PreparedUpdate:
        by_key = self._by_key.read(parameters)
        if by_key is not None:
            return PreparedUpdate(by_key, True, None)
        where, selection = self._selector.where(parameters)
        given = [(field, parameters[field.name]) for field in selection.values]
        changes = read_changes(self.model, parameters.get("updates", {}), self._place, given)
        if not changes.shape:
            raise MissingValue(f"{self.name} has nothing to change; give updates, such as {{'field': value}}")
        self._version.refuse_change(changes)
        changes = self._maintained.beside(changes)
        limit = None if self._selector.is_key(where) else ONE_AND_A_WITNESS
        version = self._version.where(parameters)
        selected = where if version.shape else None
        statement = Update(
            self.model, changes.shape, changes.values, where & version if version.shape else where, limit
        )
        return PreparedUpdate(statement, self._required(parameters), selected)

    def alone(self, prepared: PreparedUpdate) -> bool:
        return (
            prepared.statement.limit is None
            and prepared.selected is None
            and self._is_always_readable
            and Update in self.database.dialect.returning
        )

    async def run(self, scope: Place, prepared: PreparedUpdate) -> Output:
        database = self.database
        connection = await scope.connection(database)
        records = await database.executor.records(connection, prepared.statement)
        if len(records) > 1:
            raise MultipleRecords(
                f"{self.name} matches more than one row; {self.model.name}BulkUpdateNode changes many"
            )
        if records:
            return self.row(records[0])
        if prepared.selected is not None:
            await self._version.refuse_stale(database, connection, prepared.selected)
        if prepared.required:
            raise RecordNotFound(f"{self.name} found no row to change; required=False accepts that")
        return {"found": False}

    def _required(self, parameters: Mapping[str, object]) -> bool:
        required = parameters.get("required", True)
        if not isinstance(required, bool):
            raise InvalidValue(f"{self.name} required: expected a bool, got {type(required).__name__}")
        return required


class PreparedDelete(NamedTuple):
    """A deletion; ``selected`` as in :class:`PreparedUpdate`.

    :param key: what the key of the row is, where equal keys are the same and so nothing has to come back.
    """

    statement: Delete
    selected: Where | None
    key: dict[str, Any] | None = None


class DeleteNode(ModelNode):
    """Deletes one row, if it is there."""

    suffix = "DeleteNode"
    writes = True
    settled = True

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self._version = ExpectedVersion(model, self.name)
        self._selector = RowSelector(model, self.name, takes_values=False, controls=self._version.names)
        # Texts may be equal that differ in case, and decimals that differ in digits.
        exact = len(model.key) == 1 and model.key[0].type.python in (int, UUID)
        self._exact_key = model.key[0].name if exact else None

    @property
    def outputs(self) -> frozenset[str] | None:
        alias = ["id"] if len(self.model.key) == 1 else []
        return frozenset({"deleted", "result"}).union(alias, (field.name for field in self.model.key))

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        self._selector.check(parameters, names)
        self._version.where(parameters)

    def missing(self, names: Collection[str]) -> str | None:
        return self._selector.missing(names)

    def prepare(self, parameters: Mapping[str, Any]) -> PreparedDelete:
        by_key = self._selector.by_key(parameters)
        if by_key is not None:
            if self._exact_key is None:
                return PreparedDelete(Delete(self.model, by_key), None)
            statement = Delete(self.model, by_key, returning=False)
            return PreparedDelete(statement, None, {self._exact_key: by_key.values[0]})
        where, _ = self._selector.where(parameters)
        limit = None if self._selector.is_key(where) else ONE_AND_A_WITNESS
        version = self._version.where(parameters)
        if not version.shape:
            return PreparedDelete(Delete(self.model, where, limit), None)
        return PreparedDelete(Delete(self.model, where & version, limit), where)

    def alone(self, prepared: PreparedDelete) -> bool:
        return prepared.key is not None or (
            prepared.statement.limit is None
            and prepared.selected is None
            and Delete in self.database.dialect.returning
        )

    async def run(self, scope: Place, prepared: PreparedDelete) -> Output:
        executor = self.database.executor
        connection = await scope.connection(self.database)
        if prepared.key is not None:
            records = [prepared.key] * await executor.affected(connection, prepared.statement)
        else:
            records = await executor.records(connection, prepared.statement)
        if len(records) > 1:
            raise MultipleRecords(
                f"{self.name} matches more than one row; {self.model.name}BulkDeleteNode deletes many"
            )
        if not records:
            if prepared.selected is not None:
                await self._version.refuse_stale(self.database, connection, prepared.selected)
            return {"deleted": 0, "result": 0}
        key = records[0]
        if len(key) == 1:
            key = {**key, "id": next(iter(key.values()))}
        return {**key, "deleted": 1, "result": 1}
