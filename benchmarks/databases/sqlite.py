"""SQLite: a file for each contestant, all of them copies of one that DataFlow made and filled."""

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.subject import SEEDED, define, rows
from dataflow import DataFlow

__all__ = ["SQLiteStore", "SQLiteStores"]


class SQLiteStore:
    """The file of one contestant, and a connection beside it that puts it back in order."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self.path = path
        self.synchronous = synchronous
        self.url = f"sqlite:///{path.as_posix()}?synchronous={synchronous}"
        self._raw = sqlite3.connect(path, isolation_level=None)
        self._raw.execute("PRAGMA synchronous = off")

    def spare(self, count: int) -> Sequence[int]:
        copied = (
            "INSERT INTO accounts (name, email, age, balance, active, meta, created_at, updated_at) "
            "SELECT name, 'spare-' || email, age, balance, active, meta, created_at, updated_at "
            "FROM accounts WHERE id <= ? RETURNING id"
        )
        return [id for (id,) in self._raw.execute(copied, (count,)).fetchall()]

    def restore(self) -> None:
        self._raw.execute("DELETE FROM accounts WHERE id > ?", (SEEDED,))

    def close(self) -> None:
        self._raw.close()


class SQLiteStores:
    """Makes the stores, in a folder.

    :param synchronous: SQLite's setting, for every contestant.
    """

    def __init__(self, folder: Path, synchronous: str) -> None:
        self._folder = folder
        self._synchronous = synchronous
        self._original = folder / "original.db"
        with DataFlow(f"sqlite:///{self._original.as_posix()}") as db:
            define(db)
            db.run_sync(db.nodes.AccountBulkCreateNode(data=rows(1, SEEDED)))

    def new(self, name: str) -> SQLiteStore:
        path = self._folder / f"{name}.db"
        shutil.copyfile(self._original, path)
        return SQLiteStore(path, self._synchronous)

    def describe(self) -> Mapping[str, str]:
        return {
            "database": f"SQLite {sqlite3.sqlite_version}, a file",
            "settings": f"WAL, synchronous={self._synchronous}, foreign_keys=on",
        }
