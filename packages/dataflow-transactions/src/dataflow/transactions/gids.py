"""The names of units of work on several databases and of their branches: who decides, since when, and where."""

import re
from time import time
from typing import NamedTuple

from dataflow.transactions.ids import new_id

__all__ = ["PREFIX", "Gid", "branch_of", "new_unit", "read_gid", "unit_age"]

PREFIX = "df:"
"""What all names begin with."""

DIGITS = 20  # of the id of a unit: a name may have 64 characters, and two identities are in it
FORM = re.compile(r"df:(?P<home>[0-9a-f]{16}):[0-9a-f]{20}:(?P<place>[0-9a-f]{16})")


class Gid(NamedTuple):
    """The name of a branch, taken apart.

    :param home: the identity of the database that decides.
    :param unit: the unit of work, as its home knows it.
    :param place: the identity of the database that the branch is on.
    """

    home: str
    unit: str
    place: str


def new_unit(home: str) -> str:
    """A name for a unit of work.

    >>> len(new_unit("c0ffee00c0ffee00"))
    40
    """
    return f"{PREFIX}{home}:{new_id()[:DIGITS]}"


def branch_of(unit: str, place: str) -> str:
    """The name of a branch.

    >>> branch_of("df:c0ffee00c0ffee00:0", "00c0ffee00c0ffee")
    'df:c0ffee00c0ffee00:0:00c0ffee00c0ffee'
    """
    return f"{unit}:{place}"


def read_gid(gid: str) -> Gid | None:
    """Take the name of a branch apart; None where it is another's.

    >>> read_gid("df:c0ffee00c0ffee00:01893a2b3c4d00000000:00c0ffee00c0ffee")
    Gid(home='c0ffee00c0ffee00', unit='df:c0ffee00c0ffee00:01893a2b3c4d00000000', place='00c0ffee00c0ffee')
    >>> read_gid("their:1")
    """
    found = FORM.fullmatch(gid)
    return found and Gid(found["home"], gid.rpartition(":")[0], found["place"])


def unit_age(unit: str) -> float:
    """For how many seconds a unit of work has been known by its name."""
    return max(0.0, time() - int(unit.rpartition(":")[2][:12], 16) / 1000)
