"""A model as the rest of DataFlow sees it: a frozen description of a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from dataflow.errors import UnknownName
from dataflow.model.field import MISSING, ForeignKey, Index
from dataflow.model.naming import snake_case
from dataflow.types import ColumnType

__all__ = ["JointKey", "Model", "ModelField"]


@dataclass(frozen=True, slots=True, eq=False)
class ModelField:
    """A field of a model, and its column.

    :param coerce: takes a value that a caller gave, returns the one to store, or raises ``InvalidValue``.
    :param default: the static default, or ``MISSING``.
    :param default_factory: makes the default anew for each row; for a mutable static default, copies of it.
    :param generated: whether the database makes the value when none is given.
    :param maintained: set for a field that DataFlow keeps itself, at creation or at every change.
    :param filled: whether the table has a default of its own, which the model does not know.
    :param read_only: why nobody can write it; empty where everybody can.
    :param as_text: set for a column of a type that no logical type stands for, and that is read as a text: the function
        of the database that makes one of it, empty for a cast.
    :param takes: where the database holds less than the model takes, ``coerce`` as it would be without that.
    """

    name: str
    column: str
    type: ColumnType
    nullable: bool
    coerce: Callable[[object], object]
    default: object = MISSING
    default_factory: Callable[[], object] | None = None
    primary_key: bool = False
    generated: bool = False
    index: bool = False
    unique: bool = False
    foreign_key: ForeignKey | None = None
    maintained: Literal["created", "updated"] | None = None
    filled: bool = False
    read_only: str = ""
    as_text: str | None = None
    takes: Callable[[object], object] | None = None

    @property
    def required(self) -> bool:
        """Whether a new row must give a value."""
        return not (
            self.default is not MISSING
            or self.default_factory is not None
            or self.nullable
            or self.generated
            or self.maintained is not None
            or self.filled
            or bool(self.read_only)
        )


class JointKey(NamedTuple):
    """A foreign key of several fields of an existing table.

    :param model: the name of the model that it refers to.
    :param referred: the fields there, in the order of ``fields``.
    """

    fields: tuple[str, ...]
    model: str
    referred: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Model:
    """A model: a table, its fields in order, its key and its indexes.

    :param key: the fields of the primary key; empty where an existing table has none.
    :param indexes: the declared ones and those of single fields, each with its name.
    :param options: what ``__dataflow__`` said.
    :param database: the database that it lives in.
    :param origin: the module and the qualified name of its class.
    :param schema: where in the database its table is, if that has to be said.
    :param existing: whether it was made of a table that was there, so that nothing may change the table.
    :param joint_keys: its foreign keys of several fields; those of one are in the fields.
    """

    name: str
    table: str
    fields: Mapping[str, ModelField]
    key: tuple[ModelField, ...]
    indexes: tuple[Index, ...]
    options: Mapping[str, object]
    database: str
    origin: tuple[str, str]
    cls: type
    schema: str = ""
    existing: bool = False
    joint_keys: tuple[JointKey, ...] = ()

    @property
    def id_name(self) -> str:
        """The name that other models give to its key: ``order_item_id``."""
        return f"{snake_case(self.name)}_id"

    def field(self, name: str) -> ModelField:
        """Find a field by its name.

        :raises UnknownName: when there is none; the message suggests the nearest.
        """
        try:
            return self.fields[name]
        except KeyError:
            raise UnknownName("field", name, self.name, self.fields) from None
