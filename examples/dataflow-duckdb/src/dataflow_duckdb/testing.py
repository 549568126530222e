"""Databases for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from dataflow.testing import Provision, Server, Session

__all__ = ["DuckDBFile", "DuckDBMemory"]


@dataclass(frozen=True)
class DuckDBFile(Provision):
    """Databases in files, a new one for each test."""

    name = "duckdb"

    def start(self, session: Session) -> Server:
        return _Files(session.folder)


@dataclass(frozen=True)
class DuckDBMemory(Provision):
    """Databases in memory."""

    name = "duckdb-memory"

    def start(self, session: Session) -> Server:
        return _Memory()


class _Files(Server):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    @contextmanager
    def database(self) -> Iterator[str]:
        name = f"{next(self._numbers)}.db"
        try:
            yield f"duckdb:///{self._folder}/{name}"
        finally:
            for file in self._folder.glob(f"{name}*"):
                file.unlink()


class _Memory(Server):
    @contextmanager
    def database(self) -> Iterator[str]:
        yield "duckdb:///:memory:"
