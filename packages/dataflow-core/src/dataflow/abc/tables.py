"""Tables as the database describes them."""

from collections.abc import Mapping
from typing import NamedTuple


class Column(NamedTuple):
    """A column as the database describes it.

    :param folds: whether it may take texts that differ for the same, such as ``ann`` and ``Ann``.
    """

    name: str
    type: str
    nullable: bool
    has_default: bool
    folds: bool = False


class IndexOnTable(NamedTuple):
    """An index as the database describes it; ``columns`` in order, those that descend with a leading ``-``."""

    name: str
    columns: tuple[str, ...]
    unique: bool


class Table(NamedTuple):
    """A table as the database describes it.

    :param key: the columns of its primary key, in order.
    :param references: for each column with a foreign key, the table that it refers to.
    """

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    indexes: tuple[IndexOnTable, ...]
    references: Mapping[str, str]
