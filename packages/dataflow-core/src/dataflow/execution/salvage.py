"""Keeping what a database accepts of many rows: what is refused as a whole is halved until the bad rows are found."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from dataflow.abc import Connection
from dataflow.errors import IntegrityError, ScopeLost, ValidationError

__all__ = ["salvage"]

T = TypeVar("T")

ABOUT_A_ROW = (IntegrityError, ValidationError)
POINT = "dataflow_salvage"


async def salvage(
    connection: Connection, rows: Sequence[T], store: Callable[[Sequence[T]], Awaitable[object]]
) -> list[tuple[int, Exception]]:
    """Store rows, save those that are refused; each is stored as if it came after all that stand before it.

    Of so many rows, a bad one costs about twice as many further calls as that number has binary digits.

    :param store: stores some of them, in order; what it did before it failed is undone.
    :returns: the positions of those refused, in order, each with its error.
    :raises DatabaseError: where the error is not about a row; the others are not tried then.
    """
    refused: list[tuple[int, Exception]] = []
    waiting = [(0, len(rows))]
    while waiting:
        start, end = waiting.pop()
        error = await _attempt(connection, store, rows[start:end])
        if error is None:
            continue
        if end - start == 1:
            refused.append((start, error))
            continue
        middle = (start + end) // 2
        waiting += [(middle, end), (start, middle)]
    return refused


async def _attempt(
    connection: Connection, store: Callable[[Sequence[T]], Awaitable[object]], rows: Sequence[T]
) -> Exception | None:
    """Store rows in a savepoint; the error where they, or one of them, are refused."""
    await connection.execute(f"SAVEPOINT {POINT}")
    try:
        await store(rows)
    except ABOUT_A_ROW as error:
        if not connection.in_transaction:
            raise ScopeLost("the database has ended the transaction; nothing of it was kept") from error
        await connection.execute(f"ROLLBACK TO SAVEPOINT {POINT}")
        await connection.execute(f"RELEASE SAVEPOINT {POINT}")
        return error
    await connection.execute(f"RELEASE SAVEPOINT {POINT}")
    return None
