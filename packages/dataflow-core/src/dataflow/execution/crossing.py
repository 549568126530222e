"""From threads to event loops: handing a coroutine over, and waiting for what becomes of it."""

import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from dataflow.errors import ScopeLost, WorkflowError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

__all__ = ["A_WHILE", "GONE", "Call", "Driver", "current_call", "running_loop"]

T = TypeVar("T")
A_WHILE = 1.0
"""Seconds after which whoever waits for a loop looks whether it is still there."""
GONE = "the event loop that this belongs to is closed"

current_call: "ContextVar[Call[Any] | None]" = ContextVar("dataflow_call", default=None)
"""What a thread waits for, for those who run as a part of it."""


def running_loop() -> "AbstractEventLoop | None":
    """The event loop that runs in this thread."""
    asyncio = sys.modules.get("asyncio")
    return None if asyncio is None else asyncio._get_running_loop()


class Driver(Protocol):
    """What runs an event loop that does not run by itself."""

    def drive(self, call: "Call[Any]") -> bool:
        """Run it in this thread, until the call has something to do here or has ended; whether that was possible."""

    def served(self) -> AbstractContextManager[None]:
        """See to it that it runs elsewhere as long as the block lasts."""


class Call(Generic[T]):
    """A coroutine of a thread that an event loop runs.

    :param driver: runs the loop, where it does not run by itself.
    """

    __slots__ = (
        "_done",
        "_driver",
        "_drives",
        "_error",
        "_given_up",
        "_inbox",
        "_loop",
        "_result",
        "_task",
        "_work",
    )

    def __init__(
        self, loop: "AbstractEventLoop", work: Coroutine[Any, Any, T], driver: Driver | None = None
    ) -> None:
        self._loop = loop
        self._work = work
        self._driver = driver
        self._drives = False
        # What this thread is asked to do meanwhile, and None at the end.
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._task: Task[None] | None = None
        self._given_up = False
        self._done = False
        self._result: T | None = None
        self._error: BaseException | None = None

    def result(self, patience: float | None = None) -> T:
        """Have the loop run the coroutine, and wait for its result. An interrupt cancels it and waits for its end.

        :param patience: how many seconds to wait, if not for ever.
        :raises TimeoutError: after that; the coroutine is cancelled, and not waited for.
        :raises WorkflowError: in the thread of that loop, which would wait for itself.
        """
        if running_loop() is self._loop:
            self._work.close()
            raise WorkflowError(
                "a call that blocks was made on the event loop that it needs itself, where it would wait for ever; "
                "await the call, or AsyncLocalRuntime, instead"
            )
        try:
            # In the block, as an interrupt may come when the loop knows of it already.
            if self._driver is None or patience is not None or not self._driver.drive(self):
                self._tell(self._start)
            self._wait(patience)
        except Empty:
            self.cancel_soon()
            raise TimeoutError from None
        except BaseException:
            if not self._done and not self._given_up:
                # It cleans up after itself; only then may this thread go on, unless it is interrupted once more.
                self._tell(self.cancel)
                self._wait(None)
            self._error = None
            raise
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                # An error must not keep its frames, and these the error.
                del error
        # Whatever was opened meanwhile keeps the context of its task, and this call with it.
        result, self._result = self._result, None
        return result  # type: ignore[return-value] # where there is no error there is a result

    async def beside(self, function: Callable[[], T]) -> T:
        """On the loop: have the thread that waits for this call do something, and wait for it."""
        from asyncio import wrap_future
        from concurrent.futures import Future

        outcome: Future[T] = Future()

        def run() -> None:
            try:
                outcome.set_result(function())
            except BaseException as error:
                outcome.set_exception(error)

        self._hand_over(run)
        return await wrap_future(outcome)

    def run_loop(self) -> None:
        """Run the loop, which nobody else runs, until there is something to do in this thread or to tell."""
        self._drives = True
        # Two turns later: in the first one the loop looks at its connections, of which a server may have ended some
        # meanwhile, and in the second one they hear of it.
        self._loop.call_soon(self._loop.call_soon, self._start)
        try:
            while self._inbox.empty():
                self._loop.run_forever()
        finally:
            self._drives = False

    def _wait(self, patience: float | None) -> None:
        with nullcontext() if self._done or self._driver is None else self._driver.served():
            while (task := self._next(patience)) is not None:
                task()

    def _next(self, patience: float | None) -> Callable[[], None] | None:
        if patience is not None:
            return self._inbox.get(timeout=patience)
        while True:
            try:
                return self._inbox.get(timeout=A_WHILE)
            except Empty:
                # What was handed over just before a loop was closed is never begun.
                if self._loop.is_closed():
                    raise ScopeLost(GONE) from None

    def cancel(self) -> None:
        """On the loop: end the coroutine, or see to it that it never begins."""
        self._given_up = True
        if self._done:
            return
        if self._task is not None:
            self._task.cancel()
        else:
            self._end()

    def cancel_soon(self) -> None:
        """From any thread: end the coroutine."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.cancel)

    def _tell(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            self._work.close()
            self._done = True
            raise ScopeLost(GONE) from None

    def _start(self) -> None:
        if not self._given_up:
            current_call.set(self)
            self._task = self._loop.create_task(self._contained())
            self._task.add_done_callback(self._end)

    async def _contained(self) -> None:
        try:
            self._result = await self._work
        except BaseException as error:
            # Interrupts too are for whoever called; a task would hand them to the loop, which serves others as well.
            import asyncio

            self._error = _cancelled() if isinstance(error, asyncio.CancelledError) else error
        # Where another thread waits, it need not wait for the task to end as well.
        if not self._drives:
            self._ring()

    def _end(self, task: "Task[None] | None" = None) -> None:
        self._task = None
        if self._done:
            return
        if task is None or task.cancelled():
            # It was cancelled before its first step.
            self._work.close()
            self._error = _cancelled()
        self._ring()

    def _ring(self) -> None:
        self._done = True
        self._hand_over(None)

    def _hand_over(self, what: Callable[[], None] | None) -> None:
        """On the loop: give the thread something to do; None where there is nothing more."""
        self._inbox.put(what)
        if self._drives:
            self._drives = False
            self._loop.stop()


def _cancelled() -> Exception:
    """What a thread is told; the cancellation of a task is for tasks."""
    from concurrent.futures import CancelledError

    return CancelledError()
