"""The kinds of statements that our interceptors know.

Some concern them not at all: inserting meets no row, and SQL of the user's own is left alone. They are named all the
same, as a kind that is added to the core must not pass by an interceptor unnoticed.
"""

from typing import Final

from dataflow.statements import (
    Aggregate,
    Delete,
    Insert,
    InsertMany,
    Raw,
    Select,
    Update,
    UpdateMany,
    UpsertMany,
)

__all__ = ["KNOWN_KINDS"]

KNOWN_KINDS: Final[frozenset[type]] = frozenset(
    {Select, Aggregate, Insert, InsertMany, UpsertMany, Update, UpdateMany, Delete, Raw}
)
