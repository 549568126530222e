"""What nodes for one row share: the output of a row, and the way in which parameters select it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from dataflow.errors import InvalidValue, MissingValue, UnknownName, ValidationError
from dataflow.execution.database import Database
from dataflow.filters.bounds import equal_to
from dataflow.filters.mongo import read_filter
from dataflow.filters.selector import Comparison, parse_selector
from dataflow.model.schema import Model, ModelField
from dataflow.nodes.contract import Output
from dataflow.statements import EVERYTHING, Shape, Where, compare
from dataflow.types import Kind

__all__ = ["ModelNode", "RowSelector", "Selection", "key_names"]

NAMES_KEPT = 256
ROW_OUTPUTS = frozenset({"record", "result", "found"})


class ModelNode:
    """A node of a model: its names, and the output of a row."""

    suffix: ClassVar[str]
    writes = False
    settled = False
    waits = False
    outside = False

    def __init__(self, database: Database, model: Model) -> None:
        self.database = database
        self.model = model
        self.name = f"{model.name}{self.suffix}"
        self._key_alias = model.id_name if len(model.key) == 1 and model.id_name not in model.fields else None

    @property
    def outputs(self) -> frozenset[str] | None:
        alias = () if self._key_alias is None else (self._key_alias,)
        return frozenset(self.model.fields).union(alias, ROW_OUTPUTS)

    def may_write(self, parameters: Mapping[str, object]) -> bool:
        return self.writes

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        return True

    def unknown(self, name: str, candidates: Collection[str]) -> UnknownName:
        """The error for a parameter that the node does not take."""
        return UnknownName("parameter", name, self.name, candidates)

    def row(self, record: dict[str, Any]) -> Output:
        """The output for a row that is there; the reserved names win over columns of the same name."""
        output = record.copy()
        if self._key_alias is not None:
            output[self._key_alias] = record[self.model.key[0].name]
        output["record"] = output["result"] = record
        output["found"] = True
        return output


class Selection(NamedTuple):
    """How parameters of these names select a row, settled once.

    :param comparisons: field, operator and the parameter that holds the value.
    :param values: the fields whose parameters are new values.
    :param key: the parameter that holds the key, where that is a single field and nothing else selects.
    """

    comparisons: tuple[Comparison, ...]
    values: tuple[ModelField, ...]
    key: str | None = None


class RowSelector:
    """Reads the selectors of a node: the key under its names, ``conditions``, or else fields that must be equal.

    :param name: the node's, for messages.
    :param takes_values: whether a field beside a selector is a new value.
    :param controls: the parameters of the node that are neither.
    """

    def __init__(
        self, model: Model, name: str, *, takes_values: bool, controls: Collection[str] = ()
    ) -> None:
        self._model = model
        self._name = name
        self._takes_values = takes_values
        self._controls = frozenset(controls) | {"conditions"}
        self._keys = key_names(model)
        self._sole_key = frozenset(self._keys) if len(model.key) == 1 else frozenset()
        self._key_shape = _shape_of_key(model.key)
        self.select: Callable[[tuple[str, ...], str | None], Selection] = lru_cache(NAMES_KEPT)(self._select)

    def is_key(self, where: Where) -> bool:
        """Whether a condition is the whole key, so that it meets one row at most."""
        return where.shape == self._key_shape and bool(self._key_shape)

    def selection(self, parameters: Mapping[str, object], names: Collection[str]) -> Selection:
        """How these names select, with the text of ``conditions`` if it is one.

        :raises UnknownName: for a name that is neither selector nor field.
        """
        conditions = parameters.get("conditions")
        return self.select(tuple(names), conditions if isinstance(conditions, str) else None)

    def missing(self, names: Collection[str]) -> str | None:
        """What the node lacks to select a row."""
        fields = self._model.fields.keys() - self._controls
        if "conditions" in names or any(name in self._keys or name in fields for name in names):
            return None
        key = " or ".join(sorted(self._keys)) or "a key"
        return f"{self._name} needs to know which row: give {key}, or conditions"

    def by_key(self, parameters: Mapping[str, object]) -> Where | None:
        """The condition on the row where the key, of one field, is all that is given: by far the commonest."""
        if len(parameters) == 1:
            for name, value in parameters.items():
                if name in self._sole_key:
                    try:
                        return Where(self._key_shape, (self._model.key[0].coerce(value),))
                    except InvalidValue:
                        return None  # where() tells whether it is wrong, or only none that a row can have
        return None

    def where(self, parameters: Mapping[str, object]) -> tuple[Where, Selection]:
        """The condition on the row, and the names that are values.

        :raises ValidationError: where nothing selects, or a value has the wrong type.
        """
        selection = self.selection(parameters, parameters)
        if selection.key is not None:
            where = equal_to(self._model.key[0], parameters[selection.key])
            return where, selection
        where = EVERYTHING
        conditions = parameters.get("conditions")
        if conditions is not None and not isinstance(conditions, str):
            where = read_filter(self._model, conditions, f"{self._name} conditions")
        for field, operator, parameter in selection.comparisons:
            if parameter not in parameters:
                raise MissingValue(f"{self._name}: :{parameter} of the conditions has no value")
            where &= self._comparison(self._model.fields[field], operator, parameters[parameter])
        if not where.shape:
            raise MissingValue(self.missing(()) or "")
        return where, selection

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> Selection:
        """Check the names, and the values that are known."""
        selection = self.selection(parameters, names)
        conditions = parameters.get("conditions")
        if conditions is not None and not isinstance(conditions, str):
            read_filter(self._model, conditions, f"{self._name} conditions")
        for field, operator, parameter in selection.comparisons:
            if parameter in parameters:
                self._comparison(self._model.fields[field], operator, parameters[parameter])
        return selection

    def _comparison(self, field: ModelField, operator: str, value: object) -> Where:
        if operator == "$eq" and value is not None and field.type.kind is not Kind.JSON:
            return equal_to(field, value)
        # Which says what cannot be compared.
        return read_filter(self._model, {field.name: {operator: value}}, f"{self._name} conditions")

    def _select(self, names: tuple[str, ...], text: str | None) -> Selection:
        bound = self._bound(text)
        taken = {comparison.parameter for comparison in bound}
        comparisons = list(bound)
        fields: list[str] = []
        selected = "conditions" in names
        for name in names:
            if name in taken or name in self._controls:
                continue
            key = self._keys.get(name)
            if key is not None:
                comparisons.append(Comparison(key, "$eq", name))
                selected = True
            elif name in self._model.fields:
                fields.append(name)
            else:
                raise UnknownName("parameter", name, self._name, self._accepted())
        if not selected:
            comparisons += [Comparison(name, "$eq", name) for name in fields]
            fields = []
        elif fields and not self._takes_values:
            raise ValidationError(
                f"{self._name} is given {fields[0]!r} beside a selector; put it into conditions to select by it"
            )
        values = tuple(self._model.fields[name] for name in fields)
        by_key = (
            len(comparisons) == 1 and "conditions" not in names and comparisons[0].parameter in self._sole_key
        )
        return Selection(tuple(comparisons), values, comparisons[0].parameter if by_key else None)

    def _bound(self, text: str | None) -> Sequence[Comparison]:
        if text is None:
            return ()
        bound = parse_selector(text, f"{self._name} conditions")
        return [comparison._replace(field=self._field_of(comparison.field).name) for comparison in bound]

    def _field_of(self, name: str) -> ModelField:
        return self._model.field(self._keys.get(name, name))

    def _accepted(self) -> Collection[str]:
        return {*self._controls, *self._keys, *self._model.fields}


def key_names(model: Model) -> Mapping[str, str]:
    """The names that select by key, each with its field; ``id`` and ``order_id`` stand for the key of an Order."""
    names = {field.name: field.name for field in model.key}
    if len(model.key) == 1:
        for alias in ("id", model.id_name):
            if alias not in model.fields:
                names[alias] = model.key[0].name
    return names


def _shape_of_key(key: Sequence[ModelField]) -> Shape:
    where = EVERYTHING
    for field in key:
        where &= compare(field.name, "$eq", None)
    return where.shape
