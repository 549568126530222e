"""All that a run of the benchmark found out."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from benchmarks.entries import Entry
from benchmarks.measure import Measured
from benchmarks.promises import Promise
from benchmarks.startup import Startup

__all__ = ["Outcome", "load", "surroundings"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of a run; what was not asked for is empty."""

    surroundings: Mapping[str, str]
    entries: Sequence[Entry]
    measured: Sequence[Measured]
    startup: Startup | None
    layers: Mapping[str, float]
    promises: Sequence[Promise]

    def as_json(self) -> dict[str, Any]:
        """Everything, with the time of every batch, so that others can do other statistics."""
        return {
            "surroundings": dict(self.surroundings),
            "workloads": {one.workload.name: self._workload(one) for one in self.measured},
            "startup": None if self.startup is None else asdict(self.startup),
            "layers of a read by id": dict(self.layers),
            "promises": [
                {
                    "promise": promise.text,
                    "measured": promise.measured._asdict(),
                    "unit": promise.unit,
                    "limit": promise.limit,
                    "met": promise.met,
                }
                for promise in self.promises
            ],
        }

    def _workload(self, one: Measured) -> dict[str, Any]:
        return {
            entry.name: {
                "title": entry.title,
                "group": entry.group.title,
                "baseline": entry.group.baseline,
                "microseconds": one.microseconds(entry.name)._asdict(),
                "ratio": one.ratio(entry.name, entry.group.baseline)._asdict(),
                "added microseconds": one.added(entry.name, entry.group.baseline)._asdict(),
                "added microseconds in quiet": one.added_in_quiet(entry.name, entry.group.baseline),
                "seconds by round": list(one.seconds[entry.name]),
            }
            for entry in self.entries
            if entry.name in one.seconds
        }


def load() -> float | None:
    """How many processes wanted a core in the last minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def surroundings(database: Mapping[str, str], load_before: float | None) -> Mapping[str, str]:
    """The machine in general words, and the versions."""
    cores = os.cpu_count() or 1
    busy = "unknown" if load_before is None else f"{load_before:.1f}"
    if load_before is not None and load_before > cores / 2:
        busy += ": other things ran too, so trust ratios more than microseconds"
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{cores} cores, {platform.machine()}, {sys.platform}",
        "load before it began": busy,
        "dataflow-core": version("dataflow-core"),
        **database,
    }
