"""Threads that work for event loops, which must not wait for a database themselves."""

import asyncio
import os
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread
from time import monotonic
from typing import Any, TypeVar, cast

from dataflow.execution.errands import Errand
from dataflow.execution.stepping import step

__all__ = ["Workers"]

T = TypeVar("T")
GLANCE = 0.002  # seconds between the looks of an event loop
GLANCES = 5  # looks in which a queue hardly moves, and then gets another thread
HARDLY = 2  # jobs begun within that time
SHIFT = 1.0  # seconds after which a thread that was added goes; where it is still needed, another one comes
HANDFUL = 10  # finished jobs for which an event loop is rung
REMINDER = 0.01  # seconds between interrupts of a job that was cancelled


class Workers:
    """The threads of one database: one as long as jobs are short, and more while a long one keeps others waiting.

    Threads end with the last user, when nobody refers to this any more, or with the process: they are daemons, so that
    a program which forgot to close its database still ends.

    :param name: what the threads are called.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._users = 0
        self._crew: _Crew | None = None
        self._ending: weakref.finalize[..., Workers] | None = None
        _all.add(self)

    def enter(self) -> None:
        """Count a user, such as an open connection."""
        with self._lock:
            self._users += 1

    def leave(self, *, waiting: bool) -> None:
        """Forget a user; with the last one the threads end, after what they are doing.

        :param waiting: whether to wait for that.
        """
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
            crew, self._crew = self._crew, None
            ending, self._ending = self._ending, None
        if crew is not None and ending is not None:
            ending()
            if waiting:
                crew.join()

    def forget(self) -> None:
        """In a forked child, to which no thread has come along: begin anew."""
        self._lock = Lock()
        self._users = 0
        self._crew = None
        if self._ending is not None:
            self._ending.detach()
            self._ending = None

    async def run(self, work: Coroutine[Any, Any, T], hasten: Callable[[], None], *, first: bool) -> T:
        """Step a coroutine to its end in a thread, and wait for its result.

        Where the waiting is cancelled, what has begun has ended when this returns, and what has not never begins.

        :param hasten: called again and again then, from here: what interrupts may come a moment before there is
            anything to interrupt.
        :param first: whether it goes before others, as it holds what they may wait for. It runs even if the waiting is
            cancelled before: it may be what puts that in order again.
        """
        if not self._users:
            return await self._run_for_nobody(work, hasten, first=first)
        loop = asyncio.get_running_loop()
        crew = self._crew or self._start()
        errand = Errand(loop)
        job = _Job(work, errand.context(), loop.create_future())
        crew.put(job, loop, first=first)
        try:
            return cast("T", await job.future)
        except asyncio.CancelledError:
            if not first and job.claim():
                work.close()
            elif not job.ended:
                await _end_of(job, loop, errand, hasten)
            raise
        finally:
            # The error of a job must not keep its frames, and these the error.
            del job, errand

    async def _run_for_nobody(
        self, work: Coroutine[Any, Any, T], hasten: Callable[[], None], *, first: bool
    ) -> T:
        """Run a coroutine for which alone the threads are there."""
        self.enter()
        try:
            return await self.run(work, hasten, first=first)
        finally:
            self.leave(waiting=True)

    def _start(self) -> "_Crew":
        with self._lock:
            if self._crew is None:
                self._crew = _Crew(self._name)
                self._ending = weakref.finalize(self, self._crew.dismiss)
            return self._crew


async def _end_of(
    job: "_Job", loop: asyncio.AbstractEventLoop, errand: Errand, hasten: Callable[[], None]
) -> None:
    """Wait for the end of a job in spite of all further cancellations."""
    job.future = loop.create_future()
    while not job.future.done():
        errand.cancel()
        hasten()
        with suppress(asyncio.CancelledError):
            await asyncio.wait([job.future], timeout=REMINDER)
    # Its outcome no longer matters to anybody.
    job.future.exception()


class _Job:
    """A coroutine, and the future of whoever waits for it."""

    __slots__ = ("_claimed", "context", "ended", "future", "work")

    def __init__(
        self, work: Coroutine[Any, Any, Any], context: Context, future: "asyncio.Future[Any]"
    ) -> None:
        self.work: Coroutine[Any, Any, Any] | None = work
        self.context = context
        self.future = future
        self.ended = False
        self._claimed = Lock()

    def claim(self) -> bool:
        """Take it on, or away from those who would: whether one is the first to try."""
        return self._claimed.acquire(blocking=False)


class _Outbox:
    """Finished jobs on their way back to an event loop, which is rung for a whole handful of them.

    Each ring costs both threads a change of hands on Python's lock, which is dearer than a short statement. So a loop
    that looks in by itself before long is not rung for every job while there are others to do.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.is_watched = False
        self._finished: deque[tuple[_Job, Any, BaseException | None]] = deque()
        self._is_rung = False

    def put(self, finished: "list[tuple[_Job, Any, BaseException | None]]", *, others_wait: bool) -> None:
        # Out of the list and so out of the frames of this thread, before anybody can notice that the job has ended.
        self._finished.append(finished.pop())
        if others_wait and self.is_watched and len(self._finished) < HANDFUL:
            return
        if not self._is_rung:
            self._is_rung = True
            # A loop that was closed meanwhile has nobody left who waits.
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self.deliver)

    def deliver(self) -> None:
        """On the loop: tell those who wait."""
        self._is_rung = False
        while self._finished:
            job, result, error = self._finished.popleft()
            job.ended = True
            future = job.future
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)


