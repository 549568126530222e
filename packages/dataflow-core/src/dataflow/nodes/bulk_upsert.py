"""The node that stores many rows, new ones and those that are there: BulkUpsert."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from dataflow.errors import InvalidValue, MissingValue, UnknownName
from dataflow.execution.database import Database
from dataflow.execution.upserts import upserts
from dataflow.model.features import version_field
from dataflow.model.field import utcnow
from dataflow.model.schema import Model
from dataflow.nodes.bulk import BulkNode, Input
from dataflow.nodes.bulk_plans import BulkPlan
from dataflow.nodes.bulk_rows import Batch, Group
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.last_rows import last_of_each
from dataflow.statements import UpsertMany
from dataflow.types import Kind

__all__ = ["BulkUpsertNode"]

SAME_NAMES = attrgetter("fields", "stamped", "given")


class PreparedUpsert(NamedTuple):
    """The rows, and how they meet those that are there.

    :param match: the fields by which a row is the same.
    :param updatable: the fields that may change in a row that exists.
    :param native: whether one statement of the database does it.
    """

    input: Input
    match: tuple[str, ...]
    updatable: frozenset[str]
    native: bool

    def statement(self, group: Group) -> UpsertMany:
        """The statement for the rows of a group."""
        plan, fields = group.plan, group.plan.model.fields
        kept = [name for name in plan.stamped if fields[name].maintained == "updated"]
        changed = (*(name for name in plan.given if name in self.updatable), *kept)
        stamps = (utcnow(),) * len(plan.stamped)
        return UpsertMany(plan.model, plan.fields + plan.stamped, group.rows, stamps, self.match, changed)

    @property
    def statements(self) -> Sequence[UpsertMany]:
        """The statements, as far as they are known."""
        if not self.native:
            return []
        return [self.statement(group) for batch in self.input.checked or () for group in batch.groups]


class BulkUpsertNode(BulkNode):
    """Stores many rows; a row that is there already gets the values that are given."""

    suffix = "BulkUpsertNode"
    controls = frozenset({"data", "batch_size", "match_fields", "progress", "update_fields"})

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self._key = tuple(field.name for field in model.key)
        self._version = version_field(model)

    @property
    def outputs(self) -> frozenset[str] | None:
        return frozenset({"inserted", "updated", "result"})

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        super().check(parameters, names)
        self._updatable(parameters, self._match(parameters))

    def prepare(self, parameters: Mapping[str, Any]) -> PreparedUpsert:
        match = self._match(parameters)
        updatable = self._updatable(parameters, match)
        input = self.input(parameters, SAME_NAMES, partial(self._plan, match))
        if input.checked is not None:
            input = input._replace(checked=last_of_each(input.checked, match))
        given = [name for name, field in self.model.fields.items() if name in match or not field.generated]
        native = upserts(self.database.dialect, self.model, match, given)
        return PreparedUpsert(input, match, updatable, native)

    async def run(self, scope: Place, prepared: PreparedUpsert) -> Output:
        inserted = updated = done = 0
        input = prepared.input
        batches = input.batches(in_process=self.database.in_process)
        try:
            while (batch := await batches.next()) is not None:
                new, met = await self._store(scope, prepared, batch)
                inserted, updated, done = inserted + new, updated + met, done + batch.size
                input.tell(done)
        finally:
            await batches.close()
        return {"inserted": inserted, "updated": updated, "result": inserted + updated}

    async def _store(self, scope: Place, prepared: PreparedUpsert, batch: Batch) -> tuple[int, int]:
        inserted = updated = 0
        if prepared.input.checked is None:
            [batch] = last_of_each([batch], prepared.match)
        for group in batch.groups:
            connection = await scope.connection(self.database)
            statement = prepared.statement(group)
            new, met = await self.database.executor.upsert_many(connection, statement)
            inserted, updated = inserted + new, updated + met
        return inserted, updated

    def _plan(self, match: tuple[str, ...], names: tuple[str, ...]) -> BulkPlan:
        plan = self.plans.plan(names)
        lacking = [name for name in match if name not in names]
        if lacking:
            raise MissingValue(
                f"{self.name} needs a value for {', '.join(map(repr, lacking))} in each row, to match rows by it; "
                "match_fields=[...] names others"
            )
        return plan

    def _match(self, parameters: Mapping[str, object]) -> tuple[str, ...]:
        match = self._names(parameters, "match_fields")
        if match is None:
            return self._key
        if not match:
            raise InvalidValue(
                f"{self.name} match_fields: the list is empty; leave it out to match by the key"
            )
        for name in match:
            if self.model.fields[name].type.kind is Kind.JSON:
                raise InvalidValue(f"{self.name} match_fields: {name} holds JSON, which cannot be compared")
        return match

    def _updatable(self, parameters: Mapping[str, object], match: tuple[str, ...]) -> frozenset[str]:
        """The fields that may change: never the key, nor what rows are matched by."""
        named = self._names(parameters, "update_fields")
        if named is None:
            fields = self.model.fields.values()
            kept = [field.name for field in fields if field.maintained == "created" or field is self._version]
            return frozenset(self.model.fields).difference(match, self._key, kept)
        for name in named:
            if name in match or name in self._key:
                part = "match_fields" if name in match else "the key"
                raise InvalidValue(
                    f"{self.name} update_fields: {name} is part of {part}, which stays as it is"
                )
            if self.model.fields[name] is self._version:
                raise InvalidValue(f"{self.name} update_fields: {name} counts the changes by itself")
        return frozenset(named)

    def _names(self, parameters: Mapping[str, object], parameter: str) -> tuple[str, ...] | None:
        names = parameters.get(parameter)
        if names is None:
            return None
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise InvalidValue(f"{self.name} {parameter}: expected a list of names such as ['email']")
        for name in names:
            if name not in self.model.fields:
                raise UnknownName("field", name, f"{self.name} {parameter}", self.model.fields)
        return tuple(dict.fromkeys(names))
