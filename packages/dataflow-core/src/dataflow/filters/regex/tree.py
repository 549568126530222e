"""A regular expression as a tree."""

from enum import Enum
from typing import NamedTuple, TypeAlias

__all__ = ["Anchor", "Characters", "Choice", "Ranges", "Repeat", "Run", "Tree"]

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points: disjoint, ascending, both ends included."""


class Anchor(Enum):
    """A place in the text."""

    START = "^"
    END = "$"


class Characters(NamedTuple):
    """One character out of these."""

    ranges: Ranges


class Run(NamedTuple):
    """One after the other."""

    parts: tuple["Tree", ...]


class Choice(NamedTuple):
    """One of several."""

    branches: tuple["Tree", ...]


class Repeat(NamedTuple):
    """The same again, from ``least`` to ``most`` times; None is without end."""

    part: "Tree"
    least: int
    most: int | None


Tree: TypeAlias = Anchor | Characters | Run | Choice | Repeat
