"""Statements: what a node wants from the database, frozen, without a word of SQL.

A statement keeps its *shape* (model, fields, operators) and its *values* apart. The shape is a hashable tuple and grows
with what is asked, never with how much: it is the key under which the compiled SQL is found again.

>>> where = equals("age", 3) & compare("name", "$gt", "A")
>>> where.shape
('and', ('$eq', 'age'), ('$gt', 'name'))
>>> where.values
(3, 'A')
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, cast

from dataflow.model.field import Index, OnDelete
from dataflow.model.schema import Model, ModelField

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "AddColumn",
    "AddReference",
    "Aggregate",
    "Change",
    "CreateIndex",
    "CreateTable",
    "Delete",
    "Insert",
    "InsertMany",
    "Order",
    "Pipeline",
    "Raw",
    "Reference",
    "SchemaChange",
    "Select",
    "Shape",
    "Statement",
    "Update",
    "UpdateMany",
    "UpsertMany",
    "Where",
    "all_of",
    "any_of",
    "compare",
    "equals",
    "having_one_of",
    "is_null",
]

Shape: TypeAlias = tuple[object, ...]
"""A hashable tuple: everything that decides the text of the SQL."""


class Where(NamedTuple):
    """A condition on rows: the shape of its tree, and its values in the order of the leaves.

    Conditions combine with ``&``, ``|`` and ``~``; the logic has two values, so that ``~`` turns round what a
    condition says of a row where the field is null.
    """

    shape: Shape
    values: tuple[object, ...]

    def __and__(self, other: "Where") -> "Where":
        return all_of((self, other))

    def __or__(self, other: "Where") -> "Where":
        return any_of((self, other))

    def __invert__(self) -> "Where":
        # What every row meets must show as that, however it was written.
        if self.shape == NOTHING.shape:
            return EVERYTHING
        if not self.shape:
            return NOTHING
        if self.shape[0] == "not":
            return Where(cast("Shape", self.shape[1]), self.values)
        return Where(("not", self.shape), self.values)


def all_of(parts: Sequence[Where]) -> Where:
    """The condition that all of these hold."""
    parts = [part for part in parts if part.shape]
    return parts[0] if len(parts) == 1 else _joined("and", parts) if parts else EVERYTHING


def any_of(parts: Sequence[Where]) -> Where:
    """The condition that one of these holds."""
    if any(not part.shape for part in parts):
        return EVERYTHING
    return parts[0] if len(parts) == 1 else _joined("or", parts)


def _joined(word: str, parts: Sequence[Where]) -> Where:
    shapes: list[object] = [word]
    values: list[object] = []
    for part in parts:
        flat = part.shape[:1] == (word,)
        shapes.extend(part.shape[1:] if flat else (part.shape,))
        values.extend(part.values)
    return Where(tuple(shapes), tuple(values))


EVERYTHING = Where((), ())
"""The condition that every row meets."""

NOTHING = Where(("or",), ())
"""The condition that no row meets."""


def compare(field: str, operator: str, value: object) -> Where:
    """A condition on one field, with an operator of the filter language such as ``"$gt"``."""
    return Where((operator, field), (value,))


def equals(field: str, value: object) -> Where:
    """The field has this value; None asks for null."""
    return is_null(field) if value is None else compare(field, "$eq", value)


def is_null(field: str) -> Where:
    """The field has no value."""
    return Where(("null", field), ())


def having_one_of(names: Sequence[str], keys: Sequence[Sequence[object]]) -> Where:
    """The fields have the values of one of these keys."""
    if len(names) == 1:
        return compare(names[0], "$in", [value for (value,) in keys])
    return any_of([all_of([equals(*part) for part in zip(names, key, strict=True)]) for key in keys])


class Order(NamedTuple):
    """One criterion of an order."""

    field: str
    descending: bool = False


class Select(NamedTuple):
    """Rows of a model, or their number where ``counting``.

    :param with_deleted: whether rows that were softly deleted are meant too.
    :param locking: whether nobody else may change the rows until the transaction ends.
    """

    model: Model
    where: Where = EVERYTHING
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int | None = None
    fields: tuple[str, ...] | None = None
    counting: bool = False
    with_deleted: bool = False
    locking: bool = False

    @property
    def shape(self) -> Shape:
        limited, skipping = self.limit is not None, self.offset is not None
        return (
            "select",
            self.model,
            self.where.shape,
            self.order,
            limited,
            skipping,
            self.fields,
            self.counting,
            self.locking,
        )

    @property
    def values(self) -> tuple[object, ...]:
        values = self.where.values
        if self.limit is not None:
            values += (self.limit,)
        if self.offset is not None:
            values += (self.offset,)
        return values


class Pipeline(NamedTuple):
    """What becomes of rows: the :mod:`~dataflow.stages`, and the values that they bind, in their order."""

    stages: tuple[Hashable, ...]
    values: tuple[object, ...]


class Aggregate(NamedTuple):
    """The documents that a pipeline makes of the rows that meet a condition; ``with_deleted`` as in :class:`Select`."""

    model: Model
    where: Where
    pipeline: Pipeline
    with_deleted: bool = False

    @property
    def shape(self) -> Shape:
        return ("aggregate", self.model, self.where.shape, self.pipeline.stages)

    @property
    def values(self) -> tuple[object, ...]:
        return self.where.values + self.pipeline.values


class Insert(NamedTuple):
    """One new row; it comes back as it is stored."""

    model: Model
    fields: tuple[str, ...]
    values: tuple[object, ...]

    @property
    def shape(self) -> Shape:
        return ("insert", self.model, self.fields)


class InsertMany(NamedTuple):
    """A batch of new rows; they come back only when asked for.

    :param fields: those of ``rows``, then those of ``constants``.
    :param constants: values that are the same for each row.
    """

    model: Model
    fields: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    constants: tuple[object, ...] = ()
    returning: bool = False

    @property
    def shape(self) -> Shape:
        return ("insert many", self.model, self.fields, len(self.constants), self.returning)


class UpsertMany(NamedTuple):
    """A batch of rows that are inserted, or change the row that has the same values already.

    No two of them have the same values in ``match``.

    :param fields: those of ``rows``, then those of ``constants``.
    :param constants: values that are the same for each row.
    :param match: the fields by which a row is the same; null is never the same.
    :param changed: the fields whose values a row takes that exists.
    :param counted: the fields that are one more in a row that exists.
    :param where: what a row must meet besides, or else it does not exist for this.
    """

    model: Model
    fields: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    constants: tuple[object, ...]
    match: tuple[str, ...]
    changed: tuple[str, ...]
    counted: tuple[str, ...] = ()
    where: Where = EVERYTHING

    @property
    def shape(self) -> Shape:
        constants = len(self.constants)
        return ("upsert many", self.model, self.fields, constants, self.match, self.changed, self.counted)


class Change(NamedTuple):
    """What happens to one field of a row, its value apart.

    :param operator: ``"$set"``, or what the value does to the one that is there: ``"$inc"``, ``"$mul"``, ``"$min"``,
        ``"$max"``. A null counts as nothing there: it becomes the value, or 0 where it is multiplied.
    """

    field: str
    operator: str = "$set"


class Update(NamedTuple):
    """Changes of the rows that meet a condition.

    :param new: a value for each change.
    :param limit: how many rows are touched at most: a statement that is meant for one row carries 2, so that a second
        match is noticed and never a whole table rewritten by mistake.
    :param returning: the fields of the rows that come back as they are then; None for all, none for no rows at all.
    """

    model: Model
    changes: tuple[Change, ...]
    new: tuple[object, ...]
    where: Where
    limit: int | None = None
    returning: tuple[str, ...] | None = None

    @property
    def shape(self) -> Shape:
        limited = self.limit is not None
        return ("update", self.model, self.changes, self.where.shape, limited, self.returning)

    @property
    def values(self) -> tuple[object, ...]:
        values = self.new + self.where.values
        return values if self.limit is None else (*values, self.limit)


class UpdateMany(NamedTuple):
    """Other values for each of many rows, in batches; only the number of rows that were there comes back.

    :param match: the fields that say which row is meant: its key.
    :param fields: the fields that are set.
    :param rows: for each row the values of ``match``, then those of ``fields``; no two rows mean the same one.
    :param changes: what happens to all of these rows alike, with a value for each in ``new``.
    :param where: what a row must meet besides.
    """

    model: Model
    match: tuple[str, ...]
    fields: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]
    changes: tuple[Change, ...] = ()
    new: tuple[object, ...] = ()
    where: Where = EVERYTHING
    batch_size: int | None = None

    @property
    def shape(self) -> Shape:
        return ("update many", self.model, self.match, self.fields, self.changes, self.where.shape)

    @property
    def shared(self) -> tuple[object, ...]:
        """The values that are the same for every row."""
        return self.new + self.where.values


class Delete(NamedTuple):
    """The rows that meet a condition go; their keys come back, if asked for. ``limit`` as in :class:`Update`.

    :param for_good: whether rows go, deleted ones too, that the model would only mark as deleted.
    """

    model: Model
    where: Where
    limit: int | None = None
    returning: bool = True
    for_good: bool = False

    @property
    def shape(self) -> Shape:
        return ("delete", self.model, self.where.shape, self.limit is not None, self.returning)

    @property
    def values(self) -> tuple[object, ...]:
        return self.where.values if self.limit is None else (*self.where.values, self.limit)


class Raw(NamedTuple):
    """SQL of the user's own, its values bound to ``:names``."""

    sql: str
    parameters: Mapping[str, object]

    @property
    def shape(self) -> Shape:
        return ("raw", self.sql)


class Reference(NamedTuple):
    """Where a foreign key points: a table and its column."""

    table: str
    column: str
    on_delete: OnDelete


class CreateTable(NamedTuple):
    """A new table for a model, without its indexes.

    :param references: the foreign keys, by field.
    """

    model: Model
    references: Mapping[str, Reference]


class AddColumn(NamedTuple):
    """A new column of a table that exists."""

    model: Model
    field: ModelField
    reference: Reference | None


class AddReference(NamedTuple):
    """A foreign key for a column that exists.

    Only asked of a dialect without :attr:`Capability.FORWARD_REFERENCES
    <dataflow.capabilities.Capability.FORWARD_REFERENCES>`.
    """

    model: Model
    field: ModelField
    reference: Reference


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """A new index of a table that exists."""

    model: Model
    index: Index


SchemaChange: TypeAlias = CreateTable | AddColumn | CreateIndex | AddReference
"""The changes that lose nothing: all that DataFlow does to a schema by itself."""

Statement: TypeAlias = (
    Select | Aggregate | Insert | InsertMany | UpsertMany | Update | UpdateMany | Delete | Raw
)
"""Whatever the executor can be asked for, apart from changes of the schema."""
