"""What a thread does on behalf of an event loop, which it can ask for something meanwhile."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.errors import ScopeLost, WorkflowError
from dataflow.execution.background import background_loop
from dataflow.execution.crossing import A_WHILE, GONE

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from concurrent.futures import Future

__all__ = ["Errand", "an_errand", "current_errand"]

T = TypeVar("T")

current_errand: ContextVar["Errand | None"] = ContextVar("dataflow_errand", default=None)
"""The errand on which this thread is."""


class Errand:
    """What a thread does while an event loop waits for it.

    :param loop: that loop.
    """

    def __init__(self, loop: "AbstractEventLoop") -> None:
        self._loop = loop
        self._context: Context | None = None
        self._task: Task[None] | None = None
        self._begun: Future[Any] | None = None
        self._cancelled = False

    def context(self) -> Context:
        """The context for the thread: that of the caller, with this errand as the current one."""
        context = copy_context()
        context.run(current_errand.set, self)
        return context

    def ask(self, work: Coroutine[Any, Any, T], *, last: bool = False) -> T:
        """Have the loop run another coroutine, and wait for its result in the thread.

        :param last: whether it cleans up, so that it runs even if the errand was cancelled.
        :raises ScopeLost: where the errand was cancelled meanwhile, or the loop closed.
        :raises WorkflowError: in the thread of the loop itself, which would wait for ever.
        """
        from asyncio import _get_running_loop
        from concurrent.futures import Future, wait

        if _get_running_loop() is self._loop:
            work.close()
            raise WorkflowError(
                "this would wait for ever for the event loop that it blocks; await the call, or read with async for"
            )
        if self._context is None:
            # That of whoever sent it, which came along to the thread.
            self._context = copy_context()
        # In a list that is emptied at the end: an error must not keep its frames, and these the error.
        outcome: list[Future[T]] = [Future()]
        try:
            # In the block, as an interrupt may come when the loop knows of it already.
            self._tell(self._start, work, outcome[0], last)
            while not wait(outcome, A_WHILE).done:
                if self._loop.is_closed():
                    raise ScopeLost(GONE)
            return outcome[0].result()
        except BaseException:
            if not outcome[0].done():
                self._abandon(work, outcome)
            raise
        finally:
            outcome.clear()

    def leave(self, work: Coroutine[Any, Any, None]) -> None:
        """Have the loop clean up, and wait for that, but not where garbage is collected in the thread of the loop."""
        from asyncio import _get_running_loop

        if _get_running_loop() is self._loop:
            cleaning = self._loop.create_task(work)
            _cleaning.add(cleaning)
            cleaning.add_done_callback(_cleaning.discard)
        else:
            self.ask(work, last=True)

    def cancel(self) -> None:
        """On the loop: end what it was asked for, and take nothing more."""
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    def _abandon(self, work: Coroutine[Any, Any, T], outcome: "list[Future[T]]") -> None:
        """Have the loop end it, and wait for that; a loop that was closed begins nothing more."""
        from concurrent.futures import wait

        try:
            self._tell(self._give_up, work, outcome[0])
        except ScopeLost:
            if self._begun is not outcome[0]:
                work.close()
        else:
            wait(outcome)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:
            raise ScopeLost(GONE) from None

    def _give_up(self, work: Coroutine[Any, Any, T], outcome: "Future[T]") -> None:
        """End it, and what the loop was never told of at once."""
        self.cancel()
        if self._begun is not outcome and not outcome.done():
            work.close()
            outcome.set_exception(_cancelled())

    def _start(self, work: Coroutine[Any, Any, T], outcome: "Future[T]", last: bool) -> None:
        if self._cancelled and not last:
            work.close()
            outcome.set_exception(_cancelled())
            return

        def end(task: "Task[None]") -> None:
            self._task = self._begun = None
            # It was not even begun where the task was cancelled at once.
            work.close()
            if not outcome.done():
                outcome.set_exception(_cancelled() if task.cancelled() else task.exception())

        task = self._loop.create_task(_contained(work, outcome), context=self._context)
        self._begun = outcome
        self._task = None if last else task
        task.add_done_callback(end)


# A loop alone does not keep its tasks.
_cleaning: "set[Task[None]]" = set()


async def _contained(work: Coroutine[Any, Any, T], outcome: "Future[T]") -> None:
    try:
        outcome.set_result(await work)
    except (KeyboardInterrupt, SystemExit) as error:
        # For whoever asked; a task would hand it to the loop, which serves others too.
        outcome.set_exception(error)


@contextmanager
def an_errand() -> Iterator[Errand]:
    """The errand on which this thread is; for one that nobody sent, an errand for the loop in the background."""
    current = current_errand.get()
    if current is not None:
        yield current
        return
    with background_loop() as loop:
        yield Errand(loop)


def _cancelled() -> ScopeLost:
    return ScopeLost("the task that runs this was cancelled")
