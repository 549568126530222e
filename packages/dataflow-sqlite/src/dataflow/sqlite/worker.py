"""A thread that runs one function after the other for an event loop."""

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Any, TypeVar, cast

__all__ = ["Worker"]

T = TypeVar("T")
PATIENCE = 0.01
Job = tuple["asyncio.Future[Any]", asyncio.AbstractEventLoop, Callable[[], Any]]


class Worker:
    """Runs functions in a thread of its own, so that an event loop need not wait for them.

    The thread ends with :meth:`stop`, when the worker is no longer referenced, or with the process: it is a daemon,
    so that a program which forgot to close its database still ends.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = Thread(target=_work, args=(self._jobs,), name="dataflow-sqlite", daemon=True)
        self._thread.start()
        self._ending = weakref.finalize(self, self._jobs.put, None)

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function in the thread and wait for its result.

        Where the waiting is cancelled the function still runs to its end; :meth:`idle` tells when.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._jobs.put((future, loop, function))
        try:
            return cast("T", await future)
        finally:
            # The error of a job must not keep its frames, and these the error.
            del future

    async def idle(self, hasten: Callable[[], None]) -> None:
        """Wait until whatever was asked for has ended, even if cancelled meanwhile.

        :param hasten: called again and again: what interrupts may come a moment before there is anything to interrupt.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._jobs.put((future, loop, _nothing))
        while not future.done():
            hasten()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future], timeout=PATIENCE)

    def stop(self) -> None:
        """End the thread, after what it is doing; twice too."""
        self._ending()
        if self._thread is not current_thread():
            self._thread.join()


def _nothing() -> None:
    return None


def _work(jobs: "SimpleQueue[Job | None]") -> None:
    while (job := jobs.get()) is not None:
        future, loop, function = job
        result, error = None, None
        try:
            result = function()
        except BaseException as caught:
            error = caught
        # A loop that was closed meanwhile has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, future, result, error)
        # Nothing of a finished job may stay alive while the thread waits for the next.
        del job, future, loop, function, result, error


def _settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
