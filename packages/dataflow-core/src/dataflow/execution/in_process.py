"""Connections of drivers that block: what they need to serve event loops too."""

import weakref
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, TypeVar

from dataflow.execution.workers import Workers

__all__ = ["InProcessConnection"]

T = TypeVar("T")


class InProcessConnection(ABC):
    """The part of a :class:`~dataflow.abc.Connection` that is the same for all drivers which block the calling thread.

    The methods of a subclass run the driver where they are called and never suspend. Only :meth:`offload` hops, once
    for a whole coroutine, to a thread.

    :param workers: the threads for that, which all connections of a database share.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._stopping = False
        """Whether the task was cancelled that runs this: then nothing more may be sent."""
        workers.enter()
        # For a connection that nobody could return, as an interrupt tore its run apart.
        self._lost = weakref.finalize(self, workers.leave, waiting=False)
        self._lost.atexit = False

    async def offload(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._workers.run(work, self._stop, first=True)
        finally:
            self._stopping = False

    @abstractmethod
    def interrupt(self) -> None: ...

    @abstractmethod
    def abandon(self) -> None:
        """Close what is open, and call :meth:`leave`."""

    async def close(self) -> None:
        self.abandon()

    def leave(self) -> None:
        """Give up the threads, which end with the last connection; twice too."""
        if self._lost.detach() is not None:
            self._workers.leave(waiting=True)

    def _stop(self) -> None:
        self._stopping = True
        self.interrupt()
