"""The values of a row: those given, defaults, and what DataFlow keeps itself."""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import NamedTuple

from dataflow.errors import MissingValue, UnknownName
from dataflow.filters.changes import Changes, refuse_read_only
from dataflow.model.field import MISSING, utcnow
from dataflow.model.schema import Model, ModelField
from dataflow.statements import Change

__all__ = ["Completion", "Maintained", "NewRow", "RowPlan", "maker"]

NAMES_KEPT = 256


class RowPlan(NamedTuple):
    """How the values of a row are made when these names are given, settled once.

    :param fields: the fields of the INSERT: those given, those made, those that hold the time.
    :param given: name and coercion of each value given.
    :param made: a function for each default.
    :param stamps: how many fields hold the time of creation.
    """

    fields: tuple[str, ...]
    given: tuple[tuple[str, Callable[[object], object]], ...]
    made: tuple[Callable[[], object], ...]
    stamps: int

    def values(self, row: Mapping[str, object]) -> tuple[object, ...]:
        """The values, in the order of ``fields``."""
        values = [coerce(row[name]) for name, coerce in self.given]
        for make in self.made:
            values.append(make())
        if self.stamps:
            values += [utcnow()] * self.stamps
        return tuple(values)


class Completion(NamedTuple):
    """The fields that a new row gets beside those given.

    :param made: those with a default.
    :param stamped: those that hold the time of creation.
    """

    made: tuple[ModelField, ...]
    stamped: tuple[ModelField, ...]


class NewRow:
    """Plans the rows of a model.

    :param name: the node's, for messages.
    """

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = name
        self._required = tuple(field.name for field in model.fields.values() if field.required)
        self.plan: Callable[[tuple[str, ...]], RowPlan] = lru_cache(NAMES_KEPT)(self._plan)

    def check_names(self, names: Collection[str]) -> None:
        """Refuse names that are no fields, or fields that nobody can write.

        :raises UnknownName: suggesting the nearest field.
        """
        for name in names:
            if name not in self._model.fields:
                raise UnknownName("field", str(name), self._name, self._model.fields)
            refuse_read_only(self._model.fields[name], self._name)

    def check(self, values: Mapping[str, object]) -> None:
        """Check values that are known, though others may be missing."""
        self.check_names(values)
        for name, value in values.items():
            self._model.fields[name].coerce(value)

    def missing(self, names: Collection[str]) -> str | None:
        """Which values a row still needs."""
        lacking = [name for name in self._required if name not in names]
        if not lacking:
            return None
        return f"{self._name} needs a value for {', '.join(map(repr, lacking))}"

    def completion(self, names: Collection[str]) -> Completion:
        """What a row lacks that gives these names.

        :raises ValidationError: where a name is no field, or one is missing that only the caller can give.
        """
        self.check_names(names)
        lacking = self.missing(names)
        if lacking is not None:
            raise MissingValue(lacking)
        others = [field for field in self._model.fields.values() if field.name not in names]
        return Completion(
            made=tuple(field for field in others if _has_default(field)),
            stamped=tuple(field for field in others if field.maintained is not None),
        )

    def _plan(self, names: tuple[str, ...]) -> RowPlan:
        made, stamped = self.completion(names)
        return RowPlan(
            fields=(*names, *(field.name for field in (*made, *stamped))),
            given=tuple((name, self._model.fields[name].coerce) for name in names),
            made=tuple(map(maker, made)),
            stamps=len(stamped),
        )


class Maintained:
    """What DataFlow changes by itself in a row that is changed: the time of that, unless it is given."""

    def __init__(self, model: Model) -> None:
        self._stamped = tuple(
            Change(field.name) for field in model.fields.values() if field.maintained == "updated"
        )

    def beside(self, changes: Changes) -> Changes:
        """The changes, with those that are DataFlow's own."""
        stamps = self._stamped
        if not stamps:
            return changes
        shape, values = changes
        given = [change.field for change in shape]
        for stamp in stamps:
            if stamp.field not in given:
                shape, values = (*shape, stamp), (*values, utcnow())
        return Changes(shape, values)

    def except_for(self, given: Collection[str]) -> Changes:
        """DataFlow's own changes alone, but for the fields that are given."""
        stamps = tuple(change for change in self._stamped if change.field not in given)
        return Changes(stamps, (utcnow(),) * len(stamps))


def _has_default(field: ModelField) -> bool:
    return field.maintained is None and (field.default_factory is not None or field.default is not MISSING)


def maker(field: ModelField) -> Callable[[], object]:
    """The function that makes the default of a field."""
    factory = field.default_factory
    if factory is not None:
        return lambda: field.coerce(factory())
    return lambda: field.default
