"""What a database says of the tables that are there."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from dataflow.logs import logger
from dataflow.types import ColumnType

__all__ = [
    "CatalogColumn",
    "CatalogConstraint",
    "CatalogIndex",
    "CatalogReference",
    "CatalogTable",
    "by_itself",
]


class CatalogColumn(NamedTuple):
    """A column.

    :param type: its type, as the database writes it.
    :param logical: what its values are in Python; None where no logical type stands for it.
    :param default: the expression for rows that give no value, as the database writes it.
    :param generated: the expression of which the database always makes the value; empty for other columns.
    :param identity: how the database numbers rows by it: ``"by default"`` where none is given, or ``"always"``.
    :param hidden: whether ``SELECT *`` leaves it out.
    :param forbidden: whether this user may not read it.
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
    forbidden: bool = False
    comment: str = ""
    as_text: str = ""


class CatalogReference(NamedTuple):
    """A foreign key.

    :param schema: where the other table is, written as that of :class:`CatalogTable`, and so is ``home``.
    :param referred: the columns there, in the order of ``columns``.
    """

    name: str
    columns: tuple[str, ...]
    schema: str
    table: str
    referred: tuple[str, ...]
    on_delete: str = ""
    on_update: str = ""
    home: str = ""

    @property
    def label(self) -> str:
        """The name of the other table, as :attr:`CatalogTable.label`."""
        return f"{self.schema}.{self.table}" if self.schema else self.table


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
    :param home: the schema that it is in, which finds it wherever a session looks first; empty where there are none.
    :param traits: what is special about it: ``"partitioned"``, ``"materialized"``, ``"virtual"``.
    :param key: the columns of its primary key, in order.
    :param rows: how many rows it may have, where the database knows without counting.
    """

    name: str
    kind: Literal["table", "view"]
    columns: tuple[CatalogColumn, ...]
    schema: str = ""
    home: str = ""
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


def by_itself(name: str, schema: str, describe: Callable[[], CatalogTable]) -> CatalogTable:
    """Describe a table so that whatever is odd about it keeps no other from being described.

    :param describe: may fail; then the table is there, with the trait ``"unknown"`` and no columns.
    """
    try:
        return describe()
    except Exception:
        table = CatalogTable(name, "table", (), schema, traits=("unknown",))
        logger("dataflow.discovery").warning("%s cannot be described", table.label, exc_info=True)
        return table
