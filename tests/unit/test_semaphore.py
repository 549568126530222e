"""The semaphore that threads and tasks share: fair, patient as long as told, and never losing a permit."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from dataflow.execution.semaphore import FairSemaphore
from dataflow.execution.stepping import step


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def acquire_in_thread(semaphore: FairSemaphore, timeout: float = 5) -> bool:
    return step(semaphore.acquire(timeout, blocking=True))


def is_waiting(semaphore: FairSemaphore, count: int) -> bool:
    return semaphore.waiting == count


def free_permits(semaphore: FairSemaphore) -> int:
    count = 0
    while semaphore.take():
        count += 1
    for _ in range(count):
        semaphore.give_back()
    return count


def test_there_are_so_many_permits_and_no_more() -> None:
    semaphore = FairSemaphore(2)
    assert [semaphore.take() for _ in range(3)] == [True, True, False]
    semaphore.give_back()
    assert [semaphore.take(), semaphore.take()] == [True, False]


def test_a_thread_waits_no_longer_than_told() -> None:
    semaphore = FairSemaphore(0)
    started = time.perf_counter()
    assert acquire_in_thread(semaphore, 0.05) is False
    assert 0.04 < time.perf_counter() - started < 2
    assert semaphore.waiting == 0
    semaphore.give_back()
    assert free_permits(semaphore) == 1


async def wait_in_a_task() -> None:
    semaphore = FairSemaphore(0)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    ticking = asyncio.create_task(tick())
    started = time.perf_counter()
    assert await semaphore.acquire(0.1, blocking=False) is False
    assert 0.08 < time.perf_counter() - started < 2
    ticking.cancel()
    assert ticks > 3, "the loop goes on meanwhile"
    assert semaphore.waiting == 0


def test_a_task_waits_no_longer_than_told_and_its_loop_goes_on() -> None:
    asyncio.run(wait_in_a_task())


def test_threads_are_served_first_come_first_served() -> None:
    semaphore, order = FairSemaphore(0), []

    def wait(number: int) -> None:
        assert acquire_in_thread(semaphore)
        order.append(number)
        semaphore.give_back()

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        wait_until(partial(is_waiting, semaphore, number + 1))
    semaphore.give_back()
    for thread in threads:
        thread.join(5)
    assert order == list(range(8))


def test_tasks_are_served_first_come_first_served() -> None:
    async def work() -> list[int]:
        semaphore, order = FairSemaphore(1), []

        async def wait(number: int) -> None:
            assert await semaphore.acquire(5, blocking=False)
            order.append(number)
            await asyncio.sleep(0)
            semaphore.give_back()

        await asyncio.gather(*(wait(number) for number in range(20)))
        assert free_permits(semaphore) == 1
        return order

    assert asyncio.run(work()) == list(range(20))


def test_threads_and_tasks_stand_in_one_queue() -> None:
    semaphore, order = FairSemaphore(0), []

    def in_thread(number: int) -> None:
        assert acquire_in_thread(semaphore)
        order.append(number)
        semaphore.give_back()

    async def in_task(number: int) -> None:
        assert await semaphore.acquire(5, blocking=False)
        order.append(number)
        semaphore.give_back()

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                if number % 2:
                    group.create_task(asyncio.to_thread(in_thread, number))
                else:
                    group.create_task(in_task(number))
                while semaphore.waiting != number + 1:
                    await asyncio.sleep(0.001)
            semaphore.give_back()

    asyncio.run(work())
    assert order == list(range(6))


def test_nobody_overtakes_the_queue() -> None:
    semaphore = FairSemaphore(1)
    assert semaphore.take()
    thread = threading.Thread(target=acquire_in_thread, args=(semaphore,))
    thread.start()
    wait_until(lambda: semaphore.waiting == 1)
    semaphore.give_back()
    assert semaphore.take() is False, "the permit went to the thread, although it has not run yet"
    thread.join(5)


def test_a_cancelled_task_leaves_the_queue_and_no_permit_is_lost() -> None:
    async def work() -> None:
        semaphore = FairSemaphore(1)
        assert semaphore.take()
        tasks = [asyncio.create_task(semaphore.acquire(5, blocking=False)) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert semaphore.waiting == 3
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        assert semaphore.waiting == 2
        # Granted and cancelled in the same turn of the loop: the permit goes on to the next.
        semaphore.give_back()
        tasks[1].cancel()
        [outcome] = await asyncio.gather(tasks[1], return_exceptions=True)
        if outcome is True:
            semaphore.give_back()
        assert await tasks[2] is True
        semaphore.give_back()
        assert free_permits(semaphore) == 1

    asyncio.run(work())


def test_a_permit_for_a_loop_that_is_gone_goes_to_the_next() -> None:
    semaphore = FairSemaphore(0)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(semaphore.acquire(5, blocking=False))
    loop.run_until_complete(asyncio.sleep(0.01))
    assert semaphore.waiting == 1
    loop.close()
    semaphore.give_back()
    assert acquire_in_thread(semaphore, 1) is True
    waiting.get_coro().close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # its loop is gone on purpose


@pytest.mark.parametrize("permits", [1, 3])
def test_under_load_there_are_never_more_holders_than_permits(permits: int) -> None:
    semaphore, lock = FairSemaphore(permits), threading.Lock()
    inside = most = served = 0

    def enter() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)

    def leave() -> None:
        nonlocal inside, served
        with lock:
            inside -= 1
            served += 1
        semaphore.give_back()

    def in_thread(_: int) -> None:
        for _ in range(50):
            assert acquire_in_thread(semaphore, 20)
            enter()
            leave()

    async def in_tasks() -> None:
        async def one() -> None:
            for _ in range(20):
                assert await semaphore.acquire(20, blocking=False)
                enter()
                await asyncio.sleep(0)
                leave()

        await asyncio.gather(*(one() for _ in range(10)))

    with ThreadPoolExecutor(6) as threads:
        loops = [threads.submit(asyncio.run, in_tasks()) for _ in range(2)]
        list(threads.map(in_thread, range(4)))
        for loop in loops:
            loop.result()
    assert (most <= permits, served, inside) == (True, 4 * 50 + 2 * 200, 0)
    assert free_permits(semaphore) == permits


def test_timeouts_and_grants_that_race_lose_no_permit() -> None:
    semaphore = FairSemaphore(1)

    def work(number: int) -> None:
        for turn in range(40):
            if acquire_in_thread(semaphore, 0.0005 * ((number + turn) % 3)):
                time.sleep(0.0005)
                semaphore.give_back()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert semaphore.waiting == 0
    assert free_permits(semaphore) == 1
