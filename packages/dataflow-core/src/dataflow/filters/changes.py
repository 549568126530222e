"""MongoDB's update documents, read into changes: ``{"$set": {...}, "$inc": {...}}``, or plain values.

A field is changed once at most. A null counts as MongoDB's absent field: ``$inc`` makes it the amount, ``$mul`` makes
it 0, ``$min`` and ``$max`` make it the value.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from dataflow.coercion import coercer
from dataflow.errors import InvalidValue, UnknownName
from dataflow.model.field import MISSING
from dataflow.model.schema import Model, ModelField
from dataflow.statements import Change
from dataflow.types import Kind

__all__ = ["CHANGE_OPERATORS", "Changes", "read_changes", "refuse_read_only"]

ADDED = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.INTERVAL})
MULTIPLIED = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL})
ARITHMETIC = frozenset({"$inc", "$mul"})
DIGITS_OF_FACTOR = (35, 30)
"""How many digits the factor of a decimal may have before the point, and after it: every database multiplies by it."""


class Changes(NamedTuple):
    """What happens to a row: a shape, and a value for each of its changes."""

    shape: tuple[Change, ...]
    values: tuple[object, ...]


Read = Callable[[ModelField, object, str], tuple[Change, object]]


def read_changes(
    model: Model, document: object, where: str, beside: Iterable[tuple[ModelField, object]] = ()
) -> Changes:
    """Read an update document.

    :param model: whose fields it names.
    :param document: operators and plain values, such as ``{"$inc": {"stock": -1}, "status": "sold"}``.
    :param where: the place that messages name, such as ``"ProductUpdateNode updates"``.
    :param beside: fields with new values that stand beside the document.
    :raises UnknownName: for a field or an operator that does not exist.
    :raises InvalidValue: for a value of the wrong type, an operator that the type of a field does not have, and a field
        that is changed twice.
    """
    if type(document) is not dict and not isinstance(document, Mapping):
        raise InvalidValue(
            f"{where}: expected a dict such as {{'field': value}}, got {type(document).__name__}"
        )
    shape: list[Change] = []
    values: list[object] = []
    for name, value in document.items():
        if type(name) is str and name[:1] == "$":
            for change, operand in _read_operator(model, name, value, where):
                shape.append(change)
                values.append(operand)
        else:
            field = model.field(name)
            refuse_read_only(field, where)
            shape.append(setting(field.name))
            values.append(_coerced(field, value, where))
    for field, value in beside:
        refuse_read_only(field, where)
        shape.append(setting(field.name))
        values.append(field.coerce(value))
    if len(shape) > 1:
        _refuse_twice(shape, where)
    return Changes(tuple(shape), tuple(values))


def refuse_read_only(field: ModelField, where: str) -> None:
    """Refuse to write a field that nobody can write.

    :raises InvalidValue: telling why that is so.
    """
    if field.read_only:
        raise InvalidValue(f"{where}: {field.name} cannot be written, as {field.read_only}; leave it out")


@lru_cache(1024)
def setting(name: str) -> Change:
    """The change that gives a field a value."""
    return Change(name)


def _coerced(field: ModelField, value: object, where: str) -> object:
    if type(value) is dict and field.type.kind is not Kind.JSON:
        operator = next((name for name in value if name in CHANGE_OPERATORS), None)
        if operator is not None:
            raise InvalidValue(
                f"{where}: {field.name}: the operator comes first, as in {{'{operator}': {{'{field.name}': ...}}}}"
            )
    return field.coerce(value)


def _read_operator(
    model: Model, operator: str, operands: object, where: str
) -> Iterator[tuple[Change, object]]:
    read = CHANGE_OPERATORS.get(operator)
    if read is None:
        raise UnknownName("operator", operator, where, CHANGE_OPERATORS)
    if operator == "$unset" and isinstance(operands, list | tuple):
        operands = {str(name): "" for name in operands}
    if not isinstance(operands, Mapping):
        expected = "a list of fields" if operator == "$unset" else "a dict such as {'field': value}"
        raise InvalidValue(f"{where}: {operator}: expected {expected}, got {type(operands).__name__}")
    for name, operand in operands.items():
        field = model.field(name)
        refuse_read_only(field, where)
        yield read(field, operand, where)


def _refuse_twice(shape: Sequence[Change], where: str) -> None:
    names = [change.field for change in shape]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidValue(f"{where}: {twice} is changed twice; keep one")


def _set(field: ModelField, value: object, where: str) -> tuple[Change, object]:
    return setting(field.name), field.coerce(value)


def _unset(field: ModelField, value: object, where: str) -> tuple[Change, object]:
    """Null, or what a new row would have."""
    _not_a_key(field, "$unset", where)
    if field.nullable:
        return setting(field.name), None
    if field.default_factory is not None:
        return setting(field.name), field.coerce(field.default_factory())
    if field.default is not MISSING:
        return setting(field.name), field.default
    raise InvalidValue(f"{where}: {field.name} cannot be unset: it must have a value and has no default")


def _operand(field: ModelField, value: object, operator: str, where: str) -> object:
    """A value of the field, or a number that need not be one itself: the result must, which the database looks at.

    What is added to a decimal must be one, as its digits are those of the result.
    """
    take = field.takes
    if take is not None and operator in ARITHMETIC:
        if field.type.kind is Kind.INTEGER:
            return take(value)
        if field.type.kind is Kind.DECIMAL and operator == "$mul":
            factor = replace(field.type, digits=DIGITS_OF_FACTOR, inexact=False)
            return coercer(factor, False, f"{where}: {field.name}")(value)
    return field.coerce(value)


def _reader(operator: str, works_on: Callable[[ModelField], bool], kinds: str) -> Read:
    def read(field: ModelField, value: object, where: str) -> tuple[Change, object]:
        _not_a_key(field, operator, where)
        if not works_on(field):
            raise InvalidValue(f"{where}: {operator} works on {kinds}, which {field.name} is not")
        if value is None:
            raise InvalidValue(f"{where}: {field.name}: {operator} needs a value; $unset takes one away")
        return Change(field.name, operator), _operand(field, value, operator, where)

    return read


def _not_a_key(field: ModelField, operator: str, where: str) -> None:
    if field.primary_key:
        raise InvalidValue(
            f"{where}: {field.name} is the key, which {operator} does not change; give a value"
        )


def _is_added(field: ModelField) -> bool:
    return field.type.kind in ADDED and not field.type.choices


def _is_multiplied(field: ModelField) -> bool:
    return field.type.kind in MULTIPLIED and not field.type.choices


def _is_ordered(field: ModelField) -> bool:
    return field.type.kind is not Kind.JSON


CHANGE_OPERATORS: Mapping[str, Read] = {
    "$set": _set,
    "$inc": _reader("$inc", _is_added, "int, float, Decimal and timedelta without choices"),
    "$mul": _reader("$mul", _is_multiplied, "int, float and Decimal without choices"),
    "$min": _reader("$min", _is_ordered, "values that have an order"),
    "$max": _reader("$max", _is_ordered, "values that have an order"),
    "$unset": _unset,
}
