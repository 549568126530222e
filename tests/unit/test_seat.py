"""Who runs the loop in the background: the thread that waits for it, or one of its own."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dataflow.execution.background import background_loop, lodge, move_out, run_in_background
from dataflow.execution.crossing import current_call

ITS_OWN = "dataflow-loop"


@pytest.fixture(autouse=True)
def inhabited() -> Iterator[None]:
    """The loop outlasts its callers, as where a database has connections on it."""
    before = {thread.name for thread in threading.enumerate()}
    lodge()
    yield
    move_out()
    assert {thread.name for thread in threading.enumerate()} == before


async def here() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    tick = threading.Event()
    while not condition():
        tick.wait(0.001)


def test_whoever_waits_alone_runs_the_loop() -> None:
    assert run_in_background(here()) == threading.current_thread().name
    with ThreadPoolExecutor(1, "caller") as pool:
        assert pool.submit(run_in_background, here()).result() == "caller_0"
    assert ITS_OWN not in {thread.name for thread in threading.enumerate()}


def test_who_comes_later_waits_for_the_one_who_runs_it() -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def long() -> str:
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.001)
        return await here()

    with ThreadPoolExecutor(2, "caller") as pool:
        first = pool.submit(run_in_background, long())
        assert begun.wait(10)
        # It runs at once, and not only when the first one has ended.
        assert pool.submit(run_in_background, here()).result(10) == "caller_0"
        go_on.set()
        assert first.result(10) == "caller_0"


def test_who_still_waits_when_the_other_has_ended_is_served_by_another_thread() -> None:
    begun, asked, go_on = threading.Event(), threading.Event(), threading.Event()

    async def first() -> None:
        begun.set()
        while not asked.is_set():
            await asyncio.sleep(0.001)

    async def second() -> str:
        asked.set()
        while not go_on.is_set():
            await asyncio.sleep(0.001)
        return await here()

    with ThreadPoolExecutor(2) as pool:
        short = pool.submit(run_in_background, first())
        assert begun.wait(10)
        long = pool.submit(run_in_background, second())
        short.result(10)
        go_on.set()
        assert long.result(10) == ITS_OWN


def test_what_a_call_leaves_behind_is_brought_to_its_end() -> None:
    ended = threading.Event()

    async def leave() -> None:
        async def later() -> None:
            await asyncio.sleep(0.01)
            ended.set()

        tasks.append(asyncio.ensure_future(later()))

    tasks: list[Any] = []
    run_in_background(leave())
    assert ended.wait(10)


def test_where_nobody_needs_it_any_more_its_own_thread_rests() -> None:
    with background_loop():
        assert run_in_background(here()) == ITS_OWN
    until(lambda: run_in_background(here()) != ITS_OWN)


def test_the_loop_runs_on_while_its_caller_does_something_for_it() -> None:
    async def work() -> tuple[str, str, str]:
        call = current_call.get()
        assert call is not None
        before = await here()
        beside = await call.beside(lambda: run_in_background(here()))
        return before, beside, await here()

    me = threading.current_thread().name
    assert run_in_background(work()) == (me, ITS_OWN, ITS_OWN)


def test_within_another_loop_it_is_run_elsewhere() -> None:
    async def main() -> str:
        return run_in_background(here())

    assert asyncio.run(main()) == ITS_OWN


def test_an_interrupt_ends_the_call_and_waits_for_its_end() -> None:
    history: list[str] = []

    async def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            history.append(threading.current_thread().name)

    with pytest.raises(KeyboardInterrupt):
        run_in_background(work())
    assert history == [threading.current_thread().name]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_in_the_last_moment_is_not_lost() -> None:
    async def work() -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_in_background(work())


def test_another_interrupt_does_not_wait() -> None:
    go_on, ended = threading.Event(), threading.Event()

    async def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            asyncio.get_running_loop().call_later(0.01, signal.raise_signal, signal.SIGINT)
            while not go_on.is_set():
                await asyncio.sleep(0.001)
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        run_in_background(work())
    assert not ended.is_set()
    # Its own thread brings it to its end.
    go_on.set()
    assert ended.wait(10)


def test_where_interrupts_are_ignored_it_is_run_here_too() -> None:
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run_in_background(here()) == threading.current_thread().name
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, usual)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGALRM"])
def test_where_a_signal_may_raise_an_error_anywhere_the_loop_is_run_elsewhere(name: str) -> None:
    def raise_error(*_: object) -> None:
        raise LookupError("now")

    number = getattr(signal, name)
    usual = signal.signal(number, raise_error)
    try:
        assert run_in_background(here()) == ITS_OWN

        async def work() -> None:
            signal.pthread_kill(threading.main_thread().ident or 0, number)
            await asyncio.sleep(60)

        with pytest.raises(LookupError, match="now"):
            run_in_background(work())
    finally:
        signal.signal(number, usual)


def test_many_threads_share_it() -> None:
    with ThreadPoolExecutor(8) as pool:
        names = [one.result(30) for one in [pool.submit(run_in_background, here()) for _ in range(400)]]
    assert len(names) == 400
