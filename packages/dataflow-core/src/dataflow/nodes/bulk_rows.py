"""From the rows of a batch to values that were checked, in groups that one statement can hold."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby, takewhile
from typing import Any, NamedTuple, TypeAlias, cast

from dataflow.errors import InvalidValue, MissingValue, ValidationError
from dataflow.nodes.bulk_plans import BulkPlan
from dataflow.nodes.flat_rows import FlatRows

__all__ = ["Batch", "Group", "Refusal", "RowReader"]

Rows: TypeAlias = Sequence[Mapping[str, Any]]


class Refusal(NamedTuple):
    """A row that is not stored, by its place in the input, and why."""

    row: int
    error: Exception


class Group(NamedTuple):
    """Rows that follow each other and have values for the same fields.

    :param indices: where each row stands in the input.
    :param sparse: whether rows may have ``OMITTED`` for a value.
    """

    plan: BulkPlan
    rows: FlatRows
    indices: list[int]
    sparse: bool = False

    def followed_by(self, group: "Group") -> "Group":
        """One group of both; the rows of the other are added to these."""
        self.rows.extend(group.rows)
        self.indices.extend(group.indices)
        return self._replace(sparse=self.sparse or group.sparse)


class Batch(NamedTuple):
    """A batch that was checked.

    :param size: how many rows of the input it holds, those refused among them.
    """

    size: int
    groups: Sequence[Group]
    refusals: Sequence[Refusal]


class RowReader:
    """Checks rows.

    :param plan: how rows of given names become values.
    :param kind: rows can share a statement where this tells the same of their plans.
    :param filling: values for the rows that lack them.
    :param omitted: for fields that a row may lack, values that mean the same.
    :param tolerant: whether rows that are refused are set aside; else the first one is an error.
    """

    def __init__(
        self,
        plan: Callable[[tuple[str, ...]], BulkPlan],
        kind: Callable[[BulkPlan], object],
        filling: Mapping[str, object],
        omitted: Mapping[str, object],
        *,
        tolerant: bool,
    ) -> None:
        self._plan = plan
        self._kind = kind
        self._filling = filling
        self._omitted = omitted
        self._tolerant = tolerant

    def read(self, rows: Sequence[object], start: int) -> Batch:
        """Check the rows of a batch.

        :param start: the index of the first one in the input.
        :raises ValidationError: naming the row, unless tolerant.
        """
        refusals: list[Refusal] = []
        groups: list[Group] = []
        for group in self._groups(*self._dicts(rows, start, refusals), refusals):
            if group is None:
                continue
            if groups and self._kind(groups[-1].plan) == self._kind(group.plan):
                groups[-1] = groups[-1].followed_by(group)
            else:
                groups.append(group)
        return Batch(len(rows), groups, refusals)

    def _dicts(
        self, rows: Sequence[object], start: int, refusals: list[Refusal]
    ) -> tuple[Rows, Sequence[int]]:
        """The rows as dicts, filled, and where each stands in the input."""
        if not self._filling and set(map(type, rows)) == {dict}:
            return cast("Rows", rows), range(start, start + len(rows))
        dicts: list[Mapping[str, Any]] = []
        indices: list[int] = []
        for index, row in enumerate(rows, start):
            if isinstance(row, Mapping):
                dicts.append({**self._filling, **row})
                indices.append(index)
            else:
                self._refuse(refusals, index, InvalidValue(f"expected a dict, got {type(row).__name__}"))
        return dicts, indices

    def _groups(self, rows: Rows, indices: Sequence[int], refusals: list[Refusal]) -> Iterable[Group | None]:
        """The rows, cut where their names change."""
        group, length = self._first_group(rows, indices, refusals)
        yield group
        if length == len(rows):
            return
        rows, indices = self._evened(rows[length:]), indices[length:]
        group, length = self._first_group(rows, indices, refusals)
        yield _sparse(group)
        for names, found in groupby(rows[length:], tuple):
            run = list(found)
            while run:
                indices = indices[length:]
                group, length = self._group(names, run, indices, refusals)
                yield _sparse(group)
                run = run[length:]

    def _first_group(
        self, rows: Rows, indices: Sequence[int], refusals: list[Refusal]
    ) -> tuple[Group | None, int]:
        """Mostly all rows have the same names: those that are as wide as the first and lack no name of it do."""
        if len(set(map(len, rows))) != 1:
            return None, 0
        return self._group(tuple(rows[0]), rows, indices, refusals)

    def _evened(self, rows: Rows) -> Rows:
        """The rows, with what some of them lack and others have, so that more of them are of one kind."""
        if not self._omitted:
            return rows
        names = set().union(*rows)
        omitted = {name: value for name, value in self._omitted.items() if name in names}
        return [{**omitted, **row} for row in rows]

    def _group(
        self, names: tuple[str, ...], rows: Rows, indices: Sequence[int], refusals: list[Refusal]
    ) -> tuple[Group | None, int]:
        """The values of the rows as far as these have the names, and how many rows that are; the first one has."""
        try:
            plan = self._plan(names)
        except ValidationError as error:
            alike = sum(1 for _ in takewhile(lambda row: tuple(row) == names, rows))
            for index in indices[:alike]:
                self._refuse(refusals, index, error)
            return None, alike
        values = FlatRows(len(plan.fields))
        refused: set[int] = set()
        remaining, length = iter(rows), len(rows)
        while True:
            try:
                plan.read(remaining, values.add)
                break
            except ValidationError as error:
                position = len(values) + len(refused)
                refused.add(position)
                self._refuse(refusals, indices[position], error)
            except KeyError:
                length = len(values) + len(refused)
                if length == 0:
                    # It has all names: the error is that of a default_factory.
                    raise
                break
        kept = [index for position, index in enumerate(indices[:length]) if position not in refused]
        return Group(plan, values, kept) if values else None, length

    def _refuse(self, refusals: list[Refusal], index: int, error: ValidationError) -> None:
        if self._tolerant:
            refusals.append(Refusal(index, error))
        elif isinstance(error, InvalidValue | MissingValue):
            raise type(error)(f"row {index}: {error}") from None
        else:
            raise error


def _sparse(group: Group | None) -> Group | None:
    return None if group is None else group._replace(sparse=True)
