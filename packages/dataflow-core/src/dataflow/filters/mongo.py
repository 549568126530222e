"""MongoDB's filter documents, read into conditions.

Logic has two values as in MongoDB: ``{"x": None}`` finds nulls, and ``$ne``, ``$nin`` and ``$not`` include them.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from dataflow.errors import InvalidValue, UnknownName
from dataflow.filters.operators import OPERATORS, equal, regex
from dataflow.filters.targets import Target, find_target
from dataflow.model.schema import Model
from dataflow.statements import EVERYTHING, Shape, Where, all_of, any_of

__all__ = ["read_filter"]

MAX_DEPTH = 30
MAX_CONDITIONS = 10_000
LOGICAL = ("$and", "$or", "$nor", "$not")


def read_filter(model: Model, document: object, where: str) -> Where:
    """Read a filter document.

    :param model: whose fields it names.
    :param document: the filter, such as ``{"age": {"$gt": 18}, "$or": [{"name": "Ann"}, {"address.city": "Bern"}]}``.
    :param where: the place that messages name, such as ``"UserListNode filter"``.
    :raises UnknownName: for a field or an operator that does not exist.
    :raises InvalidValue: for a value of the wrong type.
    """
    return _read_document(model, document, where, 0)


def _read_document(model: Model, document: object, where: str, depth: int) -> Where:
    if not isinstance(document, Mapping):
        raise InvalidValue(
            f"{where}: expected a dict such as {{'field': value}}, got {type(document).__name__}"
        )
    if depth > MAX_DEPTH:
        raise InvalidValue(f"{where}: nested deeper than {MAX_DEPTH} levels")
    parts = []
    for name, value in document.items():
        if not isinstance(name, str):
            raise InvalidValue(f"{where}: a name must be a str, got {type(name).__name__}")
        if name.startswith("$"):
            parts.append(_read_logical(model, name, value, where, depth + 1))
        else:
            parts.append(_read_field(find_target(model, name, where), value, depth + 1))
    _refuse_too_many(parts, where)
    return all_of(parts)


def _read_logical(model: Model, operator: str, value: object, where: str, depth: int) -> Where:
    if operator == "$not":
        return ~_read_document(model, value, where, depth)
    if operator not in ("$and", "$or", "$nor"):
        raise UnknownName("operator", operator, where, (*LOGICAL, *OPERATORS, "$regex"))
    if isinstance(value, str | bytes) or not isinstance(value, Sequence) or not value:
        raise InvalidValue(f"{where}: {operator} needs a list of at least one filter")
    parts = [_read_document(model, part, where, depth) for part in value]
    _refuse_too_many(parts, where)
    if operator == "$and":
        return all_of(parts)
    either = any_of(parts)
    return ~either if operator == "$nor" else either


def _refuse_too_many(parts: Sequence[Where], where: str) -> None:
    """Refuse more conditions than a database takes, those on nulls among them, which bind no value."""
    if len(parts) > 1 and sum(_size(part.shape) for part in parts) > MAX_CONDITIONS:
        raise InvalidValue(
            f"{where}: more than {MAX_CONDITIONS} conditions; one $in takes any number of values"
        )


def _size(shape: Shape) -> int:
    """The number of conditions on single fields."""
    if shape and shape[0] in ("and", "or", "not"):
        return sum(_size(cast("Shape", part)) for part in shape[1:])
    return 1


def _read_field(target: Target, value: object, depth: int) -> Where:
    if isinstance(value, Mapping) and any(str(name).startswith("$") for name in value):
        return _read_operators(target, value, depth)
    return equal(target, value)


def _read_operators(target: Target, operators: Mapping[str, object], depth: int) -> Where:
    place = f"{target.where}: {target.name}"
    if depth > MAX_DEPTH:
        raise InvalidValue(f"{target.where}: nested deeper than {MAX_DEPTH} levels")
    result = EVERYTHING
    for operator, value in operators.items():
        if operator == "$not":
            if not isinstance(value, Mapping) or not value:
                raise InvalidValue(f"{place}: $not needs a dict of operators, such as {{'$gt': ...}}")
            result &= ~_read_field(target, value, depth + 1)
        elif operator == "$regex":
            result &= regex(target, value, operators.get("$options", ""))
        elif operator == "$options" and "$regex" in operators:
            continue
        elif operator == "$options":
            raise InvalidValue(f"{place}: $options belongs beside a $regex")
        elif operator in OPERATORS:
            result &= OPERATORS[operator](target, value)
        else:
            raise UnknownName("operator", str(operator), place, (*OPERATORS, "$regex", "$options", "$not"))
    return result
