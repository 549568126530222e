"""Values within the text of DDL, where no database lets them be bound. They come from the model, never from a user."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.abc import Dialect
from dataflow.errors import ModelError
from dataflow.filters.mongo import read_filter
from dataflow.model.schema import Model
from dataflow.sql.codecs import codec_of
from dataflow.sql.conditions import PATTERN_OPERATORS, Conditions, leaves
from dataflow.statements import Shape
from dataflow.types import ColumnType

__all__ = ["condition_text", "literal", "literal_expression"]


def literal(dialect: Dialect, value: object, type: ColumnType) -> str:
    """A value as it is stored, as SQL."""
    return literal_expression(dialect, value, type).sql(dialect.grammar)


def condition_text(dialect: Dialect, model: Model, document: Mapping[str, object]) -> str:
    """A filter as SQL, its values written out: the condition of a partial index.

    :raises ModelError: where a value has no literal, such as a list.
    """
    where = read_filter(model, document, f"{model.name}: where of an index")
    refused = next(filter(None, map(_not_of_an_index, leaves(where.shape))), None)
    if refused is not None:
        raise ModelError(
            f"{model.name}: the where of an index cannot use {refused}; compare columns with values"
        )
    values: Iterator[Any] = iter(where.values)

    def next_literal(type: ColumnType, many: bool = False, pattern_of: str | None = None) -> Expression:
        if many:
            raise ModelError(f"{model.name}: the where of an index cannot use $in; write $or")
        return literal_expression(dialect, next(values), type)

    return Conditions(dialect, model, next_literal).compile(where.shape).sql(dialect.grammar)


def _not_of_an_index(leaf: Shape) -> str | None:
    """What a database cannot compute, or not alike for ever, whenever a row changes."""
    if len(leaf) > 2:
        return "paths into JSON, nor $contains"
    if leaf[0] == "$like":
        return "$like (save for a prefix) nor $contains"
    return str(leaf[0]) if leaf[0] in PATTERN_OPERATORS else None


def literal_expression(dialect: Dialect, value: object, type: ColumnType) -> Expression:
    """A value as it is stored, as a part of a statement."""
    if value is None:
        return exp.null()
    encode = codec_of(dialect, type).encode
    return dialect.literal(value if encode is None else encode(value), type)
