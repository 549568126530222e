"""The stages of an aggregation, frozen: what each asks for, and the documents that it makes of those before it.

A stage holds names. The values that it binds travel beside it, as those of a :class:`~dataflow.statements.Where` do.
What comes out of a stage is described like a table, by a model, so that filters and orders read it as one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, TypeAlias

from dataflow.coercion import coercer
from dataflow.model.schema import Model, ModelField
from dataflow.statements import Order, Shape
from dataflow.types import ColumnType, Kind

__all__ = [
    "ID",
    "NUMBERS",
    "PLACES_OF_AVERAGE",
    "Accumulator",
    "Function",
    "Group",
    "Limit",
    "Match",
    "Project",
    "Skip",
    "Sort",
    "Stage",
    "documents_of",
]

ID = "_id"
"""The name of what a group is grouped by."""

Function: TypeAlias = Literal["sum", "avg", "min", "max", "count"]

NUMBERS: Mapping[Kind, type] = MappingProxyType(
    {Kind.INTEGER: int, Kind.FLOAT: float, Kind.DECIMAL: Decimal, Kind.INTERVAL: timedelta}
)
"""What can be added up, and the type of the sum."""

PLACES_OF_AVERAGE = 20
"""How many decimal places an average of decimals has, as a third has no end."""

INTEGER = ColumnType(Kind.INTEGER, int)
FLOAT = ColumnType(Kind.FLOAT, float)
TEXT = ColumnType(Kind.TEXT, str)


@dataclass(frozen=True, slots=True)
class Match:
    """The documents that meet a condition."""

    where: Shape


@dataclass(frozen=True, slots=True)
class Accumulator:
    """One result of a group.

    :param field: whose values it takes; None where it takes a number for each document, or counts them.
    :param constant: the type of that number, or of the count.
    """

    name: str
    function: Function
    field: str | None = None
    constant: ColumnType = INTEGER


@dataclass(frozen=True, slots=True)
class Group:
    """One document for all that are alike in the fields of the key.

    :param key: name and field of each part; empty where all documents are one group.
    """

    key: tuple[tuple[str, str], ...]
    accumulators: tuple[Accumulator, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    """The documents in an order; where they tie, by their key."""

    order: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """All documents but the first so many."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The first so many documents."""


@dataclass(frozen=True, slots=True)
class Project:
    """Some of the fields, perhaps under other names: for each its name and the field."""

    fields: tuple[tuple[str, str], ...]


Stage: TypeAlias = Match | Group | Sort | Skip | Limit | Project


def documents_of(stage: Stage, model: Model) -> Model:
    """Describe what comes out of a stage.

    Its key is what tells the documents apart; a stage that drops fields may hide a part of it.

    :param model: describes what goes in.
    """
    match stage:
        case Group():
            return _groups(stage, model)
        case Project():
            fields = {name: replace(model.field(field), name=name) for name, field in stage.fields}
            return replace(model, fields=MappingProxyType(fields))
        case _:
            return model


def _groups(stage: Group, model: Model) -> Model:
    name = model.name if model.name.startswith("$group of ") else f"$group of {model.name}"
    key = [
        replace(model.field(field), name=part, column=f"c{position}")
        for position, (part, field) in enumerate(stage.key)
    ]
    shown = key or [_field(name, ID, "c0", TEXT, nullable=True)]
    results = [
        _result(name, accumulator, f"c{position}", model)
        for position, accumulator in enumerate(stage.accumulators, start=len(shown))
    ]
    fields = {field.name: field for field in (*shown, *results)}
    return replace(model, name=name, fields=MappingProxyType(fields), key=tuple(key))


def _result(model_name: str, accumulator: Accumulator, column: str, model: Model) -> ModelField:
    name, function = accumulator.name, accumulator.function
    if accumulator.field is None:
        return _field(model_name, name, column, accumulator.constant)
    field = model.field(accumulator.field)
    kind = field.type.kind
    if function in ("min", "max"):
        return replace(field, name=name, column=column)
    if function == "avg":
        type_ = FLOAT if kind is Kind.INTEGER else ColumnType(kind, NUMBERS[kind])
        return _field(model_name, name, column, type_, nullable=field.nullable or kind is Kind.FLOAT)
    # Infinities of both signs add up to what is no number, which is null where the database cannot store it.
    return _field(model_name, name, column, ColumnType(kind, NUMBERS[kind]), nullable=kind is Kind.FLOAT)


def _field(
    model_name: str, name: str, column: str, type: ColumnType, *, nullable: bool = False
) -> ModelField:
    return ModelField(
        name=name,
        column=column,
        type=type,
        nullable=nullable,
        coerce=coercer(type, nullable, f"{model_name}.{name}"),
    )
