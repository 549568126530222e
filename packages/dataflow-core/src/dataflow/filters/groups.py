"""The ``$group`` of a pipeline: its key, and its accumulators."""

from collections.abc import Mapping
from decimal import Decimal

from dataflow.coercion import coercer
from dataflow.errors import InvalidValue, UnknownName
from dataflow.filters.pipeline_names import find_field, to_document, to_field_name, to_ordered, to_output_name
from dataflow.model.schema import Model
from dataflow.stages import ID, NUMBERS, Accumulator, Function, Group
from dataflow.types import ColumnType, Kind

__all__ = ["read_group"]

CONSTANTS: Mapping[type, Kind] = {int: Kind.INTEGER, float: Kind.FLOAT, Decimal: Kind.DECIMAL}
ACCUMULATORS: Mapping[str, Function] = {
    "$sum": "sum",
    "$avg": "avg",
    "$min": "min",
    "$max": "max",
    "$count": "count",
}


def read_group(model: Model, specification: object, where: str) -> tuple[Group, tuple[object, ...]]:
    """Read the specification of a group: the stage, and the values that it binds."""
    document = to_document(specification, where, "{'_id': '$city', 'people': {'$sum': 1}}")
    if ID not in document:
        raise InvalidValue(
            f"{where}: say by which field, such as '_id': '$city'; None makes one group of all"
        )
    accumulators: list[Accumulator] = []
    values: list[object] = []
    for name, accumulator in document.items():
        if name != ID:
            place = f"{where}: {to_output_name(name, where)}"
            read, bound = _read_accumulator(model, name, accumulator, place)
            accumulators.append(read)
            values += bound
    return Group(_read_key(model, document[ID], where), tuple(accumulators)), tuple(values)


def _read_key(model: Model, key: object, where: str) -> tuple[tuple[str, str], ...]:
    if key is None:
        return ()
    place = f"{where}: {ID}"
    if not isinstance(key, Mapping):
        parts = [(ID, to_field_name(key, place))]
    else:
        document = to_document(key, place, "{'city': '$city'}")
        parts = [
            (f"{ID}.{to_output_name(part, place)}", to_field_name(field, f"{place}.{part}"))
            for part, field in document.items()
        ]
    return tuple(
        (part, to_ordered(find_field(model, name, place), place, "group by").name) for part, name in parts
    )


def _read_accumulator(
    model: Model, name: str, accumulator: object, where: str
) -> tuple[Accumulator, tuple[object, ...]]:
    if not isinstance(accumulator, Mapping) or len(accumulator) != 1:
        raise InvalidValue(f"{where}: expected one accumulator, such as {{'$sum': '$price'}}")
    ((operator, operand),) = accumulator.items()
    if operator not in ACCUMULATORS:
        raise UnknownName("accumulator", operator, where, ACCUMULATORS)
    function = ACCUMULATORS[operator]
    place = f"{where}: {operator}"
    if function == "count":
        if operand != {}:
            raise InvalidValue(f"{place} takes an empty dict: {{'$count': {{}}}}")
        return Accumulator(name, "count"), ()
    if function == "sum" and type(operand) in CONSTANTS:
        return _read_constant(name, operand, place)
    field = find_field(model, to_field_name(operand, place), place)
    if function in ("min", "max"):
        to_ordered(field, place, "order by")
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
