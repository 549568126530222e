"""Pauses between attempts: at random, and longer each time."""

import asyncio
from random import uniform

__all__ = ["Attempts"]

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
