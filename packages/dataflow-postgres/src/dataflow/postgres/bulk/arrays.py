"""Many rows as a query over arrays, one for each column; its text does not grow with them."""

from collections.abc import Sequence
from typing import Any

from dataflow.model.schema import ModelField
from dataflow.postgres.bulk.target import Target
from dataflow.postgres.types import array_text, cast_type

__all__ = ["array_of", "rows_from_arrays"]


def array_of(field: ModelField, values: Sequence[Any]) -> list[object]:
    """The values of a column; arrays as texts, since of an array of arrays PostgreSQL would make a matrix."""
    if field.type.element is None:
        return list(values)
    return [None if value is None else array_text(value) for value in values]


def rows_from_arrays(target: Target, fields: Sequence[ModelField], shared: int) -> str:
    """The query, whose columns are ``column1`` and so on.

    :param shared: how many parameters of the statement come before the arrays.
    """
    places = [(f"column{number}", field) for number, field in enumerate(fields, start=1)]
    arrays = ", ".join(
        f"pg_catalog.unnest(${shared + number}::{'text' if field.type.element else cast_type(field.type)}[])"
        for number, field in enumerate(fields, start=1)
    )
    values = ", ".join(
        f"{target.typed(field, name) if field.type.element else target.cast(field, name)} AS {name}"
        for name, field in places
    )
    columns = ", ".join(name for name, _ in places)
    return f"SELECT {values} FROM ROWS FROM ({arrays}) AS given({columns})"
