"""Data that come batch by batch, each kind read where it belongs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, cast

import pytest

from dataflow.errors import InvalidValue
from dataflow.execution.crossing import Call, current_call
from dataflow.nodes.bulk_sources import Source, check_data, length_of, open_source


async def coming(numbers: Iterable[int]) -> AsyncIterator[int]:
    for number in numbers:
        yield number


async def batches_of(source: Source) -> list[list[object]]:
    batches = []
    while batch := await source.next():
        batches.append(list(batch))
    assert not await source.next()
    await source.close()
    return batches


class Caller:
    """A thread that waits for the event loop, and does meanwhile what it is asked to."""

    def __init__(self) -> None:
        self.asked = 0

    async def beside(self, function: Callable[[], Any]) -> Any:
        self.asked += 1
        return await asyncio.to_thread(function)


WANTED = [[1, 2], [3, 4], [5]]


@pytest.mark.parametrize("in_process", [True, False])
def test_a_list_is_read_at_once_whoever_asks(in_process: bool) -> None:
    source = open_source([1, 2, 3, 4, 5], 2, in_process=in_process)
    assert asyncio.run(batches_of(source)) == WANTED


def test_a_generator_is_read_by_the_thread_that_waits() -> None:
    caller = Caller()

    async def main() -> list[list[object]]:
        current_call.set(cast("Call[Any]", caller))
        return await batches_of(open_source(iter([1, 2, 3, 4, 5]), 2, in_process=False))

    assert asyncio.run(main()) == WANTED
    assert caller.asked == 5  # three batches, and twice the end


def test_a_list_needs_no_thread() -> None:
    caller = Caller()

    async def main() -> list[list[object]]:
        current_call.set(cast("Call[Any]", caller))
        return await batches_of(open_source([1, 2, 3, 4, 5], 2, in_process=False))

    assert asyncio.run(main()) == WANTED
    assert caller.asked == 0


def test_what_comes_asynchronously_is_awaited() -> None:
    async def main() -> list[list[object]]:
        return await batches_of(open_source(coming(range(1, 6)), 2, in_process=False))

    assert asyncio.run(main()) == WANTED


@pytest.mark.parametrize("is_async", [True, False])
def test_a_generator_that_is_closed_in_the_middle_is_read_no_more(is_async: bool) -> None:
    left: list[str] = []

    def rows() -> Iterator[int]:
        try:
            yield from range(5)
        finally:
            left.append("sync")

    async def async_rows() -> AsyncIterator[int]:
        try:
            for number in range(5):
                yield number
        finally:
            left.append("async")

    async def main() -> None:
        source = open_source(async_rows() if is_async else rows(), 2, in_process=False)
        assert await source.next() == [0, 1]
        await source.close()

    asyncio.run(main())
    assert left == ["async" if is_async else "sync"]


def test_the_length_is_known_of_what_has_one() -> None:
    assert length_of([1, 2]) == 2
    assert length_of({1}) == 1
    assert length_of(iter([1, 2])) is None
    assert length_of(coming([1])) is None


@pytest.mark.parametrize("data", [{"name": "a"}, "abc", b"ab", 5, None])
def test_what_holds_no_rows_is_refused(data: object) -> None:
    with pytest.raises(InvalidValue, match=f"User data: expected a list of dicts, got {type(data).__name__}"):
        check_data(data, "User data")


def test_whatever_can_be_iterated_holds_rows() -> None:
    kinds: tuple[Iterable[int] | AsyncIterator[int], ...] = (
        [],
        (),
        iter(list[int]()),
        {1},
        coming([]),
        (number for number in [1]),
    )
    for data in kinds:
        assert check_data(data, "User data") is data


def test_a_generator_at_its_end_is_refused() -> None:
    spent = (number for number in [1])
    assert list(spent) == [1]
    with pytest.raises(InvalidValue, match="was read before"):
        check_data(spent, "User data")

    async def main() -> object:
        rows = coming([1])
        assert [number async for number in rows] == [1]
        return rows

    with pytest.raises(InvalidValue, match="was read before"):
        check_data(asyncio.run(main()), "User data")
