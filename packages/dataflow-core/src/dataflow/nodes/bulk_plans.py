"""How rows that give the same names become values, settled once: as a function that is written for them.

A call per value costs more than all else that is done with it. So the tests that usual values pass are spelt out in the
text of the function, and coercers are called for the other values only.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from dataflow.model.field import MISSING
from dataflow.model.schema import Model, ModelField
from dataflow.nodes.flat_rows import Values
from dataflow.nodes.value_source import value_source
from dataflow.nodes.values import NewRow, maker

__all__ = ["OMITTED", "BulkPlan", "BulkPlans", "is_optional"]

PLANS_KEPT = 256

ReadRows: TypeAlias = Callable[[Iterator[Mapping[str, Any]], Callable[[Values], None]], None]


class Omitted(Enum):
    """The type of ``OMITTED``."""

    OMITTED = "OMITTED"


OMITTED: Final = Omitted.OMITTED
"""Stands where a row has no value and the table has to make one, be it null or a default that only the table knows."""


def is_optional(field: ModelField) -> bool:
    """Whether a new row may lack a value of which the model does not say what it is then."""
    has_default = field.default is not MISSING or field.default_factory is not None
    return field.nullable and not (has_default or field.generated or field.maintained)


class BulkPlan(NamedTuple):
    """How the values of rows are made when these names are given.

    :param given: the names, in the order of the model.
    :param fields: the fields that each row gets, in the order of the model; so the names may come in any order.
    :param optional: those fields that a row may leave to the table; a row has ``OMITTED`` there where it does.
    :param stamped: the fields that hold the time of creation, the same for all rows of a batch.
    :param read: reads rows and hands on the values of each, ``(None,)`` where it has none; after a refusal it goes on
        with the row that follows.
    """

    model: Model
    given: tuple[str, ...]
    fields: tuple[str, ...]
    optional: frozenset[str]
    stamped: tuple[str, ...]
    read: ReadRows


class BulkPlans:
    """Plans the rows of a model."""

    def __init__(self, model: Model, new: NewRow) -> None:
        self._model = model
        self._new = new
        self.plan: Callable[[tuple[str, ...]], BulkPlan] = lru_cache(PLANS_KEPT)(self._plan)

    def _plan(self, names: tuple[str, ...]) -> BulkPlan:
        made, stamped = self._new.completion(names)
        filled = {*names, *(field.name for field in made)}
        fields = [field for field in self._model.fields.values() if field.name in filled]
        return BulkPlan(
            model=self._model,
            given=tuple(field.name for field in fields if field.name in names),
            fields=tuple(field.name for field in fields),
            optional=frozenset(field.name for field in fields if is_optional(field)),
            stamped=tuple(field.name for field in stamped),
            read=_reader(fields, names),
        )


def _reader(fields: list[ModelField], names: tuple[str, ...]) -> ReadRows:
    """Write the function; its text is made of numbers, of the names' own literals and of the tests of coercion."""
    space: dict[str, Any] = {}
    lines: list[str] = []
    for number, field in enumerate(fields):
        if field.name in names:
            lines += _given(field, number, space)
        else:
            space[f"make_{number}"] = maker(field)
            lines.append(f"value_{number} = make_{number}()")
    values = "".join(f"value_{number}, " for number in range(len(fields)))
    body = "".join(f"        {line}\n" for line in [*lines, f"take(({values or 'None, '}))"])
    source = f"def read(rows, take):\n    for row in rows:\n{body}"
    exec(compile(source, "<dataflow rows>", "exec"), space)
    read: ReadRows = space["read"]
    return read


def _given(field: ModelField, number: int, space: dict[str, Any]) -> list[str]:
    passing: list[str] = []
    if is_optional(field):
        space["OMITTED"] = OMITTED
        passing.append("OMITTED")
    return value_source(field.name, field, number, space, passing)
