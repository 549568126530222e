"""Who may take part, and on which database; the lists themselves stand in :mod:`benchmarks.lineup`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import NamedTuple

from benchmarks.workloads import Workload

__all__ = ["Aim", "Database", "Entry", "Group", "Near", "Package"]


class Package(NamedTuple):
    """What must be installed: its name on PyPI, and what is imported of it."""

    name: str
    module: str

    @property
    def is_installed(self) -> bool:
        return find_spec(self.module) is not None


@dataclass(frozen=True, slots=True)
class Group:
    """Contestants that serve the same kind of program.

    :param baseline: the name of the one by which the others are divided: the bare driver.
    :param bulk_baselines: the names of the ways to use the bare driver in bulk; the others are divided by the fastest.
    :param on_loop: whether they work on an event loop, and so can be given many tasks at once.
    """

    title: str
    baseline: str
    bulk_baselines: tuple[str, ...]
    on_loop: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A contestant that may take part.

    :param made_by: ``module:class``, imported when it takes part, so that nobody must have installed it otherwise.
    :param needs: what must be installed for it; empty for what is always there.
    :param decodes: whether bools, times and JSON come out as Python has them.
    :param share: of the rows in bulk; who goes row by row is given less, and its time is multiplied.
    """

    name: str
    title: str
    group: Group
    made_by: str
    needs: tuple[Package, ...] = ()
    is_rival: bool = False
    decodes: bool = True
    share: float = 1.0

    def is_installed(self) -> bool:
        return all(package.is_installed for package in self.needs)


@dataclass(frozen=True, slots=True)
class Near:
    """How near to the bare driver DataFlow wants to be.

    :param text: the goal, in words.
    :param single: how many times as long as the driver at most; ``bulk`` the same in bulk.
    :param special: other limits, by operation.
    """

    text: str
    single: float
    bulk: float
    special: Mapping[str, float] = field(default_factory=dict)

    def limit(self, workload: Workload) -> float:
        return self.special.get(workload.operation, self.bulk if workload.bulk else self.single)


@dataclass(frozen=True, slots=True)
class Aim:
    """What DataFlow aims at with one of its contestants.

    :param ahead: the goal to be ahead of rivals, in words.
    :param rivals: the groups whose rivals are meant.
    """

    contestant: str
    ahead: str
    rivals: tuple[Group, ...]
    near: Near | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """A database.

    :param stores: ``module:class`` of what makes the stores.
    :param package: our distribution for it.
    :param aims: what DataFlow wants to reach on it.
    :param profiled: the name of the contestant of whose work is told where the time goes.
    :param extras: what else than workloads can be measured on it.
    """

    stores: str
    package: str
    profiled: str
    entries: Sequence[Entry]
    aims: Sequence[Aim]
    extras: frozenset[str] = frozenset()
