"""The event loop in a thread that serves synchronous callers of a process that need one."""

import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

__all__ = ["background_loop", "run_in_background"]

T = TypeVar("T")


class _BackgroundLoop:
    """One loop and its thread, as long as somebody uses it."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew, as in a forked child, which has the loop but not the thread that runs it."""
        self._lock = threading.Lock()
        self._users = 0
        self._loop: AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def enter(self) -> "AbstractEventLoop":
        import asyncio

        with self._lock:
            self._users += 1
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="dataflow-loop", daemon=True
                )
                self._thread.start()
            return self._loop

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users or self._loop is None or self._thread is None:
                return
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _serve(loop: "AbstractEventLoop") -> None:
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()


_background = _BackgroundLoop()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_background.forget)


@contextmanager
def background_loop() -> "Iterator[AbstractEventLoop]":
    """The loop in the background, which is there at least as long as the block lasts."""
    loop = _background.enter()
    try:
        yield loop
    finally:
        _background.leave()


def run_in_background(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop in the background and wait for it. An interrupt cancels it and waits for its end."""
    from concurrent.futures import CancelledError, Future, wait

    loop = _background.enter()
    # In a list that is emptied at the end: the error of a run must not keep its frames, and these the error.
    outcome: list[Future[T]] = [Future()]
    tasks: list[Task[None]] = []

    def start() -> None:
        tasks.append(loop.create_task(contained()))
        tasks[0].add_done_callback(end)

    async def contained() -> None:
        try:
            outcome[0].set_result(await work)
        except (KeyboardInterrupt, SystemExit) as error:
            # For whoever called; a task would hand it to the loop, which serves others too.
            outcome[0].set_exception(error)

    def give_up() -> None:
        if tasks:
            tasks[0].cancel()
        else:
            work.close()
            outcome[0].set_exception(CancelledError())

    def end(task: "Task[None]") -> None:
        # It was not even begun where the task was cancelled at once.
        work.close()
        with suppress(IndexError):
            if not outcome[0].done():
                outcome[0].set_exception(CancelledError() if task.cancelled() else task.exception())

    try:
        # In the block, as an interrupt may come when the loop knows of it already.
        loop.call_soon_threadsafe(start)
        return outcome[0].result()
    except BaseException:
        if not outcome[0].done():
            # It cleans up after itself; only then may this thread go on.
            loop.call_soon_threadsafe(give_up)
            wait(outcome)
        raise
    finally:
        outcome.clear()
        tasks.clear()
        _background.leave()
