"""MongoDB's filter documents, read into conditions.

Logic has two values as in MongoDB: ``{"x": None}`` finds nulls, and ``$ne``, ``$nin`` and ``$not`` include them.
"""

from collections.abc import Callable, Mapping, Sequence

from dataflow.errors import InvalidValue, UnknownName
from dataflow.model.schema import Model, ModelField
from dataflow.statements import EVERYTHING, NOTHING, Where, all_of, any_of, compare, equals, is_null
from dataflow.types import Kind

__all__ = ["OPERATORS", "read_filter"]

MAX_DEPTH = 50
MAX_VALUES = 10_000


def read_filter(model: Model, document: object, where: str) -> Where:
    """Read a filter document.

    :param model: whose fields it names.
    :param document: the filter, such as ``{"age": {"$gt": 18}, "$or": [{"name": "Ann"}, {"name": None}]}``.
    :param where: the place that messages name, such as ``"UserListNode filter"``.
    :raises UnknownName: for a field or an operator that does not exist.
    :raises InvalidValue: for a value of the wrong type.
    """
    result = _read_document(model, document, where, 0)
    if len(result.values) > MAX_VALUES:
        raise InvalidValue(f"{where}: more than {MAX_VALUES} conditions; one $in takes any number of values")
    return result


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
            parts.append(_read_field(model.field(name), value, where, depth + 1))
    return all_of(parts)


def _read_logical(model: Model, operator: str, value: object, where: str, depth: int) -> Where:
    if operator == "$not":
        return ~_read_document(model, value, where, depth)
    if operator not in ("$and", "$or", "$nor"):
        raise UnknownName("operator", operator, where, (*LOGICAL, *OPERATORS))
    if isinstance(value, str | bytes) or not isinstance(value, Sequence) or not value:
        raise InvalidValue(f"{where}: {operator} needs a list of at least one filter")
    parts = [_read_document(model, part, where, depth) for part in value]
    if operator == "$and":
        return all_of(parts)
    either = any_of(parts)
    return ~either if operator == "$nor" else either


def _read_field(field: ModelField, value: object, where: str, depth: int) -> Where:
    if isinstance(value, Mapping) and any(str(name).startswith("$") for name in value):
        return _read_operators(field, value, where, depth)
    return _read_equal(field, value, where)


def _read_operators(field: ModelField, operators: Mapping[str, object], where: str, depth: int) -> Where:
    if depth > MAX_DEPTH:
        raise InvalidValue(f"{where}: nested deeper than {MAX_DEPTH} levels")
    result = EVERYTHING
    for operator, value in operators.items():
        if operator == "$not":
            result &= ~_read_field(field, _operand_of_not(value, field, where), where, depth + 1)
            continue
        read = OPERATORS.get(operator)
        if read is None:
            raise UnknownName("operator", str(operator), f"{where}: {field.name}", (*OPERATORS, "$not"))
        result &= read(field, value, where)
    return result


def _operand_of_not(value: object, field: ModelField, where: str) -> object:
    if not isinstance(value, Mapping) or not value:
        raise InvalidValue(f"{where}: {field.name}: $not needs a dict of operators, such as {{'$gt': ...}}")
    return value


def _comparable(field: ModelField, operator: str, where: str) -> None:
    if field.type.kind is Kind.JSON:
        raise InvalidValue(f"{where}: {field.name}: {operator} does not compare whole JSON documents")


def _read_equal(field: ModelField, value: object, where: str) -> Where:
    if value is None:
        return is_null(field.name)
    _comparable(field, "$eq", where)
    return equals(field.name, field.coerce(value))


def _read_unequal(field: ModelField, value: object, where: str) -> Where:
    return ~_read_equal(field, value, where)


def _reader_of_order(operator: str) -> Callable[[ModelField, object, str], Where]:
    def read(field: ModelField, value: object, where: str) -> Where:
        _comparable(field, operator, where)
        if value is None:
            raise InvalidValue(
                f"{where}: {field.name}: {operator} needs a value; None is found by {{'{field.name}': None}}"
            )
        return compare(field.name, operator, field.coerce(value))

    return read


def _read_in(field: ModelField, value: object, where: str) -> Where:
    _comparable(field, "$in", where)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence | set | frozenset):
        raise InvalidValue(f"{where}: {field.name}: $in needs a list, got {type(value).__name__}")
    coerce = field.coerce
    members = tuple(coerce(member) for member in value if member is not None)
    result = compare(field.name, "$in", members) if members else NOTHING
    return is_null(field.name) | result if len(members) < len(value) else result


def _read_not_in(field: ModelField, value: object, where: str) -> Where:
    return ~_read_in(field, value, where)


LOGICAL = ("$and", "$or", "$nor", "$not")

OPERATORS: Mapping[str, Callable[[ModelField, object, str], Where]] = {
    "$eq": _read_equal,
    "$ne": _read_unequal,
    "$gt": _reader_of_order("$gt"),
    "$gte": _reader_of_order("$gte"),
    "$lt": _reader_of_order("$lt"),
    "$lte": _reader_of_order("$lte"),
    "$in": _read_in,
    "$nin": _read_not_in,
}
