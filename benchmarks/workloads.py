"""What is measured: the operations, the inputs of each, and how many make a batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from benchmarks.subject import SEEDED, row, rows

__all__ = ["WORKLOADS", "Store", "Workload"]


class Store(Protocol):
    """A database of one contestant alone, with means to put it back in order that are not measured."""

    def spare(self, count: int) -> Sequence[int]:
        """Insert rows that may be deleted, and tell their ids."""
        ...

    def restore(self) -> None:
        """Remove every row that was not there at the beginning."""


@dataclass(frozen=True, slots=True)
class Workload:
    """An operation and how it is repeated.

    :param operation: what a contestant offers under this name.
    :param items: makes so many inputs for a batch, each about so many rows; it is not measured.
    :param batch: how many operations a contestant does before it is the turn of the next.
    :param size: how many rows an operation is about.
    :param tasks: how many tasks share a batch; with more than one, only contestants on an event loop take part.
    :param writes: whether the store must be put in order after a batch.
    """

    name: str
    operation: str
    items: Callable[[Store, int, int, Random], Sequence[Any]]
    batch: int
    size: int = 1
    tasks: int = 1
    writes: bool = False


def _ids(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return random.sample(range(1, SEEDED + 1), count)


def _new_rows(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return rows(SEEDED + 1, count)


def _changes(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return [(id, random.random()) for id in random.sample(range(1, SEEDED + 1), count)]


def _deletable(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return store.spare(count)


def _pages(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    """Where a page begins and how long it is."""
    return [(random.randrange(SEEDED - size), size) for _ in range(count)]


def _transfers(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    ids = random.sample(range(1, SEEDED + 1), 2 * count)
    pairs = zip(ids[::2], ids[1::2], strict=True)
    return [(first, second, row(SEEDED + 1 + number)) for number, (first, second) in enumerate(pairs)]


def _lots(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return [rows(SEEDED + 1 + size * lot, size) for lot in range(count)]


def _half_new(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    """Rows of which one half, or as many as there are, exist."""
    return [rows(max(1, SEEDED + 1 - size // 2), size) for _ in range(count)]


ONE_BY_ONE = (
    Workload("read by id", "read", _ids, 150),
    Workload("create", "create", _new_rows, 100, writes=True),
    Workload("update by id", "update", _changes, 100, writes=True),
    Workload("delete by id", "delete", _deletable, 100, writes=True),
    Workload("list 20", "list", _pages, 50, 20),
    Workload("list 1000", "list", _pages, 3, 1000),
    Workload("five in a transaction", "transfer", _transfers, 40, writes=True),
    Workload("bulk create 10k", "bulk_create", _lots, 1, 10_000, writes=True),
    Workload("bulk upsert 10k", "bulk_upsert", _half_new, 1, 10_000, writes=True),
)

AT_ONCE = 50
TOGETHER = tuple(
    replace(one, name=f"{one.name}, {AT_ONCE} tasks", batch=3 * AT_ONCE, tasks=AT_ONCE)
    for one in ONE_BY_ONE
    if one.batch > AT_ONCE // 2
)

WORKLOADS = ONE_BY_ONE + TOGETHER
