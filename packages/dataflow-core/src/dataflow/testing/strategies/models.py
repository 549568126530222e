"""Models with random fields."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dataflow import Field
from dataflow.testing.strategies.values import Odd

__all__ = ["HINTS", "models"]

HINTS: Sequence[Any] = (
    int,
    float,
    bool,
    str,
    Annotated[str, Field(max_length=5)],
    bytes,
    Decimal,
    datetime,
    date,
    time,
    timedelta,
    UUID,
    dict[str, Any],
    list[Any],
    list[int],
    list[float],
    list[bool],
    list[str],
    list[datetime],
    list[date],
    list[UUID],
    Odd,
    Literal["a", "B", "ä"],
)
"""A hint of every kind that a field can have."""


def models(name: str) -> SearchStrategy[type]:
    """Classes with some fields of some types, some of which may be None; ready for ``db.model``.

    :param name: the name of the class. Whoever makes tables of several of them renames each.
    """
    hint = st.sampled_from(HINTS)
    fields = st.lists(st.tuples(hint, st.booleans()), min_size=1, max_size=8)
    return st.builds(_model, st.just(name), fields, st.booleans())


def _model(name: str, fields: Sequence[tuple[Any, bool]], timestamps: bool) -> type:
    body = {
        "__annotations__": {
            f"field_{number}": hint | None if optional else hint
            for number, (hint, optional) in enumerate(fields)
        },
        "__module__": __name__,
        "__dataflow__": {"timestamps": timestamps},
    }
    return type(name, (), body)
