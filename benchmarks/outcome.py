"""All that a run of the benchmark found out."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from benchmarks.entries import Entry
from benchmarks.footprint import Footprint
from benchmarks.goals import Goal
from benchmarks.measure import Measured
from benchmarks.startup import Startup

__all__ = ["Outcome", "load", "surroundings"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of a run; what was not asked for is empty."""

    surroundings: Mapping[str, str]
    entries: Sequence[Entry]
    measured: Sequence[Measured]
    startup: Startup | None
    footprints: Sequence[Footprint]
    layers: Mapping[str, Mapping[str, float]]
    goals: Sequence[Goal]
    left_out: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Everything, with the time of every batch, so that others can do other statistics."""
        return {
            "surroundings": dict(self.surroundings),
            "workloads": {one.workload.name: self._workload(one) for one in self.measured},
            "startup": None if self.startup is None else asdict(self.startup),
            "footprints": {one.title: asdict(one) for one in self.footprints},
            "layers": {workload: dict(shares) for workload, shares in self.layers.items()},
            "goals": [
                {
                    "goal": goal.text,
                    "about": goal.about,
                    "measured": goal.measured._asdict(),
                    "unit": goal.unit,
                    "limit": goal.limit,
                    "met": goal.met,
                    "remark": goal.remark.strip("; "),
                }
                for goal in self.goals
            ],
            "left out": list(self.left_out),
        }

    def _workload(self, one: Measured) -> dict[str, Any]:
        found = {}
        for entry in self.entries:
            baseline = one.baseline(entry.group)
            if entry.name in one.seconds and baseline is not None:
                found[entry.name] = {
                    "title": entry.title,
                    "group": entry.group.title,
                    "baseline": baseline,
                    "microseconds": one.microseconds(entry.name)._asdict(),
                    "ratio": one.ratio(entry.name, baseline)._asdict(),
                    "added microseconds": one.added(entry.name, baseline)._asdict(),
                    "added microseconds in quiet": one.added_in_quiet(entry.name, baseline),
                    "seconds by round": list(one.seconds[entry.name]),
                    "of the processor": list(one.processor.get(entry.name, ())),
                }
        return found


def load() -> float | None:
    """How many processes wanted a core in the last minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def surroundings(
    package: str, described: Mapping[str, str], entries: Sequence[Entry], load_before: float | None
) -> Mapping[str, str]:
    """The machine in general words, and the versions."""
    cores = os.cpu_count() or 1
    busy = "unknown" if load_before is None else f"{load_before:.1f}"
    if load_before is not None and load_before > cores / 2:
        busy += ": other things ran too, so trust ratios more than microseconds"
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{cores} cores, {platform.machine()}, {sys.platform}",
        "load before it began": busy,
        **{name: version(name) for name in ("dataflow-core", package, *_needed(entries))},
        **described,
    }


def _needed(entries: Sequence[Entry]) -> Sequence[str]:
    return list(dict.fromkeys(package.name for entry in entries for package in entry.needs))
