"""Aggregations as SQL: consecutive stages share a SELECT as far as the order in which SQL works allows it.

A SELECT filters, groups, orders and cuts, in this order. A stage that would have to come earlier than one that is
there already reads from it as from a table. The queries stand one after the other in a WITH, as databases bound how
deep they may be nested.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.abc import Dialect
from dataflow.model.schema import Model, ModelField
from dataflow.sql.compiled import Compiled
from dataflow.sql.conditions import Conditions, column, identifier, table
from dataflow.sql.ordering import ordered
from dataflow.sql.parameters import COUNT, Parameters
from dataflow.stages import Accumulator, Group, Limit, Match, Project, Skip, Sort, Stage, documents_of
from dataflow.statements import Shape

__all__ = ["compile_aggregate"]

SIZE = "size"
"""The column of a group of all that tells whether there is anything in it; no other is called so."""


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT in the making.

    :param model: the documents that it brings; its table is what it reads from.
    :param source: that table or query.
    :param results: what stands for a column that the SELECT itself computes.
    :param order: the fields to order by, and which of them descend.
    """

    model: Model
    source: Expression
    conditions: tuple[Expression, ...] = ()
    group_by: tuple[Expression, ...] = ()
    results: Mapping[str, Expression] = field(default_factory=dict)
    order: tuple[tuple[ModelField, bool], ...] = ()
    skip: Expression | None = None
    limit: Expression | None = None

    @property
    def is_cut(self) -> bool:
        return self.skip is not None or self.limit is not None

    def value(self, of: ModelField) -> Expression:
        """A field as this SELECT computes or reads it."""
        result = self.results.get(of.column)
        return column(self.model, of) if result is None else result.copy()


def compile_aggregate(dialect: Dialect, model: Model, where: Shape, stages: Iterable[Stage]) -> Compiled:
    """Make the SQL for the stages of a pipeline over the rows that meet a condition."""
    compiler = Compiler(dialect, model.table)
    query = Query(model, table(model))
    if where:
        query = compiler.match(query, Match(where))
    for stage in stages:
        query = compiler.add(query, stage)
    return compiler.finished(query)


class Compiler:
    """Adds stages to queries; it numbers the values and the queries of one statement.

    :param table: the name that no query may have.
    """

    def __init__(self, dialect: Dialect, table: str) -> None:
        self._dialect = dialect
        self._parameters = Parameters(dialect)
        self._prefix = "r" if table[:1] in "qQ" else "q"
        self._queries: list[tuple[str, exp.Select]] = []

    def add(self, query: Query, stage: Stage) -> Query:
        """The query whose result is that of the stage."""
        match stage:
            case Match():
                return self.match(query, stage)
            case Group():
                return self.group(query, stage)
            case Sort():
                return self.sort(query, stage)
            case Skip():
                return self.skip(query)
            case Limit():
                return self.limit(query)
            case Project():
                return replace(query, model=documents_of(stage, query.model))

    def match(self, query: Query, stage: Match) -> Query:
        if query.is_cut or query.results:
            query = self._within(query)
        condition = Conditions(self._dialect, query.model, self._parameters.next).compile(stage.where)
        return replace(query, conditions=(*query.conditions, condition))

    def group(self, query: Query, stage: Group) -> Query:
        if query.is_cut or query.results:
            query = self._within(query)
        by = [query.value(query.model.field(source)) for _, source in stage.key]
        accumulated = [self._accumulated(query, accumulator) for accumulator in stage.accumulators]
        documents = documents_of(stage, query.model)
        columns = (field.column for field in documents.fields.values())
        results = dict(zip(columns, (*(by or [exp.null()]), *accumulated), strict=True))
        grouped = replace(query, model=documents, group_by=tuple(by), results=results, order=())
        return grouped if stage.key else self._unless_empty(grouped)

    def sort(self, query: Query, stage: Sort) -> Query:
        if query.is_cut:
            query = self._within(query)
        asked = [(query.model.field(criterion.field), criterion.descending) for criterion in stage.order]
        criteria: dict[str, tuple[ModelField, bool]] = {}
        for criterion in (*asked, *((part, False) for part in query.model.key)):
            criteria.setdefault(criterion[0].column, criterion)
        return replace(query, order=tuple(criteria.values()))

    def skip(self, query: Query) -> Query:
        if query.is_cut:
            query = self._within(query)
        return replace(self._in_order(query), skip=self._parameters.next(COUNT))

    def limit(self, query: Query) -> Query:
        if query.limit is not None:
            query = self._within(query)
        return replace(self._in_order(query), limit=self._parameters.next(COUNT))

    def finished(self, query: Query) -> Compiled:
        """The statement, once every stage is in."""
        fields = list(query.model.fields.values())
        select = self._select(query, (query.value(field) for field in fields))
        for name, earlier in self._queries:
            select.with_(exp.TableAlias(this=identifier(name)), as_=earlier, copy=False)
        return self._parameters.compiled(select, fields)

    def _accumulated(self, query: Query, accumulator: Accumulator) -> Expression:
        if accumulator.function == "count":
            return exp.Count(this=exp.Star())
        if accumulator.field is None:
            operand = self._parameters.next(accumulator.constant)
            kind = accumulator.constant.kind
        else:
            source = query.model.field(accumulator.field)
            operand, kind = query.value(source), source.type.kind
        return self._dialect.accumulated(accumulator.function, operand, kind)

    def _unless_empty(self, query: Query) -> Query:
        """SQL makes a group of no rows at all; here there is none."""
        counted = replace(query, results={**query.results, SIZE: exp.Count(this=exp.Star())})
        outer = self._within(counted)
        size = exp.Column(this=identifier(SIZE), table=identifier(outer.model.table))
        return replace(outer, conditions=(exp.GT(this=size, expression=exp.Literal.number(0)),))

    def _in_order(self, query: Query) -> Query:
        """Of which only some are wanted needs an order: the key, where nothing else was asked for."""
        return query if query.order else self.sort(query, Sort(()))

    def _within(self, query: Query) -> Query:
        """A new query that reads from this one, in the same order."""
        name = f"{self._prefix}{len(self._queries) + 1}"
        ordered_by = (field for field, _ in query.order)
        needed = {
            field.column: field for field in (*query.model.fields.values(), *query.model.key, *ordered_by)
        }
        columns = {**{name: query.value(field) for name, field in needed.items()}, **query.results}
        select = self._select(
            query if query.is_cut else replace(query, order=()),
            (exp.Alias(this=value, alias=identifier(name)) for name, value in columns.items()),
        )
        self._queries.append((name, select))
        return Query(replace(query.model, table=name), exp.Table(this=identifier(name)), order=query.order)

    def _select(self, query: Query, columns: Iterable[Expression]) -> exp.Select:
        select = exp.Select(expressions=list(columns)).from_(query.source, copy=False)
        if query.conditions:
            select.set("where", exp.Where(this=exp.and_(*query.conditions, copy=False)))
        if query.group_by:
            select.set("group", exp.Group(expressions=list(query.group_by)))
        if query.order:
            criteria = [
                ordered(self._dialect, query.value(field), field, descends) for field, descends in query.order
            ]
            select.set("order", exp.Order(expressions=criteria))
        if query.limit is not None:
            select.set("limit", exp.Limit(expression=query.limit))
        elif query.skip is not None and self._dialect.no_limit is not None:
            select.set("limit", exp.Limit(expression=exp.Var(this=self._dialect.no_limit)))
        if query.skip is not None:
            select.set("offset", exp.Offset(expression=query.skip))
        return select
