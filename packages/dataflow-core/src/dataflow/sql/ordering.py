"""Orders as SQL, in which nulls are smallest, as in MongoDB."""

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as Grammar
from sqlglot.expressions import Expression

from dataflow.abc import Dialect
from dataflow.model.schema import ModelField

__all__ = ["ordered"]


def ordered(dialect: Dialect, operand: Expression, field: ModelField, descending: bool) -> Expression:
    """A criterion of an order; where there are no nulls, nothing is said of them, so that any index serves."""
    nulls_first = not descending if field.nullable else _by_itself(dialect.grammar, descending)
    return exp.Ordered(
        this=dialect.ordered(operand, field.type.kind), desc=descending, nulls_first=nulls_first
    )


def _by_itself(grammar: str, descending: bool) -> bool:
    """Whether the database puts nulls first where nothing is said of them."""
    ordering = Grammar.get_or_raise(grammar).NULL_ORDERING
    return descending if ordering == "nulls_are_large" else not descending and ordering == "nulls_are_small"
