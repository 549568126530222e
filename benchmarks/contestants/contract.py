"""What a contestant is. The loops that are timed stand here, so that they are the same for all.

The operations, and what each takes and answers:

- ``read`` an id, ``list`` the id after which a page begins and its length, ``create`` a row, ``update`` an id and
  a balance, ``transfer`` two ids and a row: the rows, as dicts with Python's values, as they are afterwards.
- ``scope_of_one`` an id that is read, ``scope_of_two`` two ids whose balances are set, in a transaction that is begun
  for it: the rows likewise. Only for the bare driver and DataFlow.
- ``steps`` some ids and balances, which are set one after the other, each in a transaction: the rows likewise. Only for
  DataFlow, with a saga and without.
- ``delete`` an id, ``delete_ids`` a list of them, ``bulk_create`` and ``upsert`` (by email) any iterable of rows,
  ``bulk_update`` dicts of id and balance, ``increment`` (the age, by one) and ``bulk_delete`` the id after which they
  begin: the number of rows, or None where a library does not tell.
- ``aggregate`` nothing: for each age, in order, a dict of ``age``, ``n`` rows and ``total`` of their balances.

The rules, for all: written as the documentation of each advises who wants it fast, but without SQL by hand, except for
the bare driver. Each operation is a transaction. ``created_at`` and ``updated_at`` are kept. Rows come as a list of
dicts, or as a generator, so that bulk work goes in chunks where a library would take in everything at once. What
a library does not offer is left out.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from time import perf_counter
from typing import Any, TypeVar

__all__ = ["Contestant", "InThread", "OnLoop", "Operation", "chunks"]

T = TypeVar("T")

Operation = Callable[[Any], Any]
"""Takes one input of a workload; what it returns is looked at before the measuring, not during it."""


class Contestant(ABC):
    """One way to do the work, on a store of its own."""

    takes_a_generator = True
    """Whether ``bulk_create`` takes rows that are made as it goes."""

    @abstractmethod
    def operations(self) -> Mapping[str, Operation]:
        """What it can do; a workload that asks for anything else goes by without it."""

    @abstractmethod
    def timed(self, operation: str, items: Sequence[Any], tasks: int) -> float:
        """Do an operation with each input, and tell how many seconds all took."""

    @abstractmethod
    def answer(self, operation: str, item: Any) -> Any:
        """Do an operation once, and tell what came of it in the words that all use: rows as dicts, or a number."""

    def plain(self, outcome: Any) -> Any:
        """An outcome of an operation in the words that all use."""
        return outcome

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""


class InThread(Contestant):
    """Works in the calling thread."""

    def timed(self, operation: str, items: Sequence[Any], tasks: int) -> float:
        work = self.operations()[operation]
        began = perf_counter()
        for item in items:
            work(item)
        return perf_counter() - began

    def answer(self, operation: str, item: Any) -> Any:
        return self.plain(self.operations()[operation](item))


class OnLoop(Contestant):
    """Works on an event loop of its own: one operation after the other, or in so many tasks."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self.loop = self._runner.get_loop()

    def timed(self, operation: str, items: Sequence[Any], tasks: int) -> float:
        return self._runner.run(self._batch(self.operations()[operation], items, tasks))

    def answer(self, operation: str, item: Any) -> Any:
        async def once() -> Any:
            return await self.operations()[operation](item)

        return self.plain(self._runner.run(once()))

    def close(self) -> None:
        self._runner.run(self.finish())
        self._runner.close()

    async def finish(self) -> None:
        """Let go of what belongs to the loop."""

    async def _batch(self, work: Operation, items: Sequence[Any], tasks: int) -> float:
        async def share(some: Sequence[Any]) -> None:
            for item in some:
                await work(item)

        shares = [items[number::tasks] for number in range(tasks)]
        began = perf_counter()
        if tasks == 1:
            await share(items)
        else:
            await asyncio.gather(*map(share, shares))
        return perf_counter() - began


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """
    >>> list(chunks("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator = iter(values)
    while some := list(islice(iterator, size)):
        yield some
