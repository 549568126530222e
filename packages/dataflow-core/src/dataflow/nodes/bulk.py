"""What the nodes share that store many rows: their parameters, and the way through the batches."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from dataflow.errors import InvalidValue, MissingValue
from dataflow.execution.database import Database
from dataflow.model.schema import Model
from dataflow.nodes.bulk_controls import Report, read_batch_size, read_report
from dataflow.nodes.bulk_plans import BulkPlan, BulkPlans
from dataflow.nodes.bulk_rows import Batch, RowReader
from dataflow.nodes.bulk_sources import Data, Source, check_data, is_kept, length_of, open_source
from dataflow.nodes.rows import ModelNode
from dataflow.nodes.values import NewRow
from dataflow.progress import Progress

__all__ = ["Batches", "BulkNode", "Input"]


class Batches(Protocol):
    """Batches that were checked, one after the other."""

    async def next(self) -> Batch | None:
        """The next one; None at the end."""

    async def close(self) -> None:
        """Let go, in the middle too."""


class Input(NamedTuple):
    """What a bulk node is to work through.

    :param checked: the batches of a list, all of which are checked before the first one is sent; of what is read only
        as it is needed, None.
    """

    data: Data
    checked: Sequence[Batch] | None
    reader: RowReader
    size: int
    report: Report | None

    def batches(self, *, in_process: bool) -> Batches:
        """Begin to go through them.

        :param in_process: whether the caller is stepped in a thread that may block, and must not await.
        """
        if self.checked is not None:
            return _Checked(iter(self.checked))
        return _Checking(open_source(self.data, self.size, in_process=in_process), self.reader)

    def tell(self, done: int) -> None:
        """Report how many rows are done."""
        if self.report is not None:
            self.report(Progress(done, length_of(self.data)))


class _Checked:
    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches

    async def next(self) -> Batch | None:
        return next(self._batches, None)

    async def close(self) -> None:
        pass


class _Checking:
    """Reads and checks a batch when the one before is done, so that no more than one is in memory."""

    def __init__(self, source: Source, reader: RowReader) -> None:
        self._source = source
        self._reader = reader
        self._read = 0

    async def next(self) -> Batch | None:
        rows = await self._source.next()
        if not rows:
            return None
        batch = self._reader.read(rows, self._read)
        self._read += len(rows)
        return batch

    async def close(self) -> None:
        await self._source.close()


class BulkNode(ModelNode):
    """A node that is given rows in ``data``. A parameter named like a field fills the rows that lack it."""

    writes = True
    controls: ClassVar[frozenset[str]] = frozenset()
    """The parameters that are no fields."""

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self.new = NewRow(model, self.name)
        self.plans = BulkPlans(model, self.new)

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        self._check_names(names)
        self.new.check(self._filling(parameters))
        self._batch_size(parameters)
        read_report(parameters, self.name)
        data = parameters.get("data")
        if data is None:
            return
        check_data(data, f"{self.name} data")
        if isinstance(data, list | tuple) and not self.tolerates(parameters):
            for index, row in enumerate(data):
                self._check_row(row, index)

    def missing(self, names: Collection[str]) -> str | None:
        return None if "data" in names else f"{self.name} needs data, a list of rows"

    def alone(self, prepared: Any) -> bool:
        return False

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        return is_kept(parameters.get("data"))

    def tolerates(self, parameters: Mapping[str, object]) -> bool:
        """Whether rows that are refused are set aside; else the first one is an error."""
        return False

    def input(
        self,
        parameters: Mapping[str, object],
        kind: Callable[[BulkPlan], object],
        plan: Callable[[tuple[str, ...]], BulkPlan] | None = None,
        omitted: Mapping[str, object] | None = None,
    ) -> Input:
        """Check the parameters, and all rows where they are a list.

        :param kind: rows can share a statement where this tells the same of their plans.
        :param plan: how rows of given names become values, where that is no matter of the model alone.
        :param omitted: for fields that a row may lack, values that mean the same.
        """
        self._check_names(parameters)
        filling = self._filling(parameters)
        self.new.check(filling)
        size, report = self._batch_size(parameters), read_report(parameters, self.name)
        if parameters.get("data") is None:
            raise MissingValue(self.missing(()) or "")
        data = check_data(parameters["data"], f"{self.name} data")
        reader = RowReader(
            plan or self.plans.plan, kind, filling, omitted or {}, tolerant=self.tolerates(parameters)
        )
        checked = None
        if isinstance(data, list | tuple):
            starts = range(0, len(data), size)
            checked = [reader.read(data[start : start + size], start) for start in starts]
        return Input(data, checked, reader, size, report)

    def _check_row(self, row: object, index: int) -> None:
        """Check what is given of a row, which may get the rest from elsewhere."""
        if not isinstance(row, Mapping):
            raise InvalidValue(f"row {index}: expected a dict, got {type(row).__name__}")
        try:
            self.new.check(row)
        except InvalidValue as error:
            raise InvalidValue(f"row {index}: {error}") from None

    def _check_names(self, names: Collection[str]) -> None:
        for name in names:
            if name not in self.controls and name not in self.model.fields:
                raise self.unknown(name, {*self.controls, *self.model.fields})

    def _filling(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        return {name: value for name, value in parameters.items() if name not in self.controls}

    def _batch_size(self, parameters: Mapping[str, object]) -> int:
        tolerant = self.tolerates(parameters)
        return read_batch_size(parameters, self.database.dialect, self.name, tolerant=tolerant)
