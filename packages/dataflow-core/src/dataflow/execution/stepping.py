"""Running coroutines that never wait, without an event loop.

A database that runs in the process has nothing to wait for. The coroutines that a network database needs are then
stepped to their end in the calling thread, at the price of a function call.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["step"]

T = TypeVar("T")


def step(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, here and now.

    >>> async def answer() -> int:
    ...     return 42
    >>> step(answer())
    42

    :raises RuntimeError: where it waits for something after all.
    """
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("a coroutine that was stepped had to wait, and there is no event loop to wait in")
