"""A counting semaphore that serves threads and tasks alike, first come, first served."""

from abc import ABC, abstractmethod
from collections import deque
from threading import Lock, get_ident

from dataflow.execution.crossing import running_loop

__all__ = ["FairSemaphore"]


class FairSemaphore:
    """So many permits; whoever finds none waits in a queue, a thread by blocking and a task by awaiting.

    A permit that is given back goes to the first in the queue, never to somebody who comes by in that moment.

    >>> semaphore = FairSemaphore(1)
    >>> semaphore.take(), semaphore.take()
    (True, False)
    >>> semaphore.give_back()
    >>> semaphore.take()
    True
    """

    def __init__(self, permits: int) -> None:
        # A deque hands its items out one by one whoever asks, so that the common way needs no lock.
        self._free: deque[None] = deque([None] * permits)
        self._lock = Lock()
        self._waiting: deque[_Turn] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def take(self) -> bool:
        """Take a permit if one is free and nobody waits."""
        if self._waiting:
            return False
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    async def acquire(self, timeout: float, *, blocking: bool) -> bool:
        """Take a permit, waiting for one if need be; False where none came in time.

        :param timeout: in seconds.
        :param blocking: whether to wait by blocking the thread; else the task waits and its event loop goes on.
        """
        if self.take():
            return True
        return self._wait_in_thread(timeout) if blocking else await self._wait_in_task(timeout)

    def give_back(self) -> None:
        """Return a permit."""
        self._free.append(None)
        # Whoever queues looks for a free permit after that, so that one of the two notices the other.
        while self._waiting:
            turn = self._next_turn()
            # Outside the lock, as it may run into somebody else's event loop.
            if turn is None or turn.wake():
                return
            self._free.append(None)

    def _next_turn(self) -> "_Turn | None":
        """Give a free permit to the first in the queue."""
        with self._lock:
            if not self._waiting:
                return None
            try:
                self._free.pop()
            except IndexError:
                return None
            turn = self._waiting.popleft()
            turn.granted = True
            return turn

    def _wait_in_thread(self, timeout: float) -> bool:
        turn = _ThreadTurn()
        self._queue(turn)
        try:
            if not turn.granted:
                turn.bell.acquire(timeout=timeout)
        except BaseException:
            self._abandon(turn)
            raise
        return self._leave(turn)

    async def _wait_in_task(self, timeout: float) -> bool:
        turn = _TaskTurn()
        self._queue(turn)
        if turn.granted:
            return True
        timer = turn.loop.call_later(timeout, turn.ring)
        try:
            await turn.rung
        except BaseException:
            self._abandon(turn)
            raise
        finally:
            timer.cancel()
        return self._leave(turn)

    def _queue(self, turn: "_Turn") -> None:
        with self._lock:
            self._waiting.append(turn)
        first = self._next_turn() if self._free else None
        if first is not None and first is not turn and not first.wake():
            self.give_back()

    def _leave(self, turn: "_Turn") -> bool:
        """Give up one's place; whether the permit had come before."""
        with self._lock:
            if not turn.granted:
                self._waiting.remove(turn)
            return turn.granted

    def _abandon(self, turn: "_Turn") -> None:
        if self._leave(turn):
            self.give_back()


class _Turn(ABC):
    """A place in the queue."""

    __slots__ = ("granted",)

    def __init__(self) -> None:
        self.granted = False

    @abstractmethod
    def wake(self) -> bool:
        """Tell who waits that the permit is there; False where there is nobody any more."""


class _ThreadTurn(_Turn):
    """The place of a thread, which blocks."""

    __slots__ = ("bell",)

    def __init__(self) -> None:
        super().__init__()
        self.bell = Lock()
        self.bell.acquire()

    def wake(self) -> bool:
        self.bell.release()
        return True


class _TaskTurn(_Turn):
    """The place of a task, whose event loop goes on."""

    __slots__ = ("loop", "rung", "thread")

    def __init__(self) -> None:
        self.granted = False
        loop = running_loop()
        assert loop is not None
        self.loop = loop
        self.rung = loop.create_future()
        self.thread = get_ident()

    def wake(self) -> bool:
        try:
            if get_ident() == self.thread:
                self.ring()
            else:
                self.loop.call_soon_threadsafe(self.ring)
        except RuntimeError:
            # The loop was closed under its tasks; nobody waits there any more.
            return False
        return True

    def ring(self) -> None:
        if not self.rung.done():
            self.rung.set_result(None)
