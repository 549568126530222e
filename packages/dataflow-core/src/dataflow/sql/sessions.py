"""Whether SQL of the user's own may leave something in its session that outlasts the transaction.

Its text is all that is looked at. What a function or a trigger on the server does to the session is not in it.
"""

from collections.abc import Sequence
from itertools import pairwise, takewhile

__all__ = ["outlasts"]

# Whatever is in doubt may leave something: LISTEN, LOAD, a cursor WITH HOLD, CALL, DO...
PASSING = frozenset(
    [
        "(",
        "alter",
        "analyze",
        "check",
        "cluster",
        "comment",
        "create",
        "delete",
        "desc",
        "describe",
        "drop",
        "explain",
        "grant",
        "insert",
        "merge",
        "notify",
        "optimize",
        "refresh",
        "reindex",
        "rename",
        "replace",
        "revoke",
        "select",
        "show",
        "table",
        "truncate",
        "update",
        "values",
        "with",
    ]
)
TEMPORARY = frozenset({"temp", "temporary"})
SCHEMAS = frozenset({"temp", "pg_temp"})
SCOPES = frozenset({"local", "global"})
UNTIL_COMMIT = ("on", "commit", "drop")
LASTING = frozenset(
    [
        "dblink_connect",
        "dblink_connect_u",
        "get_lock",
        "pg_advisory_lock",
        "pg_advisory_lock_shared",
        "pg_try_advisory_lock",
        "pg_try_advisory_lock_shared",
        "setseed",
    ]
)
"""Functions that change the session they are called in."""


def outlasts(words: Sequence[str]) -> bool:
    """Whether a statement may leave something in its session.

    :param words: the texts of its tokens, in small letters.

    >>> outlasts(["select", "pg_advisory_lock", "(", "1", ")"]), outlasts(["select", "1"])
    (True, False)
    """
    return (
        words[0] not in PASSING
        or _makes_temporary_table(words)
        or any(_is_lasting_call(words, position) for position in range(len(words)))
    )


def _makes_temporary_table(words: Sequence[str]) -> bool:
    if any(tuple(words[start : start + 3]) == UNTIL_COMMIT for start in range(len(words))):
        return False
    if words[0] in ("create", "explain"):
        head = takewhile(lambda word: word not in ("(", "as", "select"), words)
        return any(word in TEMPORARY or word in SCHEMAS for word in head)
    if words[0] in ("insert", "replace", "merge"):
        return False
    unscoped = [word for word in words if word not in SCOPES]
    return any(
        first == "into" and (second in TEMPORARY or second in SCHEMAS) for first, second in pairwise(unscoped)
    )


def _is_lasting_call(words: Sequence[str], position: int) -> bool:
    """Whether a function is called here that changes the session."""
    name, *following = words[position : position + 2]
    if following != ["("]:
        return False
    return name in LASTING or (name == "set_config" and not _is_for_the_transaction(words[position + 2 :]))


def _is_for_the_transaction(arguments: Sequence[str]) -> bool:
    """Whether a setting ends with the transaction: ``'name', 'value', true``.

    :param arguments: those of the call, and whatever follows them.
    """
    depth = 1
    for position, word in enumerate(arguments):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return list(arguments[position - 2 : position]) == [",", "true"]
    return False
