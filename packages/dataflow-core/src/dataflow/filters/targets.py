"""What an operator is applied to: a column, or what stands at a path within a JSON document.

A scalar within a document is compared with values of its own JSON type only: text with text, number with number, truth
with truth. What is not there is as good as null.
"""

import json
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from math import isfinite
from typing import Final, Protocol, TypeAlias

from dataflow.coercion.columns import coercer
from dataflow.coercion.numbers import to_integer
from dataflow.coercion.scalars import scalar_form
from dataflow.coercion.strings import to_text
from dataflow.errors import InvalidValue, UnknownName
from dataflow.filters.bounds import compare_with, held
from dataflow.model.schema import Model, ModelField
from dataflow.statements import NOTHING, Where, any_of, compare, is_null
from dataflow.types import Kind, is_storable_text

__all__ = ["Target", "find_target"]

Convert: TypeAlias = Callable[[object], str]

MAX_STEPS: Final = 100  # as deep as a document can be


class Target(Protocol):
    """Something that operators look at. Each method reads an operand, or refuses it, and gives the condition."""

    name: str
    """How the filter calls it."""
    where: str
    """The place that messages name."""

    @property
    def searchable(self) -> bool:
        """Whether a range of values finds a prefix by an index."""

    @property
    def may_be_text(self) -> bool:
        """Whether it can hold a text."""

    def null(self) -> Where:
        """There is no value."""

    def exists(self) -> Where:
        """There is something, be it null where a document says so."""

    def compare(self, operator: str, value: object) -> Where:
        """A comparison with a value that is not None."""

    def among(self, members: Collection[object]) -> Where:
        """It is one of these, none of which is None."""

    def text(self, operator: str, value: str) -> Where:
        """A text, compared with any other or with a pattern."""

    def require_text(self, operator: str) -> None:
        """Refuse an operator that is for texts, where no text can be."""

    def contains(self, member: object) -> Where | None:
        """A list has this element, or a dict this key; None where there can be neither."""


def find_target(model: Model, name: str, where: str) -> Target:
    """Find what a name of a filter means.

    :raises UnknownName: where the model has no such field.
    :raises InvalidValue: for a path into a field that is no JSON.
    """
    field = model.fields.get(name)
    if field is not None:
        return Column(field, where)
    first, dot, rest = name.partition(".")
    if not dot or first not in model.fields:
        raise UnknownName("field", name, model.name, model.fields)
    field = model.fields[first]
    if field.type.kind is not Kind.JSON:
        raise InvalidValue(
            f"{where}: {first} is {field.type.kind.value}; only the fields of type dict or list have paths"
        )
    return Scalar(field, tuple(rest.split(".")), name, where)


class Column:
    """A column, whose values are of the field's type."""

    __slots__ = ("_field", "name", "where")

    def __init__(self, field: ModelField, where: str) -> None:
        self._field = field
        self.name = field.name
        self.where = where

    @property
    def searchable(self) -> bool:
        return not issubclass(self._field.type.python, Enum)

    @property
    def may_be_text(self) -> bool:
        return self._field.type.kind is Kind.TEXT

    def null(self) -> Where:
        return is_null(self.name)

    def exists(self) -> Where:
        return ~is_null(self.name)

    def compare(self, operator: str, value: object) -> Where:
        self._no_document(operator)
        return compare_with(self._field, operator, value)

    def among(self, members: Collection[object]) -> Where:
        self._no_document("$in")
        values = held(self._field, members)
        return compare(self.name, "$in", values) if values else NOTHING

    def text(self, operator: str, value: str) -> Where:
        return compare(self.name, operator, value)

    def require_text(self, operator: str) -> None:
        kind = self._field.type.kind
        if kind is Kind.JSON:
            raise InvalidValue(
                f"{self.where}: {self.name}: {operator} needs the path to a text, '{self.name}.key'"
            )
        if not self.may_be_text:
            raise InvalidValue(
                f"{self.where}: {self.name}: {operator} is for text, and the field is {kind.value}"
            )

    def contains(self, member: object) -> Where | None:
        if self._field.type.kind is not Kind.JSON:
            return None
        return _contains(self, self.name, (), member, _writer(self._field, self))

    def _no_document(self, operator: str) -> None:
        if self._field.type.kind is Kind.JSON:
            raise InvalidValue(
                f"{self.where}: {self.name}: {operator} does not compare whole JSON documents; "
                f"compare what stands at a path, '{self.name}.key', or use $contains"
            )


