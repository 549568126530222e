"""What is measured: the operations, the inputs of each, and how many make a batch."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from benchmarks.subject import SEEDED, row, rows

__all__ = ["STEPS", "WORKLOADS", "Store", "Workload"]

STEPS = 10
"""How many steps the work has that is taken step by step."""


class Store(Protocol):
    """A database of one contestant alone, with means to put it back in order that are not measured."""

    def fill(self, count: int, step: int = 1) -> Sequence[int]:
        """Add so many of the rows that come after those that are there already, each ``step``-th; tell their ids."""
        ...

    def restore(self) -> None:
        """Remove every row that was not there at the beginning."""

    def content(self) -> Set[tuple[Any, ...]]:
        """Every row in one spelling, without times."""
        ...


@dataclass(frozen=True, slots=True)
class Workload:
    """An operation and how it is repeated.

    :param operation: what a contestant offers under this name.
    :param items: makes so many inputs for a batch, each about so many rows; it is not measured.
    :param batch: how many operations a contestant does before it is the turn of the next.
    :param size: how many rows an operation is about.
    :param tasks: how many tasks share a batch; with more than one, only contestants on an event loop take part.
    :param writes: whether the store must be put in order after a batch.
    :param bulk: whether it is about so many rows that it is done a few times only.
    """

    name: str
    operation: str
    items: Callable[[Store, int, int, Random], Sequence[Any]]
    batch: int
    size: int = 1
    tasks: int = 1
    writes: bool = False
    bulk: bool = False


def _ids(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return random.sample(range(1, SEEDED + 1), count)


def _new_rows(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return rows(SEEDED + 1, count)


def _changes(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return [(id, random.random()) for id in random.sample(range(1, SEEDED + 1), count)]


def _deletable(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return store.fill(count)


def _pages(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    """Where a page begins and how long it is."""
    return [(random.randrange(SEEDED - size), size) for _ in range(count)]


def _transfers(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    ids = random.sample(range(1, SEEDED + 1), 2 * count)
    pairs = zip(ids[::2], ids[1::2], strict=True)
    return [(first, second, row(SEEDED + 1 + number)) for number, (first, second) in enumerate(pairs)]


def _pairs(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return [(first, second) for first, second, _ in _transfers(store, count, size, random)]


def _many_changes(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return [_changes(store, STEPS, 1, random) for _ in range(count)]


def _lots(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return [rows(SEEDED + 1 + size * lot, size) for lot in range(count)]


def _half_known(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    """Every second of the rows is there already, and is to become older."""
    store.fill(size // 2, step=2)
    return [[{**one, "age": 99} for one in rows(SEEDED + 1, size)]]


def _different_changes(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return [[{"id": id, "balance": random.random()} for id in store.fill(size)]]


def _filled_ids(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    return [list(store.fill(size))]


def _those_after(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    """The id after which a filter finds what was filled in."""
    store.fill(size)
    return [SEEDED] * count


def _everything(store: Store, count: int, size: int, random: Random) -> Sequence[Any]:
    store.fill(size)
    return [None] * count


ONE_BY_ONE = (
    Workload("read by id", "read", _ids, 150),
    Workload("create", "create", _new_rows, 100, writes=True),
    Workload("update by id", "update", _changes, 100, writes=True),
    Workload("delete by id", "delete", _deletable, 100, writes=True),
    Workload("list 20", "list", _pages, 50, 20),
    Workload("list 1000", "list", _pages, 3, 1000),
    Workload("five in a transaction", "transfer", _transfers, 40, writes=True),
)

IN_A_SCOPE = (
    Workload("one in a scope", "scope_of_one", _ids, 100),
    Workload("two in a scope", "scope_of_two", _pairs, 50, writes=True),
)

BY_STEPS = (Workload(f"{STEPS} updates, step by step", "steps", _many_changes, 5, writes=True),)

AT_ONCE = 50
TOGETHER = tuple(
    replace(one, name=f"{one.name}, {AT_ONCE} tasks", batch=max(one.batch, AT_ONCE), tasks=AT_ONCE)
    for one in ONE_BY_ONE
)

IN_BULK = tuple(
    replace(one, bulk=True, writes=True)
    for one in (
        Workload("bulk create 100k", "bulk_create", _lots, 1, 100_000),
        Workload("upsert 100k, half are new", "upsert", _half_known, 1, 100_000),
        Workload("bulk update 20k, different values", "bulk_update", _different_changes, 1, 20_000),
        Workload("$inc on 50k", "increment", _those_after, 1, 50_000),
        Workload("delete 50k by filter", "bulk_delete", _those_after, 1, 50_000),
        Workload("delete 20k ids", "delete_ids", _filled_ids, 1, 20_000),
        Workload("group by over 100k", "aggregate", _everything, 2, 100_000 - SEEDED),
    )
)

WORKLOADS = ONE_BY_ONE + IN_A_SCOPE + BY_STEPS + TOGETHER + IN_BULK
