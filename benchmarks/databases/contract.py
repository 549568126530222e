"""What a database is for the benchmark: something that makes a store for each contestant."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.workloads import Store

__all__ = ["ClosableStore", "StoreOptions", "Stores"]


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What the user says of the database.

    :param synchronous: SQLite's setting, for every contestant.
    :param url: of a server that is there already; without it, one is started where a server is needed.
    """

    synchronous: str = "normal"
    url: str | None = None


class ClosableStore(Store, Protocol):
    """The store of one contestant.

    :param database: the name of the database, as the benchmark calls it.
    :param url: for DataFlow.
    """

    database: str
    url: str

    def close(self) -> None:
        """Let go of the database."""


class Stores(AbstractContextManager["Stores"], Protocol):
    """Made with a folder and :class:`StoreOptions`; what it made is gone when it ends."""

    def new(self, name: str) -> Callable[[], ClosableStore]:
        """What makes a store of its own for a contestant, in the process of that contestant."""
        ...

    def describe(self) -> Mapping[str, str]:
        """Version and settings, by name."""
        ...
