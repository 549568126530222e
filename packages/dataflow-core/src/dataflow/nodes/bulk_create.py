"""The node that stores many new rows: BulkCreate."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from dataflow.abc import Connection
from dataflow.errors import InvalidValue
from dataflow.execution.database import Database
from dataflow.execution.salvage import salvage
from dataflow.model.field import MISSING, utcnow
from dataflow.model.schema import Model
from dataflow.nodes.bulk import BulkNode, Input
from dataflow.nodes.bulk_omissions import settled
from dataflow.nodes.bulk_plans import OMITTED, is_optional
from dataflow.nodes.bulk_rows import Batch, Group, Refusal
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.flat_rows import Values
from dataflow.statements import InsertMany

__all__ = ["BulkCreateNode"]

ON_ERROR = ("abort", "continue")
COLUMNS = attrgetter("fields", "stamped")


class PreparedRows(NamedTuple):
    """The rows, and what is wanted of them.

    :param tolerant: whether rows that are refused are told in the output instead of ending it.
    """

    input: Input
    return_rows: bool
    tolerant: bool

    @property
    def statements(self) -> Sequence[InsertMany]:
        """The statements, as far as the rows are known."""
        batches = self.input.checked or ()
        groups = [part for batch in batches for group in batch.groups for part in settled(group, ())]
        return [insertion(group, group.rows, returning=self.return_rows) for group in groups]


class BulkCreateNode(BulkNode):
    """Stores many rows. A parameter named like a field fills the rows that lack it."""

    suffix = "BulkCreateNode"
    controls = frozenset({"data", "batch_size", "on_error", "progress", "return_rows"})

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self._omitted = dict(_omissions(model))

    @property
    def outputs(self) -> frozenset[str] | None:
        return frozenset({"inserted", "failed", "batches", "result"})

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        super().check(parameters, names)
        self._return_rows(parameters)
        self.tolerates(parameters)

    def tolerates(self, parameters: Mapping[str, object]) -> bool:
        choice = parameters.get("on_error", "abort")
        if choice not in ON_ERROR:
            raise InvalidValue(f"{self.name} on_error: expected {' or '.join(map(repr, ON_ERROR))}")
        if choice == "continue" and not self.database.has_savepoints:
            raise InvalidValue(
                f"{self.name} on_error: to 'continue' takes savepoints, which {self.database.dialect.name} does not "
                f"have; leave on_error out and check the rows before"
            )
        return choice == "continue"

    def prepare(self, parameters: Mapping[str, Any]) -> PreparedRows:
        return_rows, tolerant = self._return_rows(parameters), self.tolerates(parameters)
        return PreparedRows(self.input(parameters, COLUMNS, omitted=self._omitted), return_rows, tolerant)

    async def run(self, scope: Place, prepared: PreparedRows) -> Output:
        inserted = done = number = 0
        records: list[dict[str, Any]] = []
        failed: list[Refusal] = []
        batches = prepared.input.batches(in_process=self.database.in_process)
        try:
            while (batch := await batches.next()) is not None:
                refused = [*batch.refusals]
                if batch.groups:
                    connection = await scope.connection(self.database)
                    records += await self._store(connection, batch, prepared, refused)
                failed += sorted(refused, key=lambda refusal: refusal.row)
                number += 1
                done += batch.size
                inserted += batch.size - len(refused)
                prepared.input.tell(done)
        finally:
            await batches.close()
        return {
            "inserted": inserted,
            "failed": [_told(refusal) for refusal in failed],
            "batches": number,
            "result": records if prepared.return_rows else inserted,
        }

    async def _store(
        self, connection: Connection, batch: Batch, prepared: PreparedRows, refused: list[Refusal]
    ) -> list[dict[str, Any]]:
        """Insert a batch; the rows where they are wanted back."""
        records: list[dict[str, Any]] = []
        nulls = self.database.nulls(self.model)
        for group in chain.from_iterable(settled(group, nulls) for group in batch.groups):

            async def insert(rows: Sequence[Values], group: Group = group) -> None:
                statement = insertion(group, rows, returning=prepared.return_rows)
                records.extend(await self.database.executor.insert_many(connection, statement))

            if not prepared.tolerant:
                await insert(group.rows)
                continue
            for position, error in await salvage(connection, group.rows, insert):
                refused.append(Refusal(group.indices[position], error))
        return records

    def _return_rows(self, parameters: Mapping[str, object]) -> bool:
        flag = parameters.get("return_rows", False)
        if not isinstance(flag, bool):
            raise InvalidValue(f"{self.name} return_rows: expected a bool, got {type(flag).__name__}")
        return flag


def insertion(group: Group, rows: Sequence[Values], *, returning: bool) -> InsertMany:
    """The statement that stores rows of a group."""
    plan = group.plan
    stamps = (utcnow(),) * len(plan.stamped)
    return InsertMany(plan.model, plan.fields + plan.stamped, rows, stamps, returning)


def _omissions(model: Model) -> Iterable[tuple[str, object]]:
    """The fields that a row may lack, each with what means the same."""
    for field in model.fields.values():
        if is_optional(field):
            yield field.name, OMITTED
        elif field.default is not MISSING:
            yield field.name, field.default


def _told(refusal: Refusal) -> dict[str, object]:
    error = refusal.error
    return {"index": refusal.row, "error": str(error), "error_type": type(error).__name__}
