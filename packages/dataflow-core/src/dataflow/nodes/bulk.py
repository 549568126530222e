"""The nodes for many rows at once: BulkCreate."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from dataflow.errors import InvalidValue, MissingValue
from dataflow.execution.database import Database
from dataflow.model.schema import Model
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.rows import ModelNode
from dataflow.nodes.values import NewRow, RowPlan
from dataflow.statements import InsertMany

__all__ = ["BulkCreateNode"]

CONTROLS = frozenset({"data", "batch_size", "return_rows"})


class PreparedRows(NamedTuple):
    """The inserts: one for each run of rows that give the same fields."""

    statements: tuple[InsertMany, ...]
    return_rows: bool


class BulkCreateNode(ModelNode):
    """Stores many rows. A parameter named like a field fills the rows that lack it."""

    suffix = "BulkCreateNode"
    writes = True

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self._new = NewRow(model, self.name)

    @property
    def outputs(self) -> frozenset[str] | None:
        return frozenset({"inserted", "failed", "batches", "result"})

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        self._check_names(names)
        filling = {name: value for name, value in parameters.items() if name not in CONTROLS}
        self._new.check(filling)
        self._batch_size(parameters)
        self._return_rows(parameters)
        for index, row in enumerate(self._data(parameters) if "data" in parameters else ()):
            self._located(self._new.check, row, index)

    def missing(self, names: Collection[str]) -> str | None:
        return None if "data" in names else f"{self.name} needs data, a list of rows"

    def prepare(self, parameters: Mapping[str, Any]) -> PreparedRows:
        self._check_names(parameters)
        filling = {name: value for name, value in parameters.items() if name not in CONTROLS}
        batch_size, return_rows = self._batch_size(parameters), self._return_rows(parameters)
        planned: list[tuple[RowPlan, tuple[object, ...]]] = []
        for index, row in enumerate(self._data(parameters)):
            planned.append(self._located(self._planned, {**filling, **row} if filling else row, index))
        statements = tuple(
            InsertMany(self.model, plan.fields, [values for _, values in group], batch_size, return_rows)
            for plan, group in groupby(planned, key=lambda pair: pair[0])
        )
        return PreparedRows(statements, return_rows)

    def alone(self, prepared: PreparedRows) -> bool:
        return False

    async def run(self, scope: Place, prepared: PreparedRows) -> Output:
        database = self.database
        inserted = batches = 0
        records: list[dict[str, Any]] = []
        for statement in prepared.statements:
            outcome = await database.executor.insert_many(await scope.connection(database), statement)
            inserted += outcome.count
            batches += outcome.batches
            records += outcome.records or ()
        result = records if prepared.return_rows else inserted
        return {"inserted": inserted, "failed": [], "batches": batches, "result": result}

    def _check_names(self, names: Collection[str]) -> None:
        for name in names:
            if name not in CONTROLS and name not in self.model.fields:
                raise self.unknown(name, {*CONTROLS, *self.model.fields})

    def _planned(self, row: Mapping[str, object]) -> tuple[RowPlan, tuple[object, ...]]:
        plan = self._new.plan(tuple(row))
        return plan, plan.values(row)

    def _located(self, work: Any, row: Mapping[str, object], index: int) -> Any:
        """Do something with a row; its errors tell which row it was."""
        try:
            return work(row)
        except (InvalidValue, MissingValue) as error:
            raise type(error)(f"row {index}: {error}") from None

    def _data(self, parameters: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
        data = parameters.get("data")
        if data is None:
            raise MissingValue(f"{self.name} needs data, a list of rows")
        if not isinstance(data, list | tuple):
            raise InvalidValue(f"{self.name} data: expected a list of dicts, got {type(data).__name__}")
        for index, row in enumerate(data):
            if not isinstance(row, Mapping):
                raise InvalidValue(
                    f"{self.name} data: row {index}: expected a dict, got {type(row).__name__}"
                )
        return data

    def _batch_size(self, parameters: Mapping[str, object]) -> int | None:
        size = parameters.get("batch_size")
        if size is None:
            return None
        if type(size) is not int or size < 1:
            raise InvalidValue(f"{self.name} batch_size: expected an int of at least 1")
        return size

    def _return_rows(self, parameters: Mapping[str, object]) -> bool:
        flag = parameters.get("return_rows", False)
        if not isinstance(flag, bool):
            raise InvalidValue(f"{self.name} return_rows: expected a bool, got {type(flag).__name__}")
        return flag
