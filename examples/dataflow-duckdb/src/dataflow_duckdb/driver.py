"""Connections: the module that imports the driver, with ``bulk`` and ``errors``."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import duckdb
from dataflow.abc import BatchInsert, BatchUpdate, Cursor, RawResult, Rows
from dataflow.errors import ConnectionLost, DatabaseError, QueryError, ScopeLost
from dataflow.execution.in_process import InProcessConnection
from dataflow.execution.workers import Workers

from dataflow_duckdb.bulk.unnest import insert_rows, update_rows
from dataflow_duckdb.bulk.upsert import upsert_rows
from dataflow_duckdb.errors import translated
from dataflow_duckdb.keys import Keys
from dataflow_duckdb.names import quoted
from dataflow_duckdb.options import DuckDBOptions

__all__ = ["BEGIN", "DuckDBConnection"]

BEGIN = "BEGIN"
ENDS = ("COMMIT", "ROLLBACK")
ROW_ID = "rowid"


class DuckDBConnection(InProcessConnection):
    """One connection to a database.

    :param keys: the unique keys of the models, for errors.
    :param workers: the threads that serve event loops.
    """

    def __init__(self, options: DuckDBOptions, keys: Keys, workers: Workers) -> None:
        super().__init__(workers)
        self._options = options
        self._keys = keys
        self._cursors = count(1)
        self._raw: duckdb.DuckDBPyConnection | None = None
        self._in_transaction = False

    @property
    def in_transaction(self) -> bool:
        return self._in_transaction

    @property
    def usable(self) -> bool:
        return self._raw is not None and not self._in_transaction

    async def open(self) -> None:
        with translated(self._keys):
            self._raw = duckdb.connect(self._options.path, config=dict(self._options.settings))
            self._raw.execute("SET TimeZone = 'UTC'")

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Rows:
        with translated(self._keys, sql):
            return self._ready().execute(sql, parameters).fetchall()

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        raw = self._ready()
        self._in_transaction |= sql == BEGIN
        try:
            with translated(self._keys, sql):
                rows = raw.execute(sql, parameters).fetchall()
        except DatabaseError:
            # Where it was interrupted, a transaction may have begun, or not yet have ended.
            if sql in (BEGIN, *ENDS):
                await self.rollback()
            raise
        self._in_transaction &= sql not in ENDS
        return rows[0][0] if rows else 0

    async def rollback(self) -> None:
        # Whoever was cancelled may still interrupt what ran before, and must not meet this instead.
        while self._in_transaction and self._raw is not None:
            try:
                self._raw.execute("ROLLBACK")
            except duckdb.InterruptException:
                continue
            except duckdb.Error:
                pass  # DuckDB has ended the transaction itself
            self._in_transaction = False

    async def run(self, sql: str, parameters: Sequence[Any]) -> RawResult:
        with translated(self._keys, sql):
            raw = self._ready()
            statement = _only_one(raw.extract_statements(sql))
            raw.execute(statement, parameters)
            columns = tuple(column[0] for column in raw.description or ())
            rows = raw.fetchall()
            if duckdb.ExpectedResultType.QUERY_RESULT in statement.expected_result_type and raw.rowcount < 0:
                return RawResult(columns, rows, 0)
            return RawResult((), [], max(raw.rowcount, 0))

    async def open_cursor(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        # A connection of DuckDB has one result at a time. A temporary table is kept where there is room for it.
        table = f"dataflow_cursor_{next(self._cursors)}"
        with translated(self._keys, sql):
            raw = self._ready()
            raw.execute(f"CREATE TEMP TABLE {table} AS {sql}", parameters)
            _show_row_ids(raw, table)
        return DuckDBCursor(self, table)

    async def insert(self, batch: BatchInsert, rows: Sequence[Sequence[Any]]) -> Rows | int:
        with translated(self._keys, batch.head):
            return insert_rows(self._ready(), batch, rows)

    async def update(self, batch: BatchUpdate, shared: Sequence[Any], rows: Sequence[Sequence[Any]]) -> int:
        with translated(self._keys, batch.head):
            return update_rows(self._ready(), batch, shared, rows)

    async def upsert(self, batch: BatchInsert, rows: Sequence[Sequence[Any]]) -> tuple[int, int]:
        with translated(self._keys, batch.head):
            return upsert_rows(self._ready(), batch, rows)

    def interrupt(self) -> None:
        if self._raw is not None:
            self._raw.interrupt()

    def abandon(self) -> None:
        raw, self._raw = self._raw, None
        self._in_transaction = False
        if raw is not None:
            raw.close()
        self.leave()

    def _ready(self) -> duckdb.DuckDBPyConnection:
        if self._raw is None:
            raise ConnectionLost("the connection is closed")
        if self._stopping:
            raise ScopeLost("the task that runs this was cancelled")
        return self._raw


def _only_one(statements: Sequence[duckdb.Statement]) -> duckdb.Statement:
    if len(statements) != 1:
        raise QueryError(f"one statement at a time; the SQL has {len(statements)}")
    return statements[0]


def _show_row_ids(raw: duckdb.DuckDBPyConnection, table: str) -> None:
    """Give a column that hides the numbers of the rows another name; rows are told by their order."""
    names = [column[0] for column in raw.execute(f"SELECT * FROM {table} LIMIT 0").description or ()]
    if any(name.casefold() == ROW_ID for name in names):
        unused = max(names, key=len) + "_"  # longer than any of them
        raw.execute(f"ALTER TABLE {table} RENAME COLUMN {ROW_ID} TO {quoted(unused)}")


class DuckDBCursor:
    """The rows of a statement, put aside and handed out bit by bit."""

    def __init__(self, connection: DuckDBConnection, table: str) -> None:
        self._connection = connection
        self._table = table
        self._last = -1
        self._is_open = True

    async def fetch(self, count: int) -> Rows:
        rows = await self._connection.fetch(
            f"SELECT {ROW_ID}, * FROM {self._table} WHERE {ROW_ID} > ? ORDER BY {ROW_ID} LIMIT ?",
            (self._last, count),
        )
        if rows:
            self._last = rows[-1][0]
        return [row[1:] for row in rows]

    async def close(self) -> None:
        is_open, self._is_open = self._is_open, False
        if is_open:
            # Where the transaction has failed or was undone, the table is gone with it.
            with suppress(DatabaseError):
                await self._connection.execute(f"DROP TABLE IF EXISTS {self._table}")
