"""The threads that work for event loops."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from dataflow.execution.workers import GLANCE, Workers, _Crew


def nothing() -> None:
    return None


async def thread() -> str:
    return threading.current_thread().name


async def identity() -> int:
    return threading.get_ident()


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Workers with a user, whose threads are gone afterwards."""
    before = threading.active_count()
    workers = Workers("dataflow-test")
    workers.enter()
    yield workers
    workers.leave(waiting=True)
    assert threading.active_count() == before


def test_a_coroutine_runs_in_another_thread_and_its_result_comes_back(workers: Workers) -> None:
    async def main() -> None:
        assert await workers.run(thread(), nothing, first=False) == "dataflow-test"

    asyncio.run(main())


def test_its_error_comes_back(workers: Workers) -> None:
    async def fail() -> None:
        raise LookupError("no such thing")

    async def main() -> None:
        with pytest.raises(LookupError, match="no such thing"):
            await workers.run(fail(), nothing, first=False)

    asyncio.run(main())


def test_short_jobs_share_one_thread(workers: Workers) -> None:
    async def main() -> set[int]:
        return set(await asyncio.gather(*(workers.run(identity(), nothing, first=False) for _ in range(500))))

    assert len(asyncio.run(main())) == 1


def test_jobs_that_wait_for_a_long_one_get_a_thread(workers: Workers) -> None:
    go_on = threading.Event()

    async def long() -> None:
        assert go_on.wait(10)

    async def main() -> None:
        running = asyncio.ensure_future(workers.run(long(), nothing, first=False))
        # It ends only if somebody else does what stands behind the long one.
        await asyncio.wait_for(workers.run(identity(), nothing, first=False), 10)
        go_on.set()
        await running

    asyncio.run(main())


def test_who_holds_what_others_wait_for_goes_first(workers: Workers) -> None:
    begun, go_on, order = threading.Event(), threading.Event(), []

    async def long() -> None:
        begun.set()
        assert go_on.wait(10)

    async def note(name: str) -> None:
        order.append(name)

    async def main() -> None:
        jobs = [asyncio.ensure_future(workers.run(long(), nothing, first=False))]
        await asyncio.sleep(0)
        begun.wait(10)
        jobs += [asyncio.ensure_future(workers.run(note(name), nothing, first=False)) for name in "ab"]
        jobs.append(asyncio.ensure_future(workers.run(note("first"), nothing, first=True)))
        await asyncio.sleep(0)
        # The loop is held up here, so that nothing can add a thread meanwhile.
        go_on.set()
        await asyncio.gather(*jobs)

    asyncio.run(main())
    assert order == ["first", "a", "b"]


def test_what_is_cancelled_before_it_began_never_begins(workers: Workers) -> None:
    begun, go_on, ran = threading.Event(), threading.Event(), []

    async def long() -> None:
        begun.set()
        assert go_on.wait(10)

    async def note() -> None:
        ran.append(True)

    async def main() -> None:
        running = asyncio.ensure_future(workers.run(long(), nothing, first=False))
        await asyncio.sleep(0)
        begun.wait(10)
        waiting = asyncio.ensure_future(workers.run(note(), nothing, first=False))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go_on.set()
        await running
        await workers.run(thread(), nothing, first=False)

    asyncio.run(main())
    assert not ran


def test_who_goes_first_runs_though_it_was_cancelled_before(workers: Workers) -> None:
    begun, go_on, ran = threading.Event(), threading.Event(), []

    async def long() -> None:
        begun.set()
        assert go_on.wait(10)

    async def note() -> None:
        ran.append(True)

    async def main() -> None:
        running = asyncio.ensure_future(workers.run(long(), nothing, first=False))
        await asyncio.sleep(0)
        begun.wait(10)
        waiting = asyncio.ensure_future(workers.run(note(), go_on.set, first=True))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert ran
        await running

    asyncio.run(main())


def test_what_is_cancelled_while_it_runs_has_ended_when_the_waiting_ends(workers: Workers) -> None:
    begun, stop, ended = threading.Event(), threading.Event(), []

    async def long() -> None:
        begun.set()
        assert stop.wait(10)
        ended.append(True)

    async def main() -> None:
        running = asyncio.ensure_future(workers.run(long(), stop.set, first=False))
        await asyncio.sleep(0)
        begun.wait(10)
        running.cancel()
        # Impatience does not help.
        asyncio.get_running_loop().call_soon(running.cancel)
        with pytest.raises(asyncio.CancelledError):
            await running
        assert ended

    asyncio.run(main())


def test_a_job_without_users_leaves_no_thread() -> None:
    before = threading.active_count()
    workers = Workers("dataflow-test")
    assert asyncio.run(workers.run(thread(), nothing, first=False)) == "dataflow-test"
    assert threading.active_count() == before


def test_a_thread_that_ends_as_soon_as_it_begins_ends_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    begin = threading.Thread.start

    def begin_and_end(thread: threading.Thread) -> None:
        begin(thread)
        thread.join(10)

    crew = _Crew("dataflow-test")
    crew.dismiss()
    crew.join()
    # As slow as the machine may be in just that moment.
    monkeypatch.setattr(threading.Thread, "start", begin_and_end)
    crew._add_thread(None)
    crew.join()
    assert failures == []


def test_loops_of_several_threads_may_share_them(workers: Workers) -> None:
    found: list[str] = []

    async def main() -> None:
        for _ in range(50):
            found.append(await workers.run(thread(), nothing, first=False))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == ["dataflow-test"] * 200


def test_loops_that_take_turns_are_each_looked_after_once(workers: Workers) -> None:
    timers: list[int] = []
    both = threading.Barrier(2)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        later, count = loop.call_later, 0

        def call_later(*arguments: Any, **options: Any) -> asyncio.TimerHandle:
            nonlocal count
            count += 1
            return later(*arguments, **options)

        loop.call_later = call_later  # type: ignore[method-assign, assignment]
        both.wait(10)
        began = loop.time()
        for _ in range(300):
            await asyncio.gather(*(workers.run(identity(), nothing, first=False) for _ in range(5)))
        # One that looks in again and again, however many jobs there are.
        timers.append(count - round((loop.time() - began) / GLANCE))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(timers) <= 2


def test_a_finished_job_keeps_nothing_alive(workers: Workers) -> None:
    class Thing:
        pass

    async def hold(thing: Thing) -> Thing:
        return thing

    async def fail(thing: Thing) -> None:
        raise LookupError

    async def main() -> "list[weakref.ref[Thing]]":
        thing, other = Thing(), Thing()
        references = [weakref.ref(thing), weakref.ref(other)]
        await workers.run(hold(thing), nothing, first=False)
        with pytest.raises(LookupError):
            await workers.run(fail(other), nothing, first=False)
        return references

    gc.collect()
    gc.disable()
    try:
        assert [reference() for reference in asyncio.run(main())] == [None, None]
    finally:
        gc.enable()
