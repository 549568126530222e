"""What DataFlow aims at in speed and size, and whether a run bears it out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.entries import Aim, Database, Entry
from benchmarks.footprint import OURS, Footprint
from benchmarks.measure import Measured, Spread, spread

__all__ = ["Goal", "goals"]

IN_THREAD = "dataflow-runtime"
MOST_ADDED = 25.0
MOST_OF_A_SCOPE = 30.0
SHARE_OF_ROW_BY_ROW = 0.1
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
        verdict = "met" if self.met else f"NOT met, by {100 * (self.measured.median / self.limit - 1):.0f} %"
        return self.text, self.about, measured, limit, verdict


def goals(
    database: Database, measured: Sequence[Measured], footprints: Sequence[Footprint]
) -> Sequence[Goal]:
    """Those that this run has something to say about."""
    found = [
        *(goal for one in measured for goal in _against_sqlite3(one)),
        *(
            goal
            for judge in (_against_the_driver, _against_rivals, _against_row_by_row)
            for aim in database.aims
            for one in measured
            if aim.contestant in one.seconds
            for goal in judge(one, aim, database.entries)
        ),
        *_of_a_scope(database, measured),
        *_of_size(footprints),
    ]
    return sorted(found, key=lambda goal: list(dict.fromkeys(one.text for one in found)).index(goal.text))


def _against_sqlite3(one: Measured) -> Iterator[Goal]:
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


def _against_the_driver(one: Measured, aim: Aim, entries: Sequence[Entry]) -> Iterator[Goal]:
    (ours,) = (entry for entry in entries if entry.name == aim.contestant)
    baseline = one.baseline(ours.group)
    if aim.near is not None and baseline is not None:
        ratio = one.ratio(ours.name, baseline)
        yield Goal(aim.near.text, ratio, "times", aim.near.limit(one.workload), one.workload.name)


def _against_rivals(one: Measured, aim: Aim, entries: Sequence[Entry]) -> Iterator[Goal]:
    rivals = [entry for entry in _rivals(one, aim, entries) if entry.share == 1]
    if rivals:
        first = min(rivals, key=lambda entry: one.microseconds(entry.name).median)
        ratio = one.ratio(aim.contestant, first.name)
        yield Goal(aim.ahead, ratio, "times", 1.0, one.workload.name, f" of {first.title}")


def _against_row_by_row(one: Measured, aim: Aim, entries: Sequence[Entry]) -> Iterator[Goal]:
    for rival in _rivals(one, aim, entries):
        if rival.share < 1:
            text = "in bulk, ten times as fast as rivals row by row"
            ratio = one.ratio(aim.contestant, rival.name)
            remark = f" of {rival.title}"
            yield Goal(text, ratio, "times", SHARE_OF_ROW_BY_ROW, one.workload.name, remark)


def _of_a_scope(database: Database, measured: Sequence[Measured]) -> Iterator[Goal]:
    """What a scope around a read adds to DataFlow, less what ``BEGIN`` and ``COMMIT`` around it add to the driver."""
    by_name = {one.workload.name: one for one in measured}
    alone, within = by_name.get("read by id"), by_name.get("one in a scope")
    if alone is None or within is None:
        return
    groups = {entry.name: entry.group for entry in database.entries}
    for ours in (aim.contestant for aim in database.aims):
        baseline = groups[ours].baseline
        if {ours, baseline} <= set(alone.processor) & set(within.processor):
            cost = within.added_work(ours, baseline).median - alone.added_work(ours, baseline).median
            text = "a scope costs BEGIN and COMMIT, and little of ours"
            remark = f" of the processor with {_title(database, ours)}"
            yield Goal(text, spread([cost]), "microseconds", MOST_OF_A_SCOPE, within.workload.name, remark)


def _title(database: Database, name: str) -> str:
    (title,) = (entry.title for entry in database.entries if entry.name == name)
    return title


def _rivals(one: Measured, aim: Aim, entries: Sequence[Entry]) -> Sequence[Entry]:
    return [
        entry
        for entry in entries
        if entry.is_rival and entry.group in aim.rivals and entry.name in one.seconds
    ]


def _of_size(footprints: Sequence[Footprint]) -> Iterator[Goal]:
    for one in footprints:
        if one.title == OURS:
            if one.imports:
                yield Goal("import dataflow is quick", spread(one.imports), "ms", LONGEST_IMPORT)
            if one.installed is not None:
                size = spread([one.installed])
                yield Goal("core and SQLite are small on disk", size, "MB", LARGEST_INSTALL)
