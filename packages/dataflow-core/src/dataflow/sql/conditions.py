"""Conditions as SQL, in a logic of two values.

SQL's logic has three: ``NOT (age > 5)`` is not true where age is null. So a negation is pushed down to the leaves,
where it becomes the opposite operator and, for a column that can be null, ``OR ... IS NULL``. An index stays usable.
"""

from collections.abc import Callable
from typing import cast

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.abc import Dialect
from dataflow.model.schema import Model, ModelField
from dataflow.statements import Shape
from dataflow.types import ColumnType

__all__ = ["Conditions", "column", "identifier", "table"]

COMPARISONS: dict[str, Callable[..., Expression]] = {
    "$eq": exp.EQ,
    "$ne": exp.NEQ,
    "$gt": exp.GT,
    "$gte": exp.GTE,
    "$lt": exp.LT,
    "$lte": exp.LTE,
}
OPPOSITES = {"$eq": "$ne", "$gt": "$lte", "$lte": "$gt", "$lt": "$gte", "$gte": "$lt"}


def identifier(name: str) -> exp.Identifier:
    """A name, quoted always: reserved words and capitals then need no thought."""
    return exp.to_identifier(name, quoted=True)


def table(model: Model) -> exp.Table:
    """The table of a model."""
    return exp.Table(this=identifier(model.table))


def column(model: Model, field: ModelField) -> exp.Column:
    """The column of a field, with its table: alone, SQLite would take a name that does not exist for a text."""
    return exp.Column(this=identifier(field.column), table=identifier(model.table))


class Conditions:
    """Compiles the shapes of conditions on one model.

    :param dialect: says how its values compare.
    :param model: whose fields the shapes name.
    :param parameter: gives a placeholder for the next value, which is of this type, or a list of this type.
    """

    def __init__(
        self, dialect: Dialect, model: Model, parameter: Callable[[ColumnType, bool], Expression]
    ) -> None:
        self._dialect = dialect
        self._model = model
        self._parameter = parameter

    def compile(self, shape: Shape, negated: bool = False) -> Expression:
        """An expression that is true for the rows that meet the condition, and otherwise false or null."""
        if not shape:
            return exp.false() if negated else exp.true()
        operator = shape[0]
        if operator == "not":
            return self.compile(cast("Shape", shape[1]), not negated)
        if operator in ("and", "or"):
            parts = [self.compile(cast("Shape", part), negated) for part in shape[1:]]
            return _all(parts) if (operator == "and") != negated else _any(parts)
        return self._leaf(str(operator), self._model.field(str(shape[1])), negated)

    def _leaf(self, operator: str, field: ModelField, negated: bool) -> Expression:
        if operator == "null":
            test: Expression = exp.Is(this=column(self._model, field), expression=exp.null())
            return exp.Not(this=test) if negated else test
        if operator == "$in":
            test = self._dialect.among(
                column(self._model, field), self._parameter(field.type, True), field.type
            )
            return self._or_null(exp.Not(this=test), field) if negated else test
        if not negated:
            return self._comparison(operator, field)
        # A leaf that was turned round is true of what is not there.
        return self._or_null(self._comparison(OPPOSITES[operator], field), field)

    def _or_null(self, test: Expression, field: ModelField) -> Expression:
        if not field.nullable:
            return test
        is_null = exp.Is(this=column(self._model, field), expression=exp.null())
        return exp.Paren(this=exp.Or(this=test, expression=is_null))

    def _comparison(self, operator: str, field: ModelField) -> Expression:
        left: Expression = column(self._model, field)
        right = self._parameter(field.type, False)
        if operator not in ("$eq", "$ne"):
            left = self._dialect.ordered(left, field.type.kind)
            right = self._dialect.ordered(right, field.type.kind)
        return COMPARISONS[operator](this=left, expression=right)


def _all(parts: list[Expression]) -> Expression:
    return _joined(exp.And, parts) if parts else exp.true()


def _any(parts: list[Expression]) -> Expression:
    return _joined(exp.Or, parts) if parts else exp.false()


def _joined(connector: Callable[..., Expression], parts: list[Expression]) -> Expression:
    """A balanced tree: databases and compilers bound how deep an expression may be, not how wide."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = _joined(connector, parts[:middle]), _joined(connector, parts[middle:])
    return exp.Paren(this=connector(this=left, expression=right))
