"""What DataFlow aims at in speed and size, and whether a run bears it out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.entries import BESIDE_A_LOOP, Entry
from benchmarks.footprint import OURS, Footprint
from benchmarks.measure import Measured, Spread, spread

__all__ = ["Goal", "goals"]

IN_THREAD, ON_LOOP = "dataflow-runtime", "dataflow-async-runtime"
MOST_ADDED = 25.0
HIGHEST_RATIO = {"list": 1.3, "transfer": 1.2}
HIGHEST_SINGLE, HIGHEST_BULK = 1.3, 1.2
LONGEST_IMPORT, LARGEST_INSTALL = 100.0, 25.0


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal, and what was measured.

    :param about: the workload, where the goal is for each of them.
    :param remark: what belongs to the figure.
    """

    text: str
    measured: Spread
    unit: str
    limit: float
    about: str = ""
    remark: str = ""

    @property
    def met(self) -> bool:
        return self.measured.median <= self.limit

    def cells(self) -> Sequence[str]:
        """What a table says: goal, workload, what was measured, the limit, the verdict."""
        digits = 2 if self.unit == "times" else 1
        low, median, high = (f"{value:.{digits}f}" for value in self.measured)
        between = f" ({low} to {high})" if low != high else ""
        measured = f"{median} {self.unit}{between}{self.remark}"
        limit = f"{self.limit:g} {self.unit}"
        return self.text, self.about, measured, limit, "met" if self.met else "NOT met"


def goals(
    entries: Sequence[Entry], measured: Sequence[Measured], footprints: Sequence[Footprint]
) -> Sequence[Goal]:
    """Those that this run has something to say about."""
    found = [
        *(goal for one in measured for goal in _against_the_driver(one)),
        *(goal for one in measured for goal in _against_rivals(one, entries)),
        *_of_size(footprints),
    ]
    return sorted(found, key=lambda goal: list(dict.fromkeys(one.text for one in found)).index(goal.text))


def _against_the_driver(one: Measured) -> Iterator[Goal]:
    if one.workload.name == "read by id" and {"sqlite3", IN_THREAD} <= set(one.seconds):
        quiet = one.added_in_quiet(IN_THREAD, "sqlite3")
        yield Goal(
            "LocalRuntime adds little to sqlite3 in the same thread",
            one.added(IN_THREAD, "sqlite3"),
            "microseconds",
            MOST_ADDED,
            one.workload.name,
            f"; {quiet:.1f} in the quietest quarter of the rounds",
        )
    baseline = one.baseline(BESIDE_A_LOOP)
    if baseline is not None and ON_LOOP in one.seconds:
        single = HIGHEST_RATIO.get(one.workload.operation, HIGHEST_SINGLE)
        yield Goal(
            "AsyncLocalRuntime stays near sqlite3 in one worker thread",
            one.ratio(ON_LOOP, baseline),
            "times",
            HIGHEST_BULK if one.workload.bulk else single,
            one.workload.name,
        )


def _against_rivals(one: Measured, entries: Sequence[Entry]) -> Iterator[Goal]:
    rivals = [entry for entry in entries if entry.is_rival and entry.name in one.seconds]
    pairs = [
        (IN_THREAD, "LocalRuntime is ahead of every rival", rivals),
        (
            ON_LOOP,
            "AsyncLocalRuntime is ahead of every asynchronous rival",
            [entry for entry in rivals if entry.group is BESIDE_A_LOOP],
        ),
    ]
    for ours, text, others in pairs:
        if others and ours in one.seconds:
            first = min(others, key=lambda entry: one.microseconds(entry.name).median)
            ratio = one.ratio(ours, first.name)
            yield Goal(text, ratio, "times", 1.0, one.workload.name, f" of {first.title}")


def _of_size(footprints: Sequence[Footprint]) -> Iterator[Goal]:
    for one in footprints:
        if one.title == OURS:
            if one.imports:
                yield Goal("import dataflow is quick", spread(one.imports), "ms", LONGEST_IMPORT)
            if one.installed is not None:
                size = spread([one.installed])
                yield Goal("core and SQLite are small on disk", size, "MB", LARGEST_INSTALL)
