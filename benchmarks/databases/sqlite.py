"""SQLite: a file for each contestant, all of them copies of one that DataFlow made and filled."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any, Self

from benchmarks.databases.contract import StoreOptions
from benchmarks.subject import SEEDED

__all__ = ["SQLiteStore", "SQLiteStores"]

# The rows of benchmarks.subject.row, made by SQLite, which is much faster.
FILLED = """
WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + :step FROM numbers LIMIT :count)
INSERT INTO accounts (name, email, age, balance, active, meta, created_at, updated_at)
SELECT 'Name ' || n, 'person' || n || '@example.org', 18 + n % 60, n * 0.25, n % 3 > 0,
  '{"plan":"basic","visits":' || (n % 100) || '}', '2026-01-01 00:00:00.000001', '2026-01-01 00:00:00.000001'
FROM numbers
"""


class SQLiteStore:
    """The file of one contestant, and a connection beside it that puts it back in order."""

    database = "sqlite"

    def __init__(self, path: Path, synchronous: str) -> None:
        self.path = path
        self.synchronous = synchronous
        self.url = f"sqlite:///{path.as_posix()}?synchronous={synchronous}"
        self._raw = sqlite3.connect(path, isolation_level=None)
        self._raw.execute("PRAGMA synchronous = off")

    def fill(self, count: int, step: int = 1) -> Sequence[int]:
        (last,) = self._raw.execute("SELECT max(id) FROM accounts").fetchone()
        self._raw.execute(FILLED, {"first": SEEDED + 1, "step": step, "count": count})
        self._settle()
        return range(last + 1, last + 1 + count)

    def restore(self) -> None:
        self._raw.execute("DELETE FROM accounts WHERE id > ?", (SEEDED,))
        self._raw.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'accounts'", (SEEDED,))
        self._settle()

    def content(self) -> Set[tuple[Any, ...]]:
        text = "SELECT name, email, age, balance, active, json(meta) FROM accounts"
        return set(self._raw.execute(text))

    def close(self) -> None:
        self._raw.close()

    def _settle(self) -> None:
        """Move what was written from the log to the file, so that nobody does so during a batch."""
        self._raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class SQLiteStores:
    """Makes the stores, in a folder."""

    def __init__(self, folder: Path, options: StoreOptions) -> None:
        # Only who makes the first file needs DataFlow; a rival's process does without it.
        from benchmarks.contestants.dataflow import make

        self._folder = folder
        self._synchronous = options.synchronous
        self._original = folder / "original.db"
        make(f"sqlite:///{self._original.as_posix()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """The folder belongs to whoever made it."""

    def new(self, name: str) -> Callable[[], SQLiteStore]:
        path = self._folder / f"{name}.db"
        shutil.copyfile(self._original, path)
        return partial(SQLiteStore, path, self._synchronous)

    def describe(self) -> Mapping[str, str]:
        return {
            "database": f"SQLite {sqlite3.sqlite_version}, a file",
            "settings": f"WAL, synchronous={self._synchronous}, foreign_keys=on",
        }
