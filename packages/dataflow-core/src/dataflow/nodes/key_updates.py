"""Updates of the row with a key by plain values: the commonest ones, settled once for all of the same fields."""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import NamedTuple

from dataflow.errors import InvalidValue
from dataflow.model.field import utcnow
from dataflow.model.schema import Model
from dataflow.nodes.rows import RowSelector
from dataflow.nodes.values import Maintained
from dataflow.statements import Change, Update

__all__ = ["KeyUpdates"]

FIELDS_KEPT = 256


class KeyUpdate(NamedTuple):
    """How the values of these fields become an update.

    :param given: the names, each with the coercion of its values.
    :param stamps: how many changes beside those hold the time.
    """

    given: tuple[tuple[str, Callable[[object], object]], ...]
    changes: tuple[Change, ...]
    stamps: int


class KeyUpdates:
    """Reads the parameters of such updates.

    :param special: the fields that are no plain values.
    """

    def __init__(
        self, model: Model, selector: RowSelector, maintained: Maintained, special: Collection[str]
    ) -> None:
        self._model = model
        self._selector = selector
        self._maintained = maintained
        self._special = frozenset(special)
        self._plan: Callable[[tuple[str, ...]], KeyUpdate | None] = lru_cache(FIELDS_KEPT)(self._settle)

    def read(self, parameters: Mapping[str, object]) -> Update | None:
        """The update, if these are a key and ``updates`` with nothing but values that are right."""
        updates = parameters.get("updates")
        if len(parameters) != 2 or type(updates) is not dict:
            return None
        plan = self._plan(tuple(updates))
        if plan is None:
            return None
        try:
            where = self._selector.by_key(
                {name: parameters[name] for name in parameters if name != "updates"}
            )
            values = [coerce(updates[name]) for name, coerce in plan.given]
        except InvalidValue:
            # Whoever reads all kinds of parameters tells best what is wrong with these.
            return None
        if where is None:
            return None
        if plan.stamps:
            values += [utcnow()] * plan.stamps
        return Update(self._model, plan.changes, tuple(values), where)

    def _settle(self, names: tuple[str, ...]) -> KeyUpdate | None:
        fields = self._model.fields
        if not names or any(name not in fields or name in self._special for name in names):
            return None
        if any(fields[name].read_only for name in names):
            return None
        stamps = self._maintained.except_for(names).shape
        given = tuple((name, fields[name].coerce) for name in names)
        return KeyUpdate(given, (*map(Change, names), *stamps), len(stamps))
