"""How far long work has come, for callbacks."""

from typing import NamedTuple

__all__ = ["Progress"]


class Progress(NamedTuple):
    """What long work tells after each of its steps.

    :param done: how many items are done, those that failed among them.
    :param total: how many there are; None where nobody knows.

    >>> Progress(500, 2000)
    Progress(done=500, total=2000)
    """

    done: int
    total: int | None
