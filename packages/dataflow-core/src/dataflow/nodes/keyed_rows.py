"""Rows that bring their key: which stored row each of them means, and what it gives it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, NoReturn, TypeAlias

from dataflow.errors import InvalidValue, MissingValue, UnknownName, ValidationError
from dataflow.filters.changes import refuse_read_only
from dataflow.model.features import version_field
from dataflow.model.schema import Model, ModelField
from dataflow.nodes.rows import key_names
from dataflow.nodes.value_source import value_source

__all__ = ["KeyedRows", "RowsOfFields"]

NAMES_KEPT = 256
Row: TypeAlias = Mapping[str, object]


class RowsOfFields(NamedTuple):
    """Rows that give the same fields; each holds the values of ``match``, then those of ``fields``.

    :param match: the key, and the version where the rows expect one.
    """

    match: tuple[str, ...]
    fields: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


class NamedValues(NamedTuple):
    """The values of a row by these names: those of ``match`` first, then the others in the order of the model.

    :param read: the checked values of rows that have these names.
    """

    given: tuple[tuple[str, ModelField], ...]
    match: tuple[str, ...]
    fields: tuple[str, ...]
    read: Callable[[Iterable[Row]], list[tuple[object, ...]]]


class KeyedRows:
    """Reads rows of a model that bring their key.

    :param name: the node's, for messages.
    """

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = name
        self._keys = key_names(model)
        self._width = len(model.key)
        self._version = version_field(model)
        self.names: Callable[[tuple[str, ...]], NamedValues] = lru_cache(NAMES_KEPT)(self._names)

    def check_names(self, names: Iterable[object]) -> None:
        """Refuse names that are neither key nor field.

        :raises UnknownName: suggesting the nearest.
        """
        for name in names:
            if name not in self._keys and name not in self._model.fields:
                raise UnknownName("field", name, self._name, {*self._keys, *self._model.fields})

    def check(self, values: Row) -> None:
        """Check values that are known, though others may be missing."""
        self.check_names(values)
        for name, value in values.items():
            self._model.fields[self._keys.get(name, name)].coerce(value)

    def read(self, rows: Sequence[Row], start: int = 0) -> Sequence[RowsOfFields]:
        """Check and sort rows by the fields that they give; rows of one key become one, in which the last wins.

        :param start: the index of the first one in the input.
        :raises ValidationError: naming the row.
        """
        try:
            groups = self._grouped(rows)
        except ValidationError:
            self._blame(rows, start)
        key = itemgetter(*range(self._width))
        keys = set(chain.from_iterable(map(key, group.rows) for group in groups))
        return groups if len(keys) == len(rows) else self._merged(rows)

    def _grouped(self, rows: Sequence[Row]) -> Sequence[RowsOfFields]:
        alike = self._alike(rows)
        if alike is not None:
            return [alike]
        groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[object, ...]]] = {}
        for names, some in _by_names(rows).items():
            plan = self.names(names)
            groups.setdefault((plan.match, plan.fields), []).extend(plan.read(some))
        return [RowsOfFields(match, fields, values) for (match, fields), values in groups.items()]

    def _alike(self, rows: Sequence[Row]) -> RowsOfFields | None:
        """Mostly all rows have the same names: those that are as wide as the first and lack no name of it do."""
        if len(set(map(len, rows))) != 1:
            return None
        plan = self.names(tuple(rows[0]))
        try:
            return RowsOfFields(plan.match, plan.fields, plan.read(rows))
        except KeyError:
            return None

    def _merged(self, rows: Sequence[Row]) -> Sequence[RowsOfFields]:
        merged: dict[tuple[object, ...], dict[str, object]] = {}
        for row in rows:
            given = self.names(tuple(row)).given
            values = {field.name: field.coerce(row[name]) for name, field in given}
            key = tuple(values[field.name] for field in self._model.key)
            earlier = merged.setdefault(key, {})
            version = self._version
            if earlier and version is not None and (version.name in earlier or version.name in values):
                raise InvalidValue(
                    f"{self._name}: two rows have one key, so that only the first can meet the version that it "
                    "expects; make one of them"
                )
            earlier.update(values)
        return self._grouped([*merged.values()])

    def _names(self, names: tuple[str, ...]) -> NamedValues:
        self.check_names(names)
        by_field: dict[str, str] = {}
        for name in names:
            meant = self._keys.get(name, name)
            if meant in by_field:
                raise ValidationError(f"{self._name} is given {by_field[meant]!r} and {name!r}; keep one")
            by_field[meant] = name
        for field in self._model.key:
            if field.name not in by_field:
                raise MissingValue(f"{self._name} needs the key {field.name!r} to know which row")
        match = list(self._model.key)
        if self._version is not None and self._version.name in by_field:
            match.append(self._version)
        others = [
            field for field in self._model.fields.values() if field.name in by_field and field not in match
        ]
        if not others:
            raise MissingValue(f"{self._name} has nothing to change; give at least one field beside the key")
        for field in others:
            refuse_read_only(field, self._name)
        given = tuple((by_field[field.name], field) for field in (*match, *others))
        return NamedValues(
            given,
            tuple(field.name for field in match),
            tuple(field.name for field in others),
            _reader(given),
        )

    def _blame(self, rows: Sequence[Row], start: int) -> NoReturn:
        for index, row in enumerate(rows, start):
            try:
                self._grouped([row])
            except UnknownName:
                raise
            except ValidationError as error:
                raise type(error)(f"row {index}: {error}") from None
        raise AssertionError("a row that was refused is accepted alone")


def _by_names(rows: Sequence[Row]) -> Mapping[tuple[str, ...], Sequence[Row]]:
    by_names: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        by_names.setdefault(tuple(row), []).append(row)
    return by_names


def _reader(given: Sequence[tuple[str, ModelField]]) -> Callable[[Iterable[Row]], list[tuple[object, ...]]]:
    """Write the function that reads rows of these names."""
    space: dict[str, Any] = {}
    lines: list[str] = []
    for number, (name, field) in enumerate(given):
        lines += value_source(name, field, number, space)
    values = "".join(f"value_{number}, " for number in range(len(given)))
    body = "".join(f"        {line}\n" for line in [*lines, f"take(({values}))"])
    head = "    values = []\n    take = values.append\n    for row in rows:\n"
    source = f"def read(rows):\n{head}{body}    return values"
    exec(compile(source, "<dataflow rows>", "exec"), space)
    read: Callable[[Iterable[Row]], list[tuple[object, ...]]] = space["read"]
    return read
