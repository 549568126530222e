"""Who runs the event loop of synchronous callers: the thread that waits for it, or one of its own."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dataflow.execution.crossing import Call, running_loop

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

__all__ = ["Seat"]

# What the module signal wraps to give its numbers names, which takes ten times as long; here it is in each call's way.
_signal: Any = import_module("_signal")
LINGERING = 0.05
"""Seconds after which the loop's own thread looks whether anybody still needs it."""
INTERRUPT = int(signal.SIGINT)
OTHER_SIGNALS = tuple(
    int(getattr(signal, name))
    for name in ("SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPROF")
    if hasattr(signal, name)
)
"""Those for which programs have handlers that raise an error wherever the main thread is."""


class Seat:
    """An event loop that one thread at a time runs.

    A caller who finds it free runs the loop while it waits: to wake another thread and be woken by it takes longer
    than many a statement. Where others wait as well, or something is left to do, a thread of the loop's own runs it.
    """

    def __init__(self, loop: "AbstractEventLoop") -> None:
        self.loop = loop
        self._taken = threading.Lock()
        # Garbage may be collected while a thread has it, and what ends then may need the loop.
        self._lock = threading.RLock()
        self._waiting = 0
        self._wanted = threading.Event()
        self._serves = False
        self._is_ending = False
        self._thread: threading.Thread | None = None
        self._tasks: set[Task[Any]] = set()
        loop.set_task_factory(self._begin_task)

    def drive(self, call: Call[Any]) -> bool:
        """Run the loop for a call until that has something to do in this thread, or has ended.

        :returns: whether it was free, and no signal can tear this thread away from it.
        :raises KeyboardInterrupt: when the call has ended, which an interrupt cancels; at once upon another interrupt.
        """
        if running_loop() is not None:
            return False
        if threading.current_thread() is not threading.main_thread():
            return self._drive(call)
        if any(callable(_signal.getsignal(one)) for one in OTHER_SIGNALS):
            return False
        upon_interrupt = _signal.getsignal(INTERRUPT)
        if upon_interrupt is signal.default_int_handler:
            return self._drive_interruptibly(call)
        # Without a handler nothing is raised here: a shell has what it starts in the background ignore interrupts.
        return not callable(upon_interrupt) and self._drive(call)

    def _drive_interruptibly(self, call: Call[Any]) -> bool:
        interrupts = 0

        def interrupt(*_: object) -> None:
            nonlocal interrupts
            interrupts += 1
            if interrupts > 1:
                raise KeyboardInterrupt
            call.cancel_soon()

        _signal.signal(INTERRUPT, interrupt)
        try:
            has_driven = self._drive(call)
        finally:
            _signal.signal(INTERRUPT, signal.default_int_handler)
        if interrupts:
            raise KeyboardInterrupt
        return has_driven

    def _drive(self, call: Call[Any]) -> bool:
        if not self._taken.acquire(blocking=False):
            return False
        try:
            call.run_loop()
        finally:
            self._taken.release()
            if self._is_at_work():
                self.serve()
        return True

    @contextmanager
    def served(self) -> Iterator[None]:
        """See to it that the loop runs at least as long as the block lasts."""
        with self._lock:
            self._waiting += 1
        try:
            self.serve()
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def serve(self) -> None:
        """Have the loop run in its own thread, until nobody waits for it and nothing is left to do."""
        with self._lock:
            self._wanted.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="dataflow-loop", daemon=True)
                self._thread.start()

    def end(self, patience: float | None = None) -> None:
        """Close the loop, and what belongs to it.

        :param patience: how many seconds to wait for that, if not for ever.
        """
        with self._lock:
            self._is_ending = True
            if self._thread is not None or running_loop() is not None:
                self.serve()
            thread = self._thread
        if thread is None:
            with self._taken:
                _close(self.loop)
            return
        # A loop that is closed has heard of it.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._look)
        if thread is not threading.current_thread():
            thread.join(patience)

    def _serve(self) -> None:
        from asyncio import set_event_loop

        set_event_loop(self.loop)
        while not self._is_ending:
            self._wanted.wait()
            with self._taken:
                self._serves = True
                self.loop.call_soon(self._look)
                self.loop.run_forever()
                self._serves = False
        with self._taken:
            _close(self.loop)
        set_event_loop(None)

    def _look(self) -> None:
        """On the loop: where its own thread runs it and nobody needs that any more, let that rest."""
        if not self._serves:
            return
        with self._lock:
            # In this order: whoever needs it from here on is seen here, or wakes it again.
            self._wanted.clear()
            if (self._waiting or self._is_at_work()) and not self._is_ending:
                self._wanted.set()
                self.loop.call_later(LINGERING, self._look)
                return
        self.loop.stop()

    def _is_at_work(self) -> bool:
        return any(not task.done() for task in tuple(self._tasks))

    def _begin_task(self, loop: "AbstractEventLoop", work: Any, **options: Any) -> "Task[Any]":
        from asyncio import Task

        task = Task(work, loop=loop, **options)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _close(loop: "AbstractEventLoop") -> None:
    """End what is at work on a loop, close what belongs to it, and the loop itself."""
    from asyncio import all_tasks, wait

    left = all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(wait(left))
    # Connections are closed with the loop: each pool has an asynchronous generator that waits for this.
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.set_task_factory(None)
    loop.close()
