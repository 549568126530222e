"""What each session is set up for, whatever the server's own settings are."""

from typing import NamedTuple

from dataflow.mysql.flavors import Flavor
from dataflow.mysql.killing import columns_of_place

__all__ = ["BEGUN", "LOST_MODE", "Settings", "opening", "restored"]

BEGUN = 1
"""The flag in the server's status that a transaction has begun."""

LOST_MODE = 512
"""The flag that a backslash in a text is a letter like any other, which :mod:`dataflow.mysql.literals` does not expect.

A procedure or a hint can bring that about, where someone else wrote it.
"""

SQL_MODE = ",".join(
    (
        "STRICT_ALL_TABLES",
        "ERROR_FOR_DIVISION_BY_ZERO",
        "NO_ZERO_DATE",
        "NO_ZERO_IN_DATE",
        "NO_ENGINE_SUBSTITUTION",
        "NO_AUTO_VALUE_ON_ZERO",
        "ONLY_FULL_GROUP_BY",
    )
)
MODE = f"SET SESSION sql_mode = '{SQL_MODE}'"
SESSION = (
    f"{MODE}, time_zone = '+00:00', max_sort_length = 8192, autocommit = 1; "
    "SET NAMES utf8mb4 COLLATE %s; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; "
    "SELECT @@auto_increment_increment, @@lower_case_table_names, @@local_infile, %s"
)


class Settings(NamedTuple):
    """What a connection learns of its server.

    :param increment: the distance between two keys that the server makes.
    :param case_matters: whether names of tables are told apart by their case.
    :param takes_files: whether it takes rows as a file that it asks for.
    """

    flavor: Flavor
    increment: int
    case_matters: bool
    takes_files: bool


def opening(flavor: Flavor) -> str:
    """The first statements of a connection; of the last one come the settings and the place."""
    return SESSION % (flavor.collation, columns_of_place(flavor.identity))


def restored(text: str) -> str:
    """A statement after one that gives the session its mode again."""
    return f"{MODE};{text}"
