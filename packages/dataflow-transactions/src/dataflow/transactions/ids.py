"""Ids that tell when they were made: twelve digits of milliseconds since 1970, and twenty at random."""

import os
from time import time

__all__ = ["new_id"]


def new_id() -> str:
    """An id of 32 hexadecimal digits, which sorts by time.

    >>> len(new_id()), new_id() == new_id()
    (32, False)
    """
    return f"{int(time() * 1000):012x}{os.urandom(10).hex()}"
