"""Conditions on fields that are a key together: the rows that have one of many."""

from collections.abc import Hashable, Sequence
from itertools import chain
from typing import TypeAlias

from dataflow.statements import Where, all_of, any_of, compare

__all__ = ["with_one_of"]

Key: TypeAlias = tuple[Hashable, ...]
Branch: TypeAlias = Sequence[Key]
"""Keys of which a part of the condition is true."""

MOST_BRANCHES = 128


def with_one_of(names: Sequence[str], keys: Sequence[Key]) -> Where:
    """The fields have together the values of one of these keys, none of which has a null.

    Keys that differ in one field alone, the one that varies most, are one branch, and their values two lists. So the
    condition is short where all but one vary little, as a tenant and a number do, and any database finds the rows by
    an index over the fields. Of more branches than a statement bears, some are joined: then it is true of other
    combinations of their values too, which the caller leaves out.

    >>> with_one_of(["shop", "number"], [(1, 7), (1, 8), (2, 9)]).values
    ([1], [7, 8], [2], [9])
    """
    if len(names) == 1:
        return compare(names[0], "$in", [value for (value,) in keys])
    apart = max(range(len(names)), key=lambda position: len({key[position] for key in keys}))
    branches: dict[Key, list[Key]] = {}
    for key in keys:
        branches.setdefault((*key[:apart], *key[apart + 1 :]), []).append(key)
    return any_of([_among(names, branch) for branch in _few(list(branches.values()) or [[]])])


def _few(branches: Sequence[Branch]) -> Sequence[Branch]:
    """The same keys in a number of branches that is a power of two: there are few shapes of such statements."""
    size = -(-len(branches) // MOST_BRANCHES)
    few = [list(chain(*branches[start : start + size])) for start in range(0, len(branches), size)]
    missing = (1 << (len(few) - 1).bit_length()) - len(few)
    return [*few, *few[-1:] * missing]


def _among(names: Sequence[str], branch: Branch) -> Where:
    """Each of the fields has a value that it has in one of these keys."""
    return all_of(
        [
            compare(name, "$in", list(dict.fromkeys(key[position] for key in branch)))
            for position, name in enumerate(names)
        ]
    )
