"""The names of units of work on several databases and of their branches: who decides, since when, which one."""

import re
from time import time
from typing import NamedTuple

from dataflow.transactions.ids import new_id

__all__ = ["PREFIX", "Gid", "branch_of", "new_unit", "read_gid", "unit_age"]

PREFIX = "df:"
"""What all names begin with."""

FORM = re.compile(r"df:(?P<home>[0-9a-f]{8}):(?P<id>[0-9a-f]{32}):(?P<number>[0-9]{1,4})")


class Gid(NamedTuple):
    """The name of a branch, taken apart.

    :param home: the identity of the database that decides.
    :param unit: the unit of work, as its home knows it.
    :param number: which of its branches it is.
    """

    home: str
    unit: str
    number: str


def new_unit(home: str) -> str:
    """A name for a unit of work.

    >>> len(new_unit("c0ffee00"))
    44
    """
    return f"{PREFIX}{home}:{new_id()}"


def branch_of(unit: str, number: int) -> str:
    """The name of a branch; with four digits it fits into 64 characters.

    >>> branch_of("df:c0ffee00:0", 2)
    'df:c0ffee00:0:2'
    """
    return f"{unit}:{number}"


def read_gid(gid: str) -> Gid | None:
    """Take the name of a branch apart; None where it is another's.

    >>> read_gid("df:c0ffee00:01893a2b3c4d00000000000000000000:2")
    Gid(home='c0ffee00', unit='df:c0ffee00:01893a2b3c4d00000000000000000000', number='2')
    >>> read_gid("their:1")
    """
    found = FORM.fullmatch(gid)
    return found and Gid(found["home"], gid.rpartition(":")[0], found["number"])


def unit_age(unit: str) -> float:
    """For how many seconds a unit of work has been known by its name."""
    return max(0.0, time() - int(unit.rpartition(":")[2][:12], 16) / 1000)
