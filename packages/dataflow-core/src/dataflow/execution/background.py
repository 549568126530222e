"""The event loop in a thread that serves synchronous callers of a process that need one."""

import atexit
import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.execution.crossing import run_on

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["background_loop", "is_background", "lodge", "move_out", "run_in_background"]

T = TypeVar("T")
PATIENCE_AT_EXIT = 5.0


class _BackgroundLoop:
    """One loop and its thread, as long as somebody uses it or has connections there."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew, as in a forked child, which has the loop but not the thread that runs it."""
        # Garbage may be collected while a thread has it, and a stream among that ends then.
        self._lock = threading.RLock()
        self._users = 0
        self._lodgers = 0
        self.loop: AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def enter(self) -> "AbstractEventLoop":
        with self._lock:
            self._users += 1
            return self.loop or self._start()

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users or self._lodgers:
                return
            thread = self._stop()
        _join(thread)

    def lodge(self) -> None:
        with self._lock:
            self._lodgers += 1

    def move_out(self) -> None:
        with self._lock:
            self._lodgers -= 1
            if self._users or self._lodgers:
                return
            thread = self._stop()
        _join(thread)

    def end(self) -> None:
        """At the end of the process: close what is idle; what is still at work, in threads that nobody waits for, ends
        with the process.
        """
        with self._lock:
            if self._users:
                return
            thread = self._stop()
        _join(thread, PATIENCE_AT_EXIT)

    def _start(self) -> "AbstractEventLoop":
        loop = _new_loop()
        thread = threading.Thread(target=_serve, args=(loop,), name="dataflow-loop", daemon=True)
        thread.start()
        self.loop, self._thread = loop, thread
        return loop

    def _stop(self) -> threading.Thread | None:
        loop, thread = self.loop, self._thread
        self.loop = self._thread = None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)
        return thread


def _join(thread: threading.Thread | None, patience: float | None = None) -> None:
    if thread is not None and thread is not threading.current_thread():
        thread.join(patience)


def _new_loop() -> "AbstractEventLoop":
    """A loop of uvloop, where that is installed: it takes half the time."""
    import asyncio
    from importlib import import_module

    try:
        loop: AbstractEventLoop = import_module("uvloop").new_event_loop()
    except ImportError:
        return asyncio.new_event_loop()
    return loop


def _serve(loop: "AbstractEventLoop") -> None:
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        for task in (left := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        # Connections are closed with the loop: each pool has an asynchronous generator that waits for this.
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()


_background = _BackgroundLoop()
atexit.register(_background.end)
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
    loop = _background.enter()
    try:
        return run_on(loop, work)
    finally:
        _background.leave()


def is_background(loop: "AbstractEventLoop") -> bool:
    """Whether it is the loop in the background."""
    return loop is _background.loop


def lodge() -> None:
    """On the loop in the background: keep it, as connections belong to it."""
    _background.lodge()


def move_out() -> None:
    """Let it end, as far as those connections are concerned."""
    _background.move_out()
