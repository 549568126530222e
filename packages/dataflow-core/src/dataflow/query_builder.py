"""Queries without a model and without a connection: MongoDB's operators in, SQL and its parameters out."""

from collections.abc import Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from dataflow.abc import Dialect
from dataflow.coercion import coercer
from dataflow.config import DataFlowConfig
from dataflow.errors import InvalidValue, MissingValue
from dataflow.filters.mongo import read_filter
from dataflow.model.field import MISSING
from dataflow.model.schema import Model, ModelField
from dataflow.types import ColumnType, Kind, is_storable_text
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

__all__ = ["QueryBuilder", "create_query_builder"]

WHERE = "where of the query builder"
TEXT = ColumnType(Kind.TEXT, str)
JSON = ColumnType(Kind.JSON, dict)
OF_TEXTS = ("$like", "$ilike", "$regex", "$exists")


def create_query_builder(dialect: str) -> "QueryBuilder":
    """A builder of queries for a database, by the name that begins its URLs: ``"postgresql"``, ``"sqlite"``.

    It reaches no server, and knows no models: types are those of the values.

    :raises MissingPlugin: where no installed package speaks it; the message names the one that does.

    >>> builder = create_query_builder("sqlite").table("users").where("age", "$gt", 18)
    >>> builder.build_select(["name"])
    ('SELECT "users"."name" FROM "users" WHERE "users"."age" > ?', [18])
    """
    from dataflow.plugins import plugins

    factory = plugins().dialect(dialect)
    url = DatabaseURL(dialect)
    return QueryBuilder(factory.create(url, DataFlowConfig(database_url=url)))


class QueryBuilder:
    """A query in the making; each call adds to it and returns it."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._table: str | None = None
        self._conditions: list[tuple[str, str, object]] = []

    def table(self, name: str) -> Self:
        """Read from a table."""
        self._table = _checked_name("table", name)
        return self

    def where(self, field: str, operator: str, value: object) -> Self:
        """Let only those rows through that meet a condition, besides those that were given before.

        :param field: a column, or a path into a column of JSON such as ``"address.city"``.
        :param operator: one of those that filters have, such as ``"$gt"``.
        :raises UnknownName: for an operator that does not exist; the message suggests the nearest.
        :raises InvalidValue: for a value that the operator does not take.
        """
        _checked_name("field", field)
        if not str(operator).startswith("$"):
            raise InvalidValue(f"{WHERE}: an operator is a text such as '$gt'")
        value = _stored(value)
        read_filter(_model("table", field, operator, value), {field: {operator: value}}, WHERE)
        self._conditions.append((field, operator, value))
        return self

    def build_select(self, fields: Sequence[str]) -> tuple[str, list[Any]]:
        """The SQL that reads columns, with the dialect's placeholders, and the values for these.

        :raises MissingValue: where no table was named, or no column.
        """
        if self._table is None:
            raise MissingValue("the query builder needs a table: .table('users')")
        if isinstance(fields, str) or not fields:
            raise MissingValue("build_select needs a list of columns, such as ['name', 'email']")
        from sqlglot import exp

        from dataflow.sql.conditions import identifier
        from dataflow.sql.parameters import Parameters

        names = [_checked_name("field", field) for field in fields]
        columns = [exp.Column(this=identifier(name), table=identifier(self._table)) for name in names]
        query = exp.Select(expressions=columns).from_(exp.Table(this=identifier(self._table)), copy=False)
        parameters, values = Parameters(self._dialect), list[object]()
        conditions = []
        for condition in self._conditions:
            expression, bound = self._condition(parameters, *condition)
            conditions.append(expression)
            values += bound
        if conditions:
            query = query.where(exp.and_(*conditions, copy=False), copy=False)
        compiled = parameters.compiled(query, None)
        return compiled.sql, list(values if compiled.bind is None else compiled.bind(values))

    def _condition(
        self, parameters: Any, field: str, operator: str, value: object
    ) -> "tuple[Expression, tuple[object, ...]]":
        from dataflow.sql.conditions import Conditions

        assert self._table is not None
        model = _model(self._table, field, operator, value)
        where = read_filter(model, {field: {operator: value}}, WHERE)
        return Conditions(self._dialect, model, parameters.next).compile(where.shape), where.values


def _checked_name(what: str, name: object) -> str:
    if not isinstance(name, str) or not name or not is_storable_text(name):
        raise InvalidValue(f"the query builder: the name of a {what} is a text that is not empty")
    return name


def _stored(value: object) -> object:
    """A value with the members of enumerations as they are stored."""
    if isinstance(value, list | tuple | set | frozenset):
        return [_stored(member) for member in value]
    return value.value if isinstance(value, Enum) else value


def _model(table: str, field: str, operator: str, value: object) -> Model:
    """A model of just the column that a condition is about."""
    column, dot, _ = field.partition(".")
    type = JSON if dot else _type_of(operator, value)
    described = ModelField(
        name=column,
        column=column,
        type=type,
        nullable=True,
        default=MISSING,
        default_factory=None,
        primary_key=False,
        generated=False,
        index=False,
        unique=False,
        foreign_key=None,
        maintained=None,
        coerce=coercer(type, True, column),
    )
    fields: Mapping[str, ModelField] = MappingProxyType({column: described})
    return Model(table, table, fields, (), (), {}, "primary", (__name__, table), object)


def _type_of(operator: str, value: object) -> ColumnType:
    """The type of the column, as far as the value tells."""
    from dataflow.sql.values import type_of_value

    members = [member for member in (value if isinstance(value, list) else [value]) if member is not None]
    if operator in OF_TEXTS or not members:
        return TEXT
    # A whole number among others is one of them.
    first = next((member for member in members if isinstance(member, float)), members[0])
    return type_of_value(first, WHERE)
