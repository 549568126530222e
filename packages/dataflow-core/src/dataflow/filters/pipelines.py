"""MongoDB's aggregation pipelines, read into stages."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from dataflow.coercion import coercer
from dataflow.errors import InvalidValue, UnknownName
from dataflow.filters.mongo import read_filter
from dataflow.model.schema import Model, ModelField
from dataflow.stages import (
    ID,
    NUMBERS,
    Accumulator,
    Function,
    Group,
    Limit,
    Match,
    Project,
    Skip,
    Sort,
    Stage,
    documents_of,
)
from dataflow.statements import Order, Pipeline
from dataflow.types import GREATEST_INTEGER, ColumnType, Kind, is_storable_text

__all__ = ["read_pipeline"]

MAX_STAGES = 50
MAX_FIELDS = 500
CONSTANTS: Mapping[type, Kind] = {int: Kind.INTEGER, float: Kind.FLOAT, Decimal: Kind.DECIMAL}


class Read(NamedTuple):
    """What became of one stage of the document: usually one stage, and the values that it binds."""

    stages: tuple[Stage, ...]
    values: tuple[object, ...] = ()


def read_pipeline(model: Model, document: object, where: str) -> Pipeline:
    """Read a pipeline.

    :param model: whose rows go in.
    :param document: the pipeline, such as ``[{"$group": {"_id": "$city", "people": {"$sum": 1}}}]``.
    :param where: the place that messages name, such as ``"UserListNode aggregate"``.
    :raises UnknownName: for a stage, an accumulator or a field that does not exist.
    :raises InvalidValue: for whatever else cannot be read.
    """
    if not isinstance(document, list | tuple):
        raise InvalidValue(
            f"{where}: expected a list of stages such as [{{'$match': {{...}}}}], got {type(document).__name__}"
        )
    if len(document) > MAX_STAGES:
        raise InvalidValue(f"{where}: more than {MAX_STAGES} stages")
    stages: list[Stage] = []
    values: list[object] = []
    before: tuple[Stage, ...] = ()
    for number, item in enumerate(document, start=1):
        for stage in before:
            model = documents_of(stage, model)
        before, bound = _read_stage(model, item, f"{where}, stage {number}")
        stages += before
        values += bound
    return Pipeline(tuple(stages), tuple(values))


def _read_stage(model: Model, item: object, where: str) -> Read:
    if not isinstance(item, Mapping) or len(item) != 1:
        raise InvalidValue(f"{where}: a stage is a dict with one key, such as {{'$limit': 10}}")
    ((name, specification),) = item.items()
    read = STAGES.get(name) if isinstance(name, str) else None
    if read is None:
        raise UnknownName("stage", name, where, STAGES)
    return read(model, specification, f"{where} {name}")


def _read_match(model: Model, specification: object, where: str) -> Read:
    condition = read_filter(model, specification, where)
    return Read((Match(condition.shape),), condition.values)


def _read_group(model: Model, specification: object, where: str) -> Read:
    document = _document(specification, where, "{'_id': '$city', 'people': {'$sum': 1}}")
    if ID not in document:
        raise InvalidValue(
            f"{where}: say by which field, such as '_id': '$city'; None makes one group of all"
        )
    accumulators: list[Accumulator] = []
    values: list[object] = []
    for name, accumulator in document.items():
        if name != ID:
            place = f"{where}: {_output_name(name, where)}"
            read, bound = _read_accumulator(model, name, accumulator, place)
            accumulators.append(read)
            values += bound
    return Read((Group(_read_key(model, document[ID], where), tuple(accumulators)),), tuple(values))


def _read_key(model: Model, key: object, where: str) -> tuple[tuple[str, str], ...]:
    if key is None:
        return ()
    place = f"{where}: {ID}"
    if not isinstance(key, Mapping):
        parts = [(ID, _reference(key, place))]
    else:
        document = _document(key, place, "{'city': '$city'}")
        parts = [
            (f"{ID}.{_output_name(part, place)}", _reference(field, f"{place}.{part}"))
            for part, field in document.items()
        ]
    return tuple((part, _ordered(_field(model, name, place), place, "group by").name) for part, name in parts)


def _read_accumulator(
    model: Model, name: str, accumulator: object, where: str
) -> tuple[Accumulator, tuple[object, ...]]:
    if not isinstance(accumulator, Mapping) or len(accumulator) != 1:
        raise InvalidValue(f"{where}: expected one accumulator, such as {{'$sum': '$price'}}")
    ((operator, operand),) = accumulator.items()
    if not isinstance(operator, str) or operator not in ACCUMULATORS:
        raise UnknownName("accumulator", operator, where, ACCUMULATORS)
    function = ACCUMULATORS[operator]
    place = f"{where}: {operator}"
    if function == "count":
        if operand != {}:
            raise InvalidValue(f"{place} takes an empty dict: {{'$count': {{}}}}")
        return Accumulator(name, "count"), ()
    if function == "sum" and type(operand) in CONSTANTS:
        return _read_constant(name, operand, place)
    field = _field(model, _reference(operand, place), place)
    if function in ("min", "max"):
        _ordered(field, place, "order by")
    elif field.type.kind not in NUMBERS:
        raise InvalidValue(f"{place}: {field.name} holds {field.type.kind.value}, which is not added up")
    return Accumulator(name, function, field.name), ()


def _read_constant(name: str, number: object, where: str) -> tuple[Accumulator, tuple[object, ...]]:
    if number == 1 and type(number) is int:
        return Accumulator(name, "count"), ()
    column = ColumnType(CONSTANTS[type(number)], type(number))
    value = coercer(column, False, where)(number)
    if value != value:
        raise InvalidValue(f"{where}: NaN cannot be added up")
    return Accumulator(name, "sum", constant=column), (value,)


def _read_sort(model: Model, specification: object, where: str) -> Read:
    order: dict[str, Order] = {}
    for name, direction in _document(specification, where, "{'sold': -1}").items():
        if type(direction) is not int or direction not in (1, -1):
            raise InvalidValue(f"{where}: {name}: 1 means ascending, -1 descending")
        for field in _fields(model, name, where):
            _ordered(field, where, "order by")
            order[field.name] = Order(field.name, direction == -1)
    return Read((Sort(tuple(order.values())),))


def _read_skip(model: Model, specification: object, where: str) -> Read:
    return Read((Skip(),), (_number(specification, 0, where),))


def _read_limit(model: Model, specification: object, where: str) -> Read:
    return Read((Limit(),), (_number(specification, 1, where),))


def _number(number: object, smallest: int, where: str) -> int:
    if type(number) is not int:
        raise InvalidValue(f"{where}: expected int, got {type(number).__name__}")
    if not smallest <= number <= GREATEST_INTEGER:
        raise InvalidValue(f"{where}: must be {smallest} or greater, and fit into 64 bits")
    return number


def _read_count(model: Model, specification: object, where: str) -> Read:
    """As MongoDB defines it: a group of all, without its ``_id``."""
    name = _output_name(specification, where)
    return Read((Group((), (Accumulator(name, "count"),)), Project(((name, name),))))


def _read_project(model: Model, specification: object, where: str) -> Read:
    document = _document(specification, where, "{'name': 1, 'total': '$sum'}")
    switches = {name: _switch(name, value, where) for name, value in document.items()}
    others = {switch for name, switch in switches.items() if name != ID}
    if False in others and others != {False}:
        raise InvalidValue(f"{where}: either say what stays or what goes; only '{ID}': 0 may stand beside")
    if others == {False} or (not others and switches.get(ID) is False):
        kept = _excluded(model, switches, where)
    else:
        kept = _included(model, document, switches, where)
    if not kept:
        raise InvalidValue(f"{where}: no field is left")
    return Read((Project(tuple(kept.items())),))


def _switch(name: object, value: object, where: str) -> bool | None:
    """Whether a field stays; None where it is a field of another name."""
    if type(value) in (int, bool) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        return None
    raise InvalidValue(
        f"{where}: {name}: 1 keeps a field, 0 drops it, '$field' renames it; expressions are not supported"
    )


def _excluded(model: Model, names: Mapping[str, bool | None], where: str) -> dict[str, str]:
    dropped = {
        field.name for name, stays in names.items() if not stays for field in _fields(model, name, where)
    }
    return {name: name for name in model.fields if name not in dropped}


def _included(
    model: Model, document: Mapping[str, object], switches: Mapping[str, bool | None], where: str
) -> dict[str, str]:
    kept: dict[str, str] = {}
    if ID not in switches:
        kept.update((field.name, field.name) for field in _parts(model, ID))
    for name, switch in switches.items():
        if switch is False:
            _fields(model, name, where)
        elif switch:
            kept.update((field.name, field.name) for field in _fields(model, name, where))
        else:
            _output_name(name, where)
            source = _reference(document[name], f"{where}: {name}")
            for field in _fields(model, source, where):
                kept[name + field.name.removeprefix(source)] = field.name
    return kept


def _document(specification: object, where: str, example: str) -> Mapping[str, object]:
    if not isinstance(specification, Mapping) or not specification:
        raise InvalidValue(f"{where}: expected a dict such as {example}")
    if len(specification) > MAX_FIELDS:
        raise InvalidValue(f"{where}: more than {MAX_FIELDS} fields")
    if not all(isinstance(name, str) for name in specification):
        raise InvalidValue(f"{where}: names are texts")
    return specification


def _output_name(name: object, where: str) -> str:
    if (
        not isinstance(name, str)
        or not name
        or name.startswith("$")
        or "." in name
        or not is_storable_text(name)
    ):
        raise InvalidValue(
            f"{where}: a name is a text that is not empty, has no dot and does not begin with $"
        )
    return name


def _reference(value: object, where: str) -> str:
    """The field that ``"$name"`` refers to."""
    if isinstance(value, str) and value.startswith("$") and not value.startswith("$$") and len(value) > 1:
        return value[1:]
    if isinstance(value, Mapping):
        operators = ", ".join(str(name) for name in value)
        raise InvalidValue(f"{where}: expressions are not supported, only a field; found {operators}")
    raise InvalidValue(f"{where}: expected a field with a $ before it, such as '$price'")


def _fields(model: Model, name: str, where: str) -> list[ModelField]:
    """The field of a name, or the parts of a document of this name."""
    return _parts(model, name) or [_field(model, name, where)]


def _parts(model: Model, name: str) -> list[ModelField]:
    if name in model.fields:
        return [model.fields[name]]
    return [field for path, field in model.fields.items() if path.startswith(f"{name}.")]


def _field(model: Model, name: str, where: str) -> ModelField:
    column = model.fields.get(name.partition(".")[0])
    if name not in model.fields and column is not None and column.type.kind is Kind.JSON:
        raise InvalidValue(f"{where}: {name}: a path into JSON is supported in $match only")
    return model.field(name)


def _ordered(field: ModelField, where: str, purpose: str) -> ModelField:
    if field.type.kind is Kind.JSON:
        raise InvalidValue(f"{where}: {field.name} holds JSON, which there is no way to {purpose}")
    return field


STAGES: Mapping[str, Callable[[Model, object, str], Read]] = {
    "$match": _read_match,
    "$group": _read_group,
    "$sort": _read_sort,
    "$skip": _read_skip,
    "$limit": _read_limit,
    "$project": _read_project,
    "$count": _read_count,
}

ACCUMULATORS: Mapping[str, Function] = {
    "$sum": "sum",
    "$avg": "avg",
    "$min": "min",
    "$max": "max",
    "$count": "count",
}
