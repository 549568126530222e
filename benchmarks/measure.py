"""The measuring: small batches in turns, so that whatever slows the machine down slows all contestants down."""

import gc
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from benchmarks.contestants.contract import Contestant
from benchmarks.entries import BESIDE_A_LOOP, DATABASES, Entry
from benchmarks.subject import STAMPS
from benchmarks.workloads import WORKLOADS, Store, Workload

__all__ = ["Effort", "Measured", "Place", "Spread", "compare_answers", "measure", "places", "spread"]


class ClosableStore(Store, Protocol):
    def close(self) -> None:
        """Let go of the database."""


class Stores(Protocol):
    def new(self, name: str) -> ClosableStore:
        """A store of its own for a contestant."""
        ...

    def describe(self) -> Mapping[str, str]:
        """Version and settings, by name."""
        ...


class Place(NamedTuple):
    """A contestant and its store."""

    entry: Entry
    contestant: Contestant
    store: ClosableStore


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    :param seconds: for each workload; rounds go on until it is over.
    :param least: so many rounds at least.
    :param most: and at most.
    :param share: of a full batch, in operations and in rows.
    """

    seconds: float
    least: int
    most: int = 1000
    share: float = 1.0


class Spread(NamedTuple):
    """The median of a list, and the quartiles around it."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The seconds of one operation, per contestant and round; equal positions come from the same round."""

    workload: Workload
    seconds: Mapping[str, Sequence[float]]

    def microseconds(self, name: str) -> Spread:
        return spread([1e6 * one for one in self.seconds[name]])

    def ratio(self, name: str, baseline: str) -> Spread:
        """How many times as long as the baseline, by round."""
        return spread([one / other for one, other in self._rounds(name, baseline)])

    def added(self, name: str, baseline: str) -> Spread:
        """How many microseconds more than the baseline, by round."""
        return spread([1e6 * (one - other) for one, other in self._rounds(name, baseline)])

    def added_in_quiet(self, name: str, baseline: str) -> float:
        """The same in the quarter of the rounds in which the baseline was fastest: the machine was least disturbed.

        As it is the baseline that chooses them, chance favours the baseline there.
        """
        rounds = sorted(self._rounds(name, baseline), key=lambda pair: pair[1])
        quiet = rounds[: max(1, len(rounds) // 4)]
        return statistics.median(1e6 * (one - other) for one, other in quiet)

    def _rounds(self, name: str, baseline: str) -> Iterator[tuple[float, float]]:
        return zip(self.seconds[name], self.seconds[baseline], strict=True)


def spread(values: Sequence[float]) -> Spread:
    """
    >>> spread([4.0, 1.0, 2.0, 3.0, 5.0])
    Spread(low=2.0, median=3.0, high=4.0)
    """
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low, median, high)


@contextmanager
def places(database: str, synchronous: str) -> Iterator[tuple[Sequence[Place], Mapping[str, str]]]:
    """Every contestant of a database in its place, and what there is to say of the database."""
    described = DATABASES[database]
    with TemporaryDirectory(prefix="dataflow-bench-") as folder, ExitStack() as opened:
        stores: Stores = resolve_name(described.stores)(Path(folder), synchronous)
        ready: list[Place] = []
        for entry in described.entries:
            store = stores.new(entry.name)
            opened.callback(store.close)
            contestant: Contestant = resolve_name(entry.made_by)(store)
            opened.callback(contestant.close)
            ready.append(Place(entry, contestant, store))
        yield ready, stores.describe()


def compare_answers(contestants: Sequence[Place]) -> None:
    """Let every contestant do every operation once, on the same input, and insist on the same answer from all.

    :raises AssertionError: where one does something else than the first.
    """
    for workload in WORKLOADS:
        first: Any = None
        for place in _takers(workload, contestants):
            (item,) = workload.items(place.store, 1, min(workload.size, 100), Random(workload.name))
            answer = _without_stamps(place.contestant.answer(workload.operation, item))
            place.store.restore()
            if first is None:
                first = answer
            elif place.entry.decodes:
                assert answer == first, f"{place.entry.name}, {workload.name}: {answer!r} is not {first!r}"


def measure(
    contestants: Sequence[Place],
    workloads: Sequence[Workload],
    effort: Effort,
    progress: Callable[[str], None],
) -> Sequence[Measured]:
    """Measure workload after workload."""
    gc.collect()
    # What is there already is nobody's garbage: the collections within a batch look at that batch.
    gc.freeze()
    try:
        measured = []
        for workload in workloads:
            progress(workload.name)
            measured.append(_rounds(workload, _takers(workload, contestants), effort))
        return measured
    finally:
        gc.unfreeze()


def _rounds(workload: Workload, contestants: Sequence[Place], effort: Effort) -> Measured:
    workload = replace(
        workload,
        batch=max(1, round(workload.batch * effort.share)),
        size=max(1, round(workload.size * effort.share)),
    )
    seconds: dict[str, list[float]] = {place.entry.name: [] for place in contestants}
    for place in contestants:
        _batch(place, workload, 0)
    began = perf_counter()
    number = 0
    while number < effort.least or (number < effort.most and perf_counter() - began < effort.seconds):
        number += 1
        for place in Random(number).sample(contestants, len(contestants)):
            seconds[place.entry.name].append(_batch(place, workload, number))
    return Measured(workload, seconds)


def _batch(place: Place, workload: Workload, number: int) -> float:
    """One batch; in a round all contestants get the same inputs. The garbage before it is collected before it."""
    items = workload.items(place.store, workload.batch, workload.size, Random(number))
    gc.collect()
    elapsed = place.contestant.timed(workload.operation, items, workload.tasks)
    if workload.writes:
        place.store.restore()
    return elapsed / workload.batch


def _takers(workload: Workload, contestants: Sequence[Place]) -> Sequence[Place]:
    return [
        place
        for place in contestants
        if workload.operation in place.contestant.operations()
        and (workload.tasks == 1 or place.entry.group is BESIDE_A_LOOP)
    ]


def _without_stamps(answer: Any) -> Any:
    """Rows that were made at different times differ in nothing else. Nor in ids that only grow."""
    if isinstance(answer, list):
        return [_without_stamps(one) for one in answer]
    if isinstance(answer, dict):
        return {name: value for name, value in answer.items() if name not in (*STAMPS, "id")}
    return answer
