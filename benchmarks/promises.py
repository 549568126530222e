"""What DataFlow promises of its speed, and whether a run bears it out."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Measured, Spread

__all__ = ["Promise", "promises"]

READ = "read by id"
MOST_ADDED = 25.0
HIGHEST_RATIO = 1.3


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise, and what was measured."""

    text: str
    measured: Spread
    unit: str
    limit: float
    remark: str = ""

    @property
    def met(self) -> bool:
        return self.measured.median <= self.limit

    def line(self) -> str:
        low, median, high = (f"{value:.{2 if self.unit == 'times' else 1}f}" for value in self.measured)
        verdict = "met" if self.met else "NOT met"
        return f"{self.text}: {median} {self.unit} ({low} to {high}{self.remark}), {verdict}"


def promises(measured: Sequence[Measured]) -> Sequence[Promise]:
    """Those that this run has something to say about."""
    found = []
    for one in measured:
        if one.workload.name == READ and {"sqlite3", "dataflow-runtime"} <= set(one.seconds):
            quiet = one.added_in_quiet("dataflow-runtime", "sqlite3")
            found.append(
                Promise(
                    f"a read by id through LocalRuntime adds at most {MOST_ADDED:.0f} microseconds "
                    "to plain sqlite3 in the same thread",
                    one.added("dataflow-runtime", "sqlite3"),
                    "microseconds",
                    MOST_ADDED,
                    f"; {quiet:.1f} in the quietest quarter of the rounds",
                )
            )
        if one.workload.name == READ and {"sqlite3-executor", "dataflow-async-runtime"} <= set(one.seconds):
            found.append(
                Promise(
                    f"a read by id through AsyncLocalRuntime takes at most {HIGHEST_RATIO} times "
                    "what plain sqlite3 in one worker thread takes",
                    one.ratio("dataflow-async-runtime", "sqlite3-executor"),
                    "times",
                    HIGHEST_RATIO,
                )
            )
    return found
