"""What a database says of the tables that are there."""

from typing import Literal, NamedTuple

from dataflow.types import ColumnType

__all__ = ["CatalogColumn", "CatalogConstraint", "CatalogIndex", "CatalogReference", "CatalogTable"]


class CatalogColumn(NamedTuple):
    """A column.

    :param type: its type, as the database writes it.
    :param logical: what its values are in Python; None where no logical type stands for it.
    :param default: the expression for rows that give no value, as the database writes it.
    :param generated: the expression of which the database always makes the value; empty for other columns.
    :param identity: how the database numbers rows by it: ``"by default"`` where none is given, or ``"always"``.
    :param hidden: whether ``SELECT *`` leaves it out.
    :param as_text: the function of the database that makes a text of a value without a logical type; empty for a cast.
    """

    name: str
    type: str
    logical: ColumnType | None
    nullable: bool = True
    default: str | None = None
    generated: str = ""
    identity: Literal["", "by default", "always"] = ""
    hidden: bool = False
    comment: str = ""
    as_text: str = ""


class CatalogReference(NamedTuple):
    """A foreign key.

    :param schema: where the other table is, written as that of :class:`CatalogTable`.
    :param referred: the columns there, in the order of ``columns``.
    """

    name: str
    columns: tuple[str, ...]
    schema: str
    table: str
    referred: tuple[str, ...]
    on_delete: str = ""
    on_update: str = ""


class CatalogIndex(NamedTuple):
    """An index.

    :param columns: in order, those that descend with a leading ``-``; an expression as ``(expression)``.
    :param where: the condition of the rows that it covers; empty where these are all.
    """

    name: str
    columns: tuple[str, ...]
    unique: bool
    where: str = ""


class CatalogConstraint(NamedTuple):
    """A condition that the rows of a table meet.

    :param kind: ``"check"``, ``"unique"`` or ``"exclusion"``.
    :param definition: as the database writes it.
    """

    name: str
    kind: str
    definition: str
    columns: tuple[str, ...] = ()


class CatalogTable(NamedTuple):
    """A table or a view.

    :param schema: where it is, if a statement has to say so; empty where its name does.
    :param traits: what is special about it: ``"partitioned"``, ``"materialized"``, ``"virtual"``.
    :param key: the columns of its primary key, in order.
    :param rows: how many rows it may have, where the database knows without counting.
    """

    name: str
    kind: Literal["table", "view"]
    columns: tuple[CatalogColumn, ...]
    schema: str = ""
    traits: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    foreign_keys: tuple[CatalogReference, ...] = ()
    indexes: tuple[CatalogIndex, ...] = ()
    constraints: tuple[CatalogConstraint, ...] = ()
    rows: int | None = None
    comment: str = ""

    @property
    def label(self) -> str:
        """Its name, after that of its schema where a statement has to say it.

        >>> CatalogTable("orders", "table", (), schema="sales").label
        'sales.orders'
        """
        return f"{self.schema}.{self.name}" if self.schema else self.name
