"""What a model may say about a field beyond its type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Literal

from dataflow.errors import ModelError

__all__ = ["MISSING", "Field", "FieldOptions", "ForeignKey", "Index", "OnDelete", "utcnow"]

OnDelete = Literal["restrict", "cascade", "set_null", "no_action"]


class Missing(Enum):
    """The type of ``MISSING``: an Enum, so that copies and pickles are still the one object."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING
"""Stands where no default was given, as None is a default of its own."""


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """What ``Field`` was given."""

    default: object = MISSING
    default_factory: Callable[[], object] | None = None
    primary_key: bool | None = None
    index: bool = False
    unique: bool = False
    max_length: int | None = None
    column: str | None = None

    def merged(self, other: "FieldOptions", where: str) -> "FieldOptions":
        """Join two sets of options for one field; each option may be set in one of them, or alike in both.

        :raises ModelError: when they disagree.
        """
        merged = {}
        for option in fields(self):
            ours, theirs = getattr(self, option.name), getattr(other, option.name)
            if ours is option.default:
                merged[option.name] = theirs
            elif theirs is option.default or (type(ours) is type(theirs) and ours == theirs):
                merged[option.name] = ours
            else:
                raise ModelError(f"{where}: {option.name} is given twice, differently; keep one")
        return FieldOptions(**merged)


def Field(
    *,
    default: object = MISSING,
    default_factory: Callable[[], object] | None = None,
    primary_key: bool | None = None,
    index: bool = False,
    unique: bool = False,
    max_length: int | None = None,
    column: str | None = None,
) -> Any:
    """Describe a field, as its class attribute or within ``Annotated``.

    :param default: the value of a row that gives none.
    :param default_factory: makes that value anew for each row.
    :param primary_key: whether it is the key, or a part of it; unsaid, only a field named ``id`` is.
    :param index: whether to index it.
    :param unique: whether two rows may not have the same value.
    :param max_length: the greatest length of a text (in characters) or of bytes.
    :param column: the name of the column, where it is not the field's.

    >>> class Person:
    ...     email: str = Field(unique=True, max_length=200)
    """
    return FieldOptions(default, default_factory, primary_key, index, unique, max_length, column)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to the row of another model, within ``Annotated``.

    :param target: the name of the model, for its key, or ``"Model.field"``.
    :param on_delete: what happens to this row when that one is deleted.

    >>> ForeignKey("Customer", on_delete="cascade").model
    'Customer'
    """

    target: str
    on_delete: OnDelete = "restrict"

    @property
    def model(self) -> str:
        """The name of the model that is referred to."""
        return self.target.partition(".")[0]

    @property
    def field(self) -> str | None:
        """The field that is referred to, or None for the key."""
        return self.target.partition(".")[2] or None


@dataclass(frozen=True, slots=True, init=False)
class Index:
    """An index over one or more fields, for ``__dataflow__ = {"indexes": [...]}``.

    :param fields: the names of the fields; a leading ``-`` means descending.
    :param unique: whether two rows may not have the same values.
    :param where: a filter; the index covers the rows that match.
    :param name: its name in the database, where the derived one does not do.

    >>> Index("customer_id", "-placed_at").keys
    (('customer_id', False), ('placed_at', True))
    """

    fields: tuple[str, ...]
    unique: bool
    where: Mapping[str, object] | None = field(hash=False)
    name: str | None

    def __init__(
        self,
        *fields: str,
        unique: bool = False,
        where: Mapping[str, object] | None = None,
        name: str | None = None,
    ) -> None:
        for attribute, value in (("fields", fields), ("unique", unique), ("where", where), ("name", name)):
            object.__setattr__(self, attribute, value)

    @property
    def keys(self) -> tuple[tuple[str, bool], ...]:
        """Each field and whether it is descending."""
        return tuple((name.removeprefix("-"), name.startswith("-")) for name in self.fields)

    def named(self, name: str | None) -> "Index":
        """Give the same index under another name."""
        return Index(*self.fields, unique=self.unique, where=self.where, name=name)


def utcnow() -> datetime:
    """Tell the time, in UTC, with the time zone set.

    >>> utcnow().tzinfo
    datetime.timezone.utc
    """
    return datetime.now(UTC)