class _Crew:
    """Threads and the queue that they share."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: deque[tuple[_Job, _Outbox]] = deque()
        # One for each job, and at the end one that every thread hands on.
        self._calls: SimpleQueue[bool] = SimpleQueue()
        self._threads: list[Thread] = []
        self._outboxes: dict[asyncio.AbstractEventLoop, _Outbox] = {}
        self._begun = 0
        self._add_thread(None)

    def put(self, job: _Job, loop: asyncio.AbstractEventLoop, *, first: bool) -> None:
        """Queue a job."""
        outbox = self._outboxes.get(loop) or self._open_outbox(loop)
        (self._jobs.appendleft if first else self._jobs.append)((job, outbox))
        self._calls.put(True)
        if not outbox.is_watched:
            outbox.is_watched = True
            loop.call_later(GLANCE, self._watch, outbox, self._begun, 1)

    def _open_outbox(self, loop: asyncio.AbstractEventLoop) -> _Outbox:
        for other in tuple(self._outboxes):
            if other.is_closed():
                self._outboxes.pop(other, None)
        return self._outboxes.setdefault(loop, _Outbox(loop))

    def dismiss(self) -> None:
        """Let every thread end when nothing is left to do."""
        self._calls.put(False)

    def join(self) -> None:
        """Wait for the end of every thread, save the one that calls."""
        for thread in tuple(self._threads):
            # One that is about to begin finds nothing to do.
            if thread is not current_thread() and thread.is_alive():
                thread.join()

    def _watch(self, outbox: _Outbox, begun: int, glances: int) -> None:
        """Look in on behalf of a loop; add a thread where jobs wait for long ones.

        :param begun: how many jobs had begun when it last counted.
        :param glances: how many times it has looked since, and now.
        """
        # In this order: what is finished from here on is rung for, or seen by the next look.
        outbox.is_watched = bool(self._jobs)
        outbox.deliver()
        if not outbox.is_watched:
            return
        # Where jobs are short, another thread would only fight for Python's lock. A look or two prove nothing either:
        # a loop that was busy itself has kept the threads from that lock.
        if glances == GLANCES:
            if self._begun - begun < HARDLY:
                # Where the system has none left, those that there are go on.
                with suppress(RuntimeError):
                    self._add_thread(SHIFT)
            begun, glances = self._begun, 0
        outbox.loop.call_later(GLANCE, self._watch, outbox, begun, glances + 1)

    def _add_thread(self, shift: float | None) -> None:
        thread = Thread(target=self._serve, args=(shift,), name=self._name, daemon=True)
        # Before it begins, as it may have ended a moment later.
        self._threads.append(thread)
        try:
            thread.start()
        except BaseException:
            self._threads.remove(thread)
            raise

    def _serve(self, shift: float | None) -> None:
        """Do jobs until dismissed, or for so many seconds."""
        end = None if shift is None else monotonic() + shift
        with suppress(Empty):
            while self._calls.get(timeout=None if end is None else max(0.0, end - monotonic())):
                job, outbox = self._jobs.popleft()
                if not job.claim():
                    del job, outbox
                    continue
                self._begun += 1
                finished = [_outcome(job)]
                del job
                outbox.put(finished, others_wait=bool(self._jobs))
                del outbox
            self._calls.put(False)
        self._threads.remove(current_thread())


def _outcome(job: _Job) -> tuple[_Job, Any, BaseException | None]:
    work, job.work = job.work, None
    assert work is not None
    try:
        return job, job.context.run(step, work), None
    except BaseException as error:
        return job, None, error
    finally:
        # An error keeps this frame; what is in it would be kept as well.
        del job, work


_all: "weakref.WeakSet[Workers]" = weakref.WeakSet()


def _forget_all() -> None:
    for workers in tuple(_all):
        workers.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
