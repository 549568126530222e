"""Attempts at what may fail through no fault of its own, with pauses at random, which grow."""

import asyncio
from random import uniform

from dataflow.errors import (
    ConnectionLost,
    DatabaseBusy,
    Deadlock,
    PoolTimeout,
    SerializationFailure,
    ServerFull,
)
from dataflow.transactions.identity import AnotherDatabase

__all__ = ["PASSING", "Attempts"]

PASSING = (
    AnotherDatabase,
    ConnectionLost,
    DatabaseBusy,
    Deadlock,
    PoolTimeout,
    SerializationFailure,
    ServerFull,
)
"""What passes by: a database is away, or busy, or another one is in its place."""

FIRST, LONGEST = 0.05, 1.0  # seconds


class Attempts:
    """Counts attempts at something.

    :param most: how many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._made = 1

    async def pause(self) -> bool:
        """Wait until the next attempt; false where there is none."""
        if self._made == self._most:
            return False
        await asyncio.sleep(uniform(0, min(LONGEST, FIRST * 2**self._made)))
        self._made += 1
        return True
