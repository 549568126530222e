"""Connections of the standard library's ``sqlite3``, which only this module opens."""

import sqlite3
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from urllib.parse import quote

from dataflow.abc import BatchInsert, BatchUpdate, Cursor, RawResult, Rows
from dataflow.errors import ConnectionLost, ScopeLost
from dataflow.execution.in_process import InProcessConnection
from dataflow.execution.workers import Workers
from dataflow.sqlite.bulk.multi_values import insert_rows
from dataflow.sqlite.bulk.update_from_values import update_rows
from dataflow.sqlite.bulk.upsert import UPDATING, upsert_rows
from dataflow.sqlite.errors import translate
from dataflow.sqlite.functions import register
from dataflow.sqlite.options import SQLiteOptions

__all__ = ["SQLiteConnection"]

STATEMENTS_KEPT = 128


class SQLiteConnection(InProcessConnection):
    """One connection to a file, or a database in memory.

    :param workers: the threads that serve event loops.
    """

    def __init__(self, options: SQLiteOptions, workers: Workers) -> None:
        super().__init__(workers)
        self._options = options
        self._raw: sqlite3.Connection | None = None
        self._updates = count(1)

    @property
    def in_transaction(self) -> bool:
        return self._raw is not None and self._raw.in_transaction

    @property
    def usable(self) -> bool:
        return self._raw is not None and not self._raw.in_transaction

    async def open(self) -> None:
        try:
            self._raw = _connect(self._options)
            self._raw.create_function(UPDATING, 0, self._updates.__next__)
        except sqlite3.Error as error:
            raise translate(error) from error
        weakref.finalize(self, self._raw.close).atexit = False

    async def fetch(self, sql: str, parameters: Sequence[object]) -> Rows:
        raw = self._ready()
        try:
            return raw.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise translate(error) from error

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        raw = self._ready()
        try:
            return raw.execute(sql, parameters).rowcount
        except sqlite3.Error as error:
            raise translate(error) from error

    async def rollback(self) -> None:
        raw = self._raw
        # Whoever was cancelled may still interrupt what ran before, and must not meet this instead.
        while raw is not None and raw.in_transaction:
            try:
                raw.execute("ROLLBACK")
            except sqlite3.Error as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise translate(error) from error

    async def run(self, sql: str, parameters: Sequence[object]) -> RawResult:
        raw = self._ready()
        try:
            cursor = raw.execute(sql, parameters)
            rows = cursor.fetchall()
        except sqlite3.Error as error:
            raise translate(error) from error
        columns = tuple(column[0] for column in cursor.description or ())
        return RawResult(columns, rows, max(cursor.rowcount, 0))

    async def open_cursor(self, sql: str, parameters: Sequence[object]) -> Cursor:
        raw = self._ready()
        try:
            return SQLiteCursor(self, raw.execute(sql, parameters))
        except sqlite3.Error as error:
            raise translate(error) from error

    async def insert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> Rows | int:
        raw = self._ready()
        try:
            return insert_rows(raw, batch, rows)
        except sqlite3.Error as error:
            raise translate(error) from error

    async def upsert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> tuple[int, int]:
        raw = self._ready()
        try:
            return upsert_rows(raw, self._updates, batch, rows)
        except sqlite3.Error as error:
            raise translate(error) from error

    async def update(
        self, batch: BatchUpdate, shared: Sequence[object], rows: Sequence[Sequence[object]]
    ) -> int:
        raw = self._ready()
        try:
            return update_rows(raw, batch, shared, rows)
        except sqlite3.Error as error:
            raise translate(error) from error

    def interrupt(self) -> None:
        if self._raw is not None:
            self._raw.interrupt()

    def abandon(self) -> None:
        raw, self._raw = self._raw, None
        if raw is not None:
            _settle(raw)
            raw.close()
        self.leave()

    def _ready(self) -> sqlite3.Connection:
        if self._raw is None:
            raise ConnectionLost("the connection is closed")
        if self._stopping:
            raise ScopeLost("the task that runs this was cancelled")
        return self._raw


class SQLiteCursor:
    """A statement of a connection that is stepped as rows are asked for."""

    def __init__(self, connection: SQLiteConnection, raw: sqlite3.Cursor) -> None:
        self._connection = connection
        self._raw = raw

    async def fetch(self, count: int) -> Rows:
        self._connection._ready()
        try:
            return self._raw.fetchmany(count)
        except sqlite3.Error as error:
            raise translate(error) from error

    async def close(self) -> None:
        self._raw.close()


def _settle(raw: sqlite3.Connection) -> None:
    """An interrupt that met no statement would stop the next one: the checkpoint at the end."""
    with suppress(sqlite3.Error):
        raw.execute("SELECT 1").fetchone()


def _connect(options: SQLiteOptions) -> sqlite3.Connection:
    raw = sqlite3.connect(
        # An absolute path needs an empty authority before it, as it may begin with two slashes itself.
        f"file:{'//' if options.path.startswith('/') else ''}{quote(options.path)}?mode={options.mode}",
        uri=True,
        timeout=options.timeout,
        isolation_level=None,
        # The pool lends a connection to one thread at a time.
        check_same_thread=False,
        cached_statements=STATEMENTS_KEPT,
    )
    try:
        register(raw)
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute(f"PRAGMA synchronous = {options.synchronous}")
        if options.wal:
            _write_ahead(raw, options.timeout)
        else:
            # Reads the header, so that a file which is no database is noticed here.
            raw.execute("PRAGMA schema_version")
    except BaseException:
        raw.close()
        raise
    return raw


def _write_ahead(raw: sqlite3.Connection, timeout: float) -> None:
    """Turn on write-ahead logging, which SQLite does not wait for by itself when others open the file too."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            raw.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            primary = error.sqlite_errorcode & 0xFF
            if primary == sqlite3.SQLITE_READONLY:
                return
            if primary != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
