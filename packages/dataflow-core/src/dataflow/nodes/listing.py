"""The node for many rows: List."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dataflow.errors import InvalidValue
from dataflow.execution.database import Database
from dataflow.filters.bounds import equal_to
from dataflow.filters.mongo import read_filter
from dataflow.filters.pipelines import read_pipeline
from dataflow.model.features import deletion_field
from dataflow.model.schema import Model
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.inclusion import Inclusion, including
from dataflow.nodes.rows import ModelNode
from dataflow.statements import EVERYTHING, Aggregate, Order, Select, Where
from dataflow.types import GREATEST_INTEGER, Kind

__all__ = ["ListNode"]

CONTROLS = frozenset(
    {
        "filter",
        "order_by",
        "limit",
        "offset",
        "fields",
        "include",
        "aggregate",
        "count_only",
        "include_deleted",
    }
)
IN_THE_PIPELINE = {
    "order_by": "$sort",
    "limit": "$limit",
    "offset": "$skip",
    "fields": "$project",
    "count_only": "$count",
}


class ListNode(ModelNode):
    """Finds the rows that match a filter, with what they refer to, or what a pipeline makes of them.

    A parameter named like a field filters by it too.
    """

    suffix = "ListNode"
    settled = True

    def __init__(self, database: Database, model: Model) -> None:
        super().__init__(database, model)
        self._by_key = tuple(Order(field.name) for field in model.key)

    @property
    def outputs(self) -> frozenset[str] | None:
        return frozenset({"records", "count", "result"})

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        for name in names:
            if name not in CONTROLS and name not in self.model.fields:
                raise self.unknown(name, {*CONTROLS, *self.model.fields})
        self.prepare(parameters)

    def missing(self, names: Collection[str]) -> str | None:
        return None

    def prepare(self, parameters: Mapping[str, Any]) -> Select | Aggregate | Inclusion:
        where = EVERYTHING
        for name, value in parameters.items():
            if name not in CONTROLS:
                where &= self._equal(name, value)
        if parameters.get("filter") is not None:
            where &= read_filter(self.model, parameters["filter"], f"{self.name} filter")
        with_deleted = self._with_deleted(parameters)
        if parameters.get("aggregate") is not None:
            return self._aggregate(where, parameters, with_deleted)
        included = parameters.get("include")
        if self._flag(parameters, "count_only"):
            if included is not None:
                raise InvalidValue(
                    f"{self.name}: count_only brings no rows that could include any; leave one out"
                )
            return Select(self.model, where, counting=True, with_deleted=with_deleted)
        limit, offset = self._number(parameters, "limit"), self._number(parameters, "offset")
        order = self._order(parameters.get("order_by"), cut=limit is not None or offset is not None)
        fields = self._fields(parameters.get("fields"))
        select = Select(self.model, where, order, limit, offset, fields, with_deleted=with_deleted)
        return select if included is None else self._including(select, included)

    def alone(self, prepared: Select | Aggregate | Inclusion) -> bool:
        return not isinstance(prepared, Inclusion)

    async def run(self, scope: Place, prepared: Select | Aggregate | Inclusion) -> Output:
        database = self.database
        if isinstance(prepared, Inclusion):
            records = await prepared.read(scope, database)
            return {"records": records, "count": len(records), "result": records}
        connection = await scope.connection(database)
        records = await database.executor.records(connection, prepared)
        if isinstance(prepared, Select) and prepared.counting:
            count = records[0]["count"]
            return {"records": [], "count": count, "result": count}
        return {"records": records, "count": len(records), "result": records}

    def _aggregate(self, where: Where, parameters: Mapping[str, object], with_deleted: bool) -> Aggregate:
        for name, stage in IN_THE_PIPELINE.items():
            given = parameters.get(name)
            if given is not None and given is not False:
                raise InvalidValue(
                    f"{self.name}: {name} cannot stand beside aggregate; write {stage} in the pipeline"
                )
        if parameters.get("include") is not None:
            raise InvalidValue(f"{self.name}: what aggregate makes are no rows, which include could add to")
        pipeline = read_pipeline(self.model, parameters["aggregate"], f"{self.name} aggregate")
        return Aggregate(self.model, where, pipeline, with_deleted)

    def _including(self, select: Select, include: object) -> Select | Inclusion:
        names = self._names(include, "include", "['customer', 'order_items']")
        return including(select, names, self.database.models, f"{self.name} include") if names else select

    def _equal(self, name: str, value: object) -> Where:
        field = self.model.fields.get(name)
        if field is None:
            raise self.unknown(name, {*CONTROLS, *self.model.fields})
        if field.type.kind is Kind.JSON:
            # Which says what to compare instead of a whole document.
            return read_filter(self.model, {name: {"$eq": value}}, self.name)
        return equal_to(field, value)

    def _number(self, parameters: Mapping[str, object], name: str) -> int | None:
        number = parameters.get(name)
        if number is None:
            return None
        if type(number) is not int:
            raise InvalidValue(f"{self.name} {name}: expected int, got {type(number).__name__}")
        if not 0 <= number <= GREATEST_INTEGER:
            raise InvalidValue(f"{self.name} {name}: must be 0 or greater, and fit into 64 bits")
        return number

    def _flag(self, parameters: Mapping[str, object], name: str) -> bool:
        flag = parameters.get(name, False)
        if not isinstance(flag, bool):
            raise InvalidValue(f"{self.name} {name}: expected bool, got {type(flag).__name__}")
        return flag

    def _with_deleted(self, parameters: Mapping[str, object]) -> bool:
        flag = self._flag(parameters, "include_deleted")
        if flag and deletion_field(self.model) is None:
            raise InvalidValue(
                f"{self.name} include_deleted: {self.model.name} has no soft deletion, "
                "so that no deleted row is kept; leave it out"
            )
        return flag

    def _order(self, order_by: object, *, cut: bool) -> tuple[Order, ...]:
        """What was asked for, then the key: rows that tie, or of which only some are wanted, need an order too."""
        names = self._names(order_by, "order_by", "['-created_at', 'name']")
        if not names and not cut:
            return ()
        order: dict[str, Order] = {}
        for name in names:
            field = self.model.field(name.removeprefix("-"))
            if field.type.kind is Kind.JSON:
                raise InvalidValue(f"{self.name} order_by: {field.name} holds JSON, which has no order")
            order.setdefault(field.name, Order(field.name, name.startswith("-")))
        for criterion in self._by_key:
            order.setdefault(criterion.field, criterion)
        return tuple(order.values())

    def _fields(self, fields: object) -> tuple[str, ...] | None:
        if fields is None:
            return None
        names = self._names(fields, "fields", "['id', 'name']")
        if not names:
            raise InvalidValue(f"{self.name} fields: the list is empty; leave it out for all fields")
        return tuple(dict.fromkeys(self.model.field(name).name for name in names))

    def _names(self, names: object, parameter: str, example: str) -> Sequence[str]:
        if names is None:
            return ()
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise InvalidValue(f"{self.name} {parameter}: expected a list of names such as {example}")
        return names
