"""The event loop that serves synchronous callers of a process that need one."""

import atexit
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.execution.crossing import Call
from dataflow.execution.seat import Seat

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from contextlib import AbstractContextManager

__all__ = [
    "background_loop",
    "call_on",
    "is_background",
    "is_reachable",
    "lodge",
    "move_out",
    "run_in_background",
    "running",
    "soon",
]

T = TypeVar("T")
PATIENCE_AT_EXIT = 5.0


class _BackgroundLoop:
    """One loop, as long as somebody uses it or has connections there."""

    def __init__(self) -> None:
        self.forget()

    @property
    def loop(self) -> "AbstractEventLoop | None":
        return None if self.seat is None else self.seat.loop

    def forget(self) -> None:
        """Start anew, as in a forked child, to which no thread has come along."""
        # Garbage may be collected while a thread has it, and a stream among that ends then.
        self._lock = threading.RLock()
        self._users = 0
        self._lodgers = 0
        self.seat: Seat | None = None

    def enter(self) -> Seat:
        with self._lock:
            self._users += 1
            if self.seat is None:
                self.seat = Seat(_new_loop())
            return self.seat

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users or self._lodgers:
                return
            seat, self.seat = self.seat, None
        _end(seat)

    def lodge(self) -> None:
        with self._lock:
            self._lodgers += 1

    def move_out(self) -> None:
        with self._lock:
            self._lodgers -= 1
            if self._users or self._lodgers:
                return
            seat, self.seat = self.seat, None
        _end(seat)

    def end(self) -> None:
        """At the end of the process: close what is idle; what is still at work, in threads that nobody waits for, ends
        with the process.
        """
        with self._lock:
            if self._users:
                return
            seat, self.seat = self.seat, None
        _end(seat, PATIENCE_AT_EXIT)


def _end(seat: Seat | None, patience: float | None = None) -> None:
    if seat is not None:
        seat.end(patience)


def _new_loop() -> "AbstractEventLoop":
    """A loop of uvloop, where that is installed: it takes half the time."""
    import asyncio
    from importlib import import_module

    try:
        loop: AbstractEventLoop = import_module("uvloop").new_event_loop()
    except ImportError:
        return asyncio.new_event_loop()
    return loop


_background = _BackgroundLoop()
atexit.register(_background.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_background.forget)


@contextmanager
def background_loop() -> "Iterator[AbstractEventLoop]":
    """The loop in the background, which runs at least as long as the block lasts."""
    seat = _background.enter()
    try:
        with seat.served():
            yield seat.loop
    finally:
        _background.leave()


def run_in_background(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop in the background and wait for it. An interrupt cancels it and waits for its end."""
    seat = _background.enter()
    try:
        return Call(seat.loop, work, seat).result()
    finally:
        _background.leave()


def is_background(loop: "AbstractEventLoop") -> bool:
    """Whether it is the loop in the background."""
    return loop is _background.loop


def is_reachable(loop: "AbstractEventLoop") -> bool:
    """Whether a loop runs, or will for whoever waits for it."""
    return is_background(loop) or loop.is_running()


def call_on(loop: "AbstractEventLoop", work: Coroutine[Any, Any, T]) -> Call[T]:
    """A coroutine for any loop, whose result a thread will wait for."""
    seat = _background.seat
    return Call(loop, work, seat if seat is not None and loop is seat.loop else None)


def soon(loop: "AbstractEventLoop", what: Callable[[], None]) -> None:
    """Have a loop do something before long; nobody waits for it.

    :raises RuntimeError: where the loop is closed.
    """
    loop.call_soon_threadsafe(what)
    seat = _background.seat
    if seat is not None and loop is seat.loop:
        seat.serve()


def running(loop: "AbstractEventLoop") -> "AbstractContextManager[object]":
    """See to it that a loop runs as long as the block lasts, if it is the one in the background."""
    return background_loop() if is_background(loop) else nullcontext()


def lodge() -> None:
    """On the loop in the background: keep it, as connections belong to it."""
    _background.lodge()


def move_out() -> None:
    """Let it end, as far as those connections are concerned."""
    _background.move_out()