class Scalar:
    """What stands at a path of a document. Its type is that of the value that it is compared with."""

    __slots__ = ("_field", "_path", "_write", "name", "where")

    def __init__(self, field: ModelField, path: tuple[str, ...], name: str, where: str) -> None:
        if not is_storable_text(name):
            raise InvalidValue(
                f"{where}: a path into {field.name} holds NUL or a lone surrogate, which JSON cannot"
            )
        if len(path) > MAX_STEPS:
            raise InvalidValue(f"{where}: a path into {field.name} has more than {MAX_STEPS} steps")
        self._field = field.name
        self._path = path
        self.name = name
        self.where = where
        self._write = _writer(field, self) if len(path) == 1 else None

    searchable = False
    may_be_text = True

    def null(self) -> Where:
        return Where(("null", self._field, self._path), ())

    def exists(self) -> Where:
        return Where(("$exists", self._field, self._path), ())

    def compare(self, operator: str, value: object) -> Where:
        kind, plain = _scalar(self, operator, value, self._write)
        return self._leaf(operator, kind, plain)

    def among(self, members: Collection[object]) -> Where:
        by_kind: dict[Kind, list[object]] = {}
        for member in members:
            kind, plain = _scalar(self, "$in", member, self._write)
            by_kind.setdefault(kind, []).append(plain)
        return any_of([self._leaf("$in", kind, tuple(plain)) for kind, plain in by_kind.items()])

    def text(self, operator: str, value: str) -> Where:
        return self._leaf(operator, Kind.TEXT, value)

    def require_text(self, operator: str) -> None:
        pass

    def contains(self, member: object) -> Where | None:
        return _contains(self, self._field, self._path, member, None)

    def _leaf(self, operator: str, kind: Kind, value: object) -> Where:
        return Where((operator, self._field, self._path, kind), (value,))


def _writer(field: ModelField, target: Target) -> Convert | None:
    """Reads the elements of a list and writes them as scalars of JSON, where they are none themselves."""
    element = field.type.element
    form = None if element is None else scalar_form(element)
    if element is None or form is None:
        return None
    coerce = coercer(element, False, f"{target.where}: {target.name}")
    return lambda value: form.write(coerce(value))


def _contains(
    target: Target, field: str, path: tuple[str, ...], member: object, write: Convert | None
) -> Where:
    text = json.dumps(None if member is None else _scalar(target, "$contains", member, write)[1])
    return Where(("$contains", field, path), (text,))


def _scalar(target: Target, operator: str, value: object, write: Convert | None) -> tuple[Kind, object]:
    """The type of a scalar of JSON, and the plain value.

    :param write: makes a text of what stands for an element that is no scalar of JSON.
    """
    if write is not None:
        return Kind.TEXT, write(value)
    where = f"{target.where}: {target.name}"
    if isinstance(value, bool):
        return Kind.BOOLEAN, value
    if isinstance(value, str):
        return Kind.TEXT, to_text(value, where)
    if isinstance(value, int):
        return Kind.INTEGER, to_integer(value, where)
    if isinstance(value, float):
        number = float.__float__(value)
        if not isfinite(number):
            raise InvalidValue(f"{where}: JSON has no NaN and no infinity")
        return Kind.FLOAT, number
    if isinstance(value, Mapping | list | tuple):
        raise InvalidValue(
            f"{where}: {operator} does not compare whole JSON documents; go on to a path within"
        )
    raise InvalidValue(
        f"{where}: {operator} compares what JSON holds: str, int, float, bool or None, not {type(value).__name__}"
    )
