"""Which column holds a value that a driver has none for: it fails with the whole answer, and names nothing."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from dataflow.errors import UnreadableValue
from dataflow.model.schema import Model
from dataflow.statements import Aggregate, Delete, Select, Statement, Update
from dataflow.types import Kind

__all__ = ["named", "suspects", "traced"]

MOMENTS = frozenset({Kind.DATETIME, Kind.DATE, Kind.TIME, Kind.INTERVAL})
"""What databases know more of than Python."""


def suspects(model: Model, names: Iterable[str]) -> Sequence[str]:
    """Those of these fields that may hold what Python has no value for."""
    fields = (model.fields[name] for name in names if name in model.fields)
    return [field.name for field in fields if (field.type.element or field.type).kind in MOMENTS]


def named(error: UnreadableValue, model: Model, names: Sequence[str]) -> UnreadableValue:
    """The error with the fields that it may be about."""
    about = " or ".join(f"{model.name}.{name}" for name in names) or model.name
    return UnreadableValue(f"{about}: {error}")


async def traced(
    error: UnreadableValue, statement: Statement, fetch: Callable[[Select], Awaitable[object]]
) -> UnreadableValue:
    """The error with the field that it is about, as far as reading each by itself tells.

    :param fetch: reads the rows of a statement.
    """
    model = getattr(statement, "model", None)
    if model is None or isinstance(statement, Aggregate):
        return error if model is None else named(error, model, ())
    names = suspects(model, _returned(statement, model))
    if isinstance(statement, Select) and len(names) > 1:
        names = [name for name in names if await _fails(statement, name, fetch)] or names
    return named(error, model, names)


def _returned(statement: Statement, model: Model) -> Iterable[str]:
    if isinstance(statement, Delete):
        return [field.name for field in model.key]
    asked = statement.fields if isinstance(statement, Select) else None
    asked = statement.returning if isinstance(statement, Update) else asked
    return model.fields if asked is None else asked


async def _fails(statement: Select, name: str, fetch: Callable[[Select], Awaitable[object]]) -> bool:
    try:
        await fetch(statement._replace(fields=(name,), locking=False))
    except UnreadableValue:
        return True
    return False
