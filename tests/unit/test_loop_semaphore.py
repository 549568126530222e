"""The semaphore for the tasks of one event loop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from dataflow.execution.loop_semaphore import LoopSemaphore


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 30))


def test_permits_are_handed_on_in_order() -> None:
    async def main() -> None:
        semaphore = LoopSemaphore(1, 20)
        assert semaphore.take()
        order: list[int] = []

        async def wait(number: int) -> None:
            assert await semaphore.acquire()
            order.append(number)
            await asyncio.sleep(0)
            semaphore.give_back()

        tasks = [asyncio.create_task(wait(number)) for number in range(5)]
        await asyncio.sleep(0)
        assert semaphore.waiting == 5
        semaphore.give_back()
        assert not semaphore.take()
        await asyncio.gather(*tasks)
        assert order == [0, 1, 2, 3, 4]
        assert semaphore.waiting == 0
        assert semaphore.take()
        assert not semaphore.take()

    run(main())


def test_who_waits_too_long_gets_none_and_later_ones_still_do() -> None:
    async def main() -> None:
        semaphore = LoopSemaphore(1, 0.05)
        assert await semaphore.acquire()
        first, second = asyncio.create_task(semaphore.acquire()), asyncio.create_task(semaphore.acquire())
        assert (await first, await second) == (False, False)
        third = asyncio.create_task(semaphore.acquire())
        await asyncio.sleep(0)
        semaphore.give_back()
        assert await third
        assert not semaphore.take()
        # The timer of those before is of no use to those who come later.
        assert not await semaphore.acquire()

    run(main())


def test_a_cancelled_wait_keeps_no_permit_even_if_it_came_in_the_same_moment() -> None:
    async def main() -> None:
        semaphore = LoopSemaphore(1, 20)
        assert semaphore.take()
        early, late = asyncio.create_task(semaphore.acquire()), asyncio.create_task(semaphore.acquire())
        await asyncio.sleep(0)
        early.cancel()
        await asyncio.sleep(0)
        semaphore.give_back()  # to the second
        late.cancel()
        await asyncio.gather(early, late, return_exceptions=True)
        assert early.cancelled()
        assert late.cancelled()
        assert semaphore.waiting == 0
        assert semaphore.take()
        assert not semaphore.take()

    run(main())
