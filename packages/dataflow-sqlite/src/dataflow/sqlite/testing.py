"""Databases for tests: in memory, and in files. It imports no driver."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from dataflow.testing.provision import Provision, Server, Session

__all__ = ["SQLiteFile", "SQLiteMemory"]


@dataclass(frozen=True)
class SQLiteMemory(Provision):
    """Databases in memory: each is gone with its connection."""

    name = "sqlite-memory"

    def start(self, session: Session) -> Server:
        return _Memory()


@dataclass(frozen=True)
class SQLiteFile(Provision):
    """Databases in files.

    :param synchronous: as in the URL; ``off`` is quicker and still loses nothing where only a process dies.
    """

    name = "sqlite-file"
    synchronous: str = "full"

    def start(self, session: Session) -> Server:
        return _Files(session.folder, self.synchronous)


class _Memory(Server):
    @contextmanager
    def database(self) -> Iterator[str]:
        yield "sqlite:///:memory:"


class _Files(Server):
    def __init__(self, folder: Path, synchronous: str) -> None:
        self._folder = folder
        self._synchronous = synchronous
        self._numbers = count(1)

    @contextmanager
    def database(self) -> Iterator[str]:
        name = f"{next(self._numbers)}.db"
        try:
            yield f"sqlite:///{self._folder}/{name}?synchronous={self._synchronous}"
        finally:
            for file in self._folder.glob(f"{name}*"):
                file.unlink()
