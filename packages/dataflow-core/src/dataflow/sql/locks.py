"""Whether SQL of the user's own locks something, which others must notice, and so not on a server of its own."""

from collections.abc import Sequence
from itertools import pairwise

__all__ = ["takes_locks"]

# SELECT ... FOR UPDATE is known by its last word.
OF_ROWS = frozenset({("for", "share"), ("key", "share"), ("share", "mode")})
FUNCTIONS = ("pg_advisory_", "pg_try_advisory_", "get_lock", "release_lock", "release_all_locks")


def takes_locks(words: Sequence[str]) -> bool:
    """Whether a query locks rows for others, or takes or frees a lock of its own making.

    :param words: the texts of its tokens, in small letters.

    >>> takes_locks(["select", "1", "from", "t", "for", "share"]), takes_locks(["select", "share", "from", "t"])
    (True, False)
    """
    return any(
        pair in OF_ROWS or (pair[1] == "(" and pair[0].startswith(FUNCTIONS)) for pair in pairwise(words)
    )
