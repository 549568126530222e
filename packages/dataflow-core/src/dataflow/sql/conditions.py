"""Conditions as SQL, in a logic of two values.

SQL's logic has three: ``NOT (age > 5)`` is not true where age is null. So a negation is pushed down to the leaves,
where it becomes the opposite operator and, for a column that can be null, ``OR ... IS NULL``. An index stays usable.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, cast

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.abc import ArrayDialect, Dialect
from dataflow.capabilities import Capability
from dataflow.model.schema import Model, ModelField
from dataflow.statements import Shape
from dataflow.types import ColumnType, Kind

__all__ = ["PATTERN_OPERATORS", "Conditions", "NextParameter", "column", "identifier", "leaves", "table"]

COMPARISONS: dict[str, Callable[..., Expression]] = {
    "$eq": exp.EQ,
    "$ne": exp.NEQ,
    "$gt": exp.GT,
    "$gte": exp.GTE,
    "$lt": exp.LT,
    "$lte": exp.LTE,
}
PATTERN_OPERATORS = frozenset({"$like", "$ilike", "$regex"})
TEXT = ColumnType(Kind.TEXT, str)
OPPOSITES = {"$eq": "$ne", "$gt": "$lte", "$lte": "$gt", "$lt": "$gte", "$gte": "$lt"}


def identifier(name: str) -> exp.Identifier:
    """A name, quoted always: reserved words and capitals then need no thought."""
    return exp.to_identifier(name, quoted=True)


def table(model: Model) -> exp.Table:
    """The table of a model."""
    return exp.Table(this=identifier(model.table), db=identifier(model.schema) if model.schema else None)


def column(model: Model, field: ModelField) -> Expression:
    """What a field holds: its column with its table, as SQLite would take a name that does not exist for a text."""
    there = exp.Column(this=identifier(field.column), table=identifier(model.table))
    if field.as_text is None:
        return there
    if field.as_text:
        return exp.Anonymous(this=field.as_text, expressions=[there])
    return exp.Cast(this=there, to=exp.DataType.build("text"))


def document(dialect: Dialect, operand: Expression, type: ColumnType) -> Expression:
    """What a column holds as a document, for the dialect to find its way in."""
    if type.element is None or Capability.ARRAYS not in dialect.capabilities:
        return operand
    return cast("ArrayDialect", dialect).document(operand, type.element)


class NextParameter(Protocol):
    """Gives a placeholder for the next value.

    It is of this type, or a list of this type, or the pattern of an operator.
    """

    def __call__(self, type: ColumnType, many: bool = False, pattern_of: str | None = None) -> Expression: ...


class Operand(NamedTuple):
    """What a leaf looks at: a column, or a scalar within a JSON document."""

    value: Expression
    type: ColumnType
    nullable: bool


def leaves(shape: Shape) -> Iterator[Shape]:
    """The conditions on single fields that a shape is made of."""
    if shape and shape[0] in ("and", "or", "not"):
        for part in shape[1:]:
            yield from leaves(cast("Shape", part))
    elif shape:
        yield shape


class Conditions:
    """Compiles the shapes of conditions on one model.

    :param dialect: says how its values compare.
    :param model: whose fields the shapes name.
    :param parameter: gives the placeholder for each value, in their order.
    """

    def __init__(self, dialect: Dialect, model: Model, parameter: NextParameter) -> None:
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
        field = self._model.field(str(shape[1]))
        operand: Expression = column(self._model, field)
        if len(shape) > 2:
            operand = document(self._dialect, operand, field.type)
        if len(shape) == 3:
            return self._of_document(str(operator), operand, cast("tuple[str, ...]", shape[2]), negated)
        if operator == "null":
            return _is_null(operand, negated)
        return self._leaf(str(operator), self._operand(operand, shape), negated)

    def _operand(self, operand: Expression, shape: Shape) -> Operand:
        if len(shape) == 2:
            field = self._model.field(str(shape[1]))
            return Operand(operand, field.type, field.nullable)
        path, kind = cast("tuple[str, ...]", shape[2]), cast("Kind", shape[3])
        value = self._dialect.json_value(operand, path, kind)
        return Operand(value, self._dialect.json_operand(kind), True)

    def _of_document(
        self, operator: str, document: Expression, path: tuple[str, ...], negated: bool
    ) -> Expression:
        """A leaf about whatever stands at a path, be it a scalar or not."""
        if operator == "$contains":
            member = self._parameter(TEXT)
            found = self._dialect.json_contains(document, path, member)
            return exp.Not(this=_or_false(found)) if negated else found
        kind = self._dialect.json_type(document, path)
        if operator == "$exists":
            return _is_null(kind, not negated)
        # What is not there is as good as null.
        null = exp.Literal.string("null")
        is_null = exp.EQ(this=exp.Coalesce(this=kind, expressions=[null]), expression=null.copy())
        return exp.Not(this=exp.Paren(this=is_null)) if negated else is_null

    def _leaf(self, operator: str, operand: Operand, negated: bool) -> Expression:
        if operator in PATTERN_OPERATORS:
            pattern = self._parameter(TEXT, pattern_of=operator)
            test: Expression = exp.Paren(this=self._dialect.matches(operator, operand.value, pattern))
        elif operator == "$in":
            test = self._dialect.among(operand.value, self._parameter(operand.type, True), operand.type)
        else:
            test = self._comparison(OPPOSITES[operator] if negated else operator, operand)
            return _or_null(test, operand) if negated else test
        # A leaf that was turned round is true of what is not there.
        return _or_null(exp.Not(this=test), operand) if negated else test

    def _comparison(self, operator: str, operand: Operand) -> Expression:
        left, kind = operand.value, operand.type.kind
        right = self._parameter(operand.type, False)
        if operator not in ("$eq", "$ne"):
            left, right = self._dialect.ordered(left, kind), self._dialect.ordered(right, kind)
        return COMPARISONS[operator](this=left, expression=right)


def _is_null(operand: Expression, negated: bool) -> Expression:
    test = exp.Is(this=operand, expression=exp.null())
    return exp.Not(this=test) if negated else test


def _or_null(test: Expression, operand: Operand) -> Expression:
    if not operand.nullable:
        return test
    return exp.Paren(this=exp.Or(this=test, expression=_is_null(operand.value.copy(), False)))


def _or_false(test: Expression) -> Expression:
    return exp.Coalesce(this=test, expressions=[exp.false()])


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
