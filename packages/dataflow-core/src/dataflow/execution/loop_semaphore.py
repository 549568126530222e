"""A counting semaphore for the tasks of one event loop, first come, first served."""

from asyncio import AbstractEventLoop, CancelledError, Future, TimerHandle, get_running_loop
from collections import deque
from contextlib import suppress

__all__ = ["LoopSemaphore"]


class LoopSemaphore:
    """So many permits; whoever finds none waits in a queue.

    It does for one event loop what :class:`~dataflow.execution.semaphore.FairSemaphore` does for threads as well, and
    needs no lock for that, and one timer for all who wait. All of them wait equally long.
    """

    def __init__(self, permits: int, timeout: float) -> None:
        self._free = permits
        self._timeout = timeout
        # Those who do not wait any more are taken out when it is their turn.
        self._queue: deque[tuple[Future[bool], float]] = deque()
        self._waiting = 0
        self._timer: TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._waiting

    def take(self) -> bool:
        """Take a permit if one is free; while somebody waits, none is."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def acquire(self) -> bool:
        """Take a permit, waiting for one if need be; False where none came in time."""
        if self.take():
            return True
        loop = get_running_loop()
        permit: Future[bool] = loop.create_future()
        deadline = loop.time() + self._timeout
        self._queue.append((permit, deadline))
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._expire, loop)
        self._waiting += 1
        try:
            return await permit
        except CancelledError:
            # It may have come in the same moment.
            if not permit.cancelled() and permit.done() and permit.result():
                self.give_back()
            raise
        finally:
            self._waiting -= 1

    def give_back(self) -> None:
        """Return a permit; it goes to the first in the queue."""
        while self._queue:
            permit, _ = self._queue.popleft()
            if permit.done():
                continue
            # Where the loop was closed under its tasks, nobody waits there any more.
            with suppress(RuntimeError):
                permit.set_result(True)
                return
        self._free += 1

    def _expire(self, loop: AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._queue:
            permit, deadline = self._queue[0]
            if not permit.done():
                if deadline > now:
                    self._timer = loop.call_at(deadline, self._expire, loop)
                    return
                permit.set_result(False)
            self._queue.popleft()
