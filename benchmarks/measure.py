"""The measuring: small batches in turns, so that whatever slows the machine down slows all contestants down."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from pkgutil import resolve_name
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

from benchmarks.databases.contract import StoreOptions, Stores
from benchmarks.entries import Database, Entry, Group
from benchmarks.seats import Seat
from benchmarks.subject import STAMPS
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["Effort", "Measured", "Spread", "compare_answers", "measure", "seated", "spread"]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    :param seconds: for each workload; rounds go on until it is over.
    :param least: so many rounds at least.
    :param bulk_rounds: so many rounds of what is done in bulk, or two where these take longer than ``bulk_seconds``.
    :param share: of a full batch, in operations and in rows.
    :param bulk_share: the same for what is done in bulk.
    """

    seconds: float
    least: int
    bulk_rounds: int
    share: float = 1.0
    bulk_share: float = 1.0
    bulk_seconds: float = 30.0

    def goes_on(self, workload: Workload, rounds: int, spent: float) -> bool:
        """Whether there is to be another round after so many, and so many seconds."""
        if not workload.bulk:
            return rounds < self.least or spent < self.seconds
        return rounds < min(2, self.bulk_rounds) or (rounds < self.bulk_rounds and spent < self.bulk_seconds)


class Spread(NamedTuple):
    """The median of a list, and the quartiles around it."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The seconds of one operation, per contestant and round; equal positions come from the same round.

    :param processor: the same, of seconds in which the process of the contestant had a processor.
    """

    workload: Workload
    seconds: Mapping[str, Sequence[float]]
    processor: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def baseline(self, group: Group) -> str | None:
        """By whom the others of a group are divided: the bare driver, in bulk its fastest way."""
        ways = group.bulk_baselines if self.workload.bulk else (group.baseline,)
        taking_part = [name for name in ways if name in self.seconds]
        return min(taking_part, key=lambda name: statistics.median(self.seconds[name]), default=None)

    def microseconds(self, name: str) -> Spread:
        return spread([1e6 * one for one in self.seconds[name]])

    def ratio(self, name: str, baseline: str) -> Spread:
        """How many times as long as the baseline, by round."""
        return spread([one / other for one, other in self._rounds(name, baseline)])

    def added(self, name: str, baseline: str) -> Spread:
        """How many microseconds more than the baseline, by round."""
        return spread([1e6 * (one - other) for one, other in self._rounds(name, baseline)])

    def added_work(self, name: str, baseline: str) -> Spread:
        """How many microseconds of the processor more than the baseline, by round."""
        rounds = zip(self.processor[name], self.processor[baseline], strict=True)
        return spread([1e6 * (one - other) for one, other in rounds])

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
def seated(
    database: Database, options: StoreOptions, entries: Sequence[Entry]
) -> Iterator[tuple[Sequence[Seat], Stores]]:
    """Contestants in their processes, and what makes stores of the database."""
    with TemporaryDirectory(prefix="dataflow-bench-") as folder, ExitStack() as opened:
        stores: Stores = opened.enter_context(resolve_name(database.stores)(Path(folder), options))
        seats: list[Seat] = []
        for entry in entries:
            seat = Seat(entry, stores.new(entry.name))
            opened.callback(seat.close)
            seats.append(seat)
        for seat in seats:
            seat.sit_down()
        yield seats, stores


def compare_answers(seats: Sequence[Seat], workloads: Sequence[Workload] = WORKLOADS) -> None:
    """Let every contestant do every operation once, on the same input, and insist on the same answer from all, and on
    the same change in the table.

    :param workloads: those whose operations are looked at.

    :raises AssertionError: where one does something else than the first.
    """
    by_operation = {one.operation: one for one in reversed(workloads)}
    takers = {
        one: _takers(replace(one, tasks=1), seats) for one in workloads if by_operation[one.operation] is one
    }
    # What more leave out comes later: where it changes tables, those of the others are not the same from then on.
    for workload in sorted(takers, key=lambda one: -len(takers[one])):
        first: Any = None
        for seat in takers[workload]:
            answer, change = seat.answer(workload, 100)
            answer = _without_moments(answer)
            whose = f"{seat.entry.name}, {workload.name}"
            first = first or (answer, change)
            assert change == first[1], f"{whose}: the table is changed to {change!r}, not {first[1]!r}"
            if seat.entry.decodes and answer is not None:
                assert answer == first[0], f"{whose}: {answer!r} is not {first[0]!r}"


def measure(
    seats: Sequence[Seat],
    workloads: Sequence[Workload],
    effort: Effort,
    progress: Callable[[str], None],
) -> Sequence[Measured]:
    """Measure workload after workload."""
    measured = []
    for workload in workloads:
        progress(workload.name)
        measured.append(_rounds(workload, _takers(workload, seats), effort))
    return measured


def _rounds(workload: Workload, seats: Sequence[Seat], effort: Effort) -> Measured:
    share = effort.bulk_share if workload.bulk else effort.share
    seconds: dict[str, list[float]] = {seat.entry.name: [] for seat in seats}
    processor: dict[str, list[float]] = {seat.entry.name: [] for seat in seats}
    for seat in seats:
        # What is in bulk needs no more than a little to be warm.
        seat.batch(workload, share * 0.02 if workload.bulk else share, 0)
    began = perf_counter()
    number = 0
    while effort.goes_on(workload, number, perf_counter() - began):
        number += 1
        for seat in Random(number).sample(seats, len(seats)):
            taken = seat.batch(workload, share, number)
            seconds[seat.entry.name].append(taken.seconds)
            processor[seat.entry.name].append(taken.processor)
    return Measured(workload, seconds, processor)


def _takers(workload: Workload, seats: Sequence[Seat]) -> Sequence[Seat]:
    """Those who measure it: with many tasks, only who is on an event loop."""
    able = [seat for seat in seats if workload.operation in seat.operations]
    return able if workload.tasks == 1 else [seat for seat in able if seat.entry.group.on_loop]


def _without_moments(answer: Any) -> Any:
    """Rows that were made at different times differ in nothing else. Nor in ids that only grow."""
    if isinstance(answer, list):
        return [_without_moments(one) for one in answer]
    if isinstance(answer, dict):
        return {
            name: value.utcoffset() if name in STAMPS and isinstance(value, datetime) else value
            for name, value in answer.items()
            if name != "id"
        }
    return answer
