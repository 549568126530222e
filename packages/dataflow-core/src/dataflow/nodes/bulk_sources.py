"""Reading what a bulk node is given, a batch at a time: a list, anything iterable, anything asynchronously iterable."""

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import ExitStack
from itertools import islice
from sys import maxsize
from typing import Any, Protocol, TypeAlias, cast

from dataflow.errors import InvalidValue
from dataflow.execution.crossing import Call, current_call
from dataflow.execution.errands import Errand, an_errand
from dataflow.execution.stepping import step

__all__ = ["Data", "Source", "check_data", "is_kept", "length_of", "open_source"]

Data: TypeAlias = Iterable[Any] | AsyncIterable[Any]


class Source(Protocol):
    """Rows that come batch by batch."""

    async def next(self) -> Sequence[object]:
        """The next batch; an empty one at the end."""

    async def close(self) -> None:
        """Let go, in the middle too."""


def check_data(data: object, where: str) -> Data:
    """Refuse what holds no rows, or none any more.

    :param where: the parameter, for messages.
    """
    if isinstance(data, Mapping | str | bytes) or not isinstance(data, Iterable | AsyncIterable):
        raise InvalidValue(
            f"{where}: expected a list of dicts, got {type(data).__name__}; any iterable of dicts does, async too"
        )
    if _is_exhausted(data):
        raise InvalidValue(f"{where}: the generator was read before and has no rows any more; make a new one")
    return data


def is_kept(data: object) -> bool:
    """Whether it can be read again, which a generator cannot."""
    return data is None or isinstance(data, Sized)


def length_of(data: Data) -> int | None:
    """How many rows there are, where the data know it."""
    return len(data) if isinstance(data, Sized) else None


def open_source(data: Data, size: int, *, in_process: bool) -> Source:
    """Begin to read.

    :param size: how many rows make a batch.
    :param in_process: whether the caller is stepped in a thread that may block, and must not await.
    """
    if not isinstance(data, AsyncIterable):
        caller = None if in_process or isinstance(data, Sized) else current_call.get()
        return _Iterated(iter(data), size) if caller is None else _Drawn(iter(data), size, caller)
    return _Fetched(data, size) if in_process else _Awaited(data, size)


class _Iterated:
    def __init__(self, rows: Iterator[object], size: int) -> None:
        self._rows = rows
        self._size = min(size, maxsize)

    async def next(self) -> Sequence[object]:
        return list(islice(self._rows, self._size))

    async def close(self) -> None:
        self._rows = iter(())


class _Drawn:
    """Read in the thread that waits for the event loop: it may block there, and be bound to it."""

    def __init__(self, rows: Iterator[object], size: int, caller: Call[Any]) -> None:
        self._rows = _Iterated(rows, size)
        self._caller = caller

    async def next(self) -> Sequence[object]:
        batch: Sequence[object] = await self._caller.beside(lambda: step(self._rows.next()))
        return batch

    async def close(self) -> None:
        await self._rows.close()


class _Awaited:
    """Read where it belongs: on the event loop."""

    def __init__(self, rows: AsyncIterable[object], size: int) -> None:
        self._rows: AsyncIterator[object] = aiter(rows)
        self._size = size
        self._ended = False

    async def next(self) -> Sequence[object]:
        batch: list[object] = []
        try:
            while not self._ended and len(batch) < self._size:
                batch.append(await anext(self._rows))
        except StopAsyncIteration:
            self._ended = True
        return batch

    async def close(self) -> None:
        if inspect.isasyncgen(self._rows):
            await self._rows.aclose()


class _Fetched:
    """Read on the event loop as well, for a thread that waits meanwhile: one hop for a batch."""

    def __init__(self, rows: AsyncIterable[object], size: int) -> None:
        self._rows = rows
        self._size = size
        self._stack = ExitStack()
        self._errand: Errand | None = None
        self._source: _Awaited | None = None

    async def next(self) -> Sequence[object]:
        if self._errand is None:
            self._errand = self._stack.enter_context(an_errand())
        return self._errand.ask(self._fetch())

    async def close(self) -> None:
        try:
            if self._errand is not None and self._source is not None:
                self._errand.ask(self._source.close(), last=True)
        finally:
            self._stack.close()

    async def _fetch(self) -> Sequence[object]:
        if self._source is None:
            self._source = _Awaited(self._rows, self._size)
        return await self._source.next()


def _is_exhausted(data: object) -> bool:
    if inspect.isgenerator(data):
        return inspect.getgeneratorstate(data) == inspect.GEN_CLOSED
    return inspect.isasyncgen(data) and cast("Any", data).ag_frame is None
