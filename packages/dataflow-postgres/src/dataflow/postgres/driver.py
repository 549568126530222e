"""Connections of asyncpg, which only this module opens."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, TypeVar

import asyncpg

from dataflow.abc import BatchInsert, BatchUpdate, Cursor, RawResult, Rows
from dataflow.errors import ConnectionLost, DatabaseError, ScopeLost, ServerFull
from dataflow.execution.transports import drop
from dataflow.postgres.bulk import copy
from dataflow.postgres.bulk.multi_values import insert_rows
from dataflow.postgres.bulk.target import Target, target_of
from dataflow.postgres.bulk.through_table import FEWEST_ROWS, MAY_MAKE_TABLES, insert_through_table
from dataflow.postgres.bulk.update_from_arrays import update_rows
from dataflow.postgres.bulk.upsert import upsert_rows
from dataflow.postgres.ddl import qualified
from dataflow.postgres.deferred import BEGIN, DEFERRED, bind_after, query_after
from dataflow.postgres.errors import DRIVER_ERRORS, UNREADABLE, translate, unreachable
from dataflow.postgres.options import PostgresOptions
from dataflow.postgres.unfinished import end_unfinished

__all__ = ["PostgresConnection"]

T = TypeVar("T")
STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
PATIENCE_AT_THE_END = 2.0
A_MOMENT = 1.0  # seconds in which a connection that is dead shows it
SHORTEST = 0.001  # seconds that are left for a statement at least, so that it ends as one that took too long
COMMITS = ("COMMIT", "PREPARE TRANSACTION ")
"""What the server takes for a ROLLBACK, without an error, where a statement has failed before."""


class PostgresConnection:
    """One connection to a server; it belongs to the event loop that opened it.

    :param is_asked: whether it is asked about its server, of which another one behind the same address may know
        nothing; then a transaction begins at once, and on no other server than that.
    """

    def __init__(self, options: PostgresOptions, *, is_asked: bool = False) -> None:
        self._options = options
        self._raw: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._makes_tables: bool | None = None
        self._avoids_tables = False
        """Whether the transaction may be prepared, which one with temporary tables cannot."""
        # The driver does not wait for the server's leave to send rows. PgBouncer 1.26 takes that for a COPY without
        # an end, and lends the session to nobody else any more.
        self._copies = options.statement_cache > 0
        self._copied: dict[str, bool] = {}
        """Whether COPY fills a table, by the head of the INSERT, for as long as nobody can have changed it."""
        self._targets: dict[str, Target] = {}
        self._is_dying = False
        """Whether the server has said that it is the end, and the end is about to come."""
        self._unsettled = False
        """Whether a statement was cut off, so that nobody knows in what transaction the server is."""
        # Without a cache no statement has a name, as one must that others travel with.
        self._defers = options.timeout is None and options.statement_cache > 0
        self._is_asked = is_asked
        self._is_over = False
        """Whether whoever had it has closed it."""
        self._deferred: list[str] = []
        """What is said together with the next statement."""
        self._begins = False
        """Whether a transaction has been said to begin, and the server has not answered."""

    @property
    def in_transaction(self) -> bool:
        if self._deferred and self._deferred[0] == BEGIN:
            return True
        protocol = None if self._raw is None else self._raw._protocol
        if protocol is None or not protocol.is_connected():
            return False
        return self._begins or protocol.is_in_transaction()

    @property
    def usable(self) -> bool:
        raw = self._raw
        return raw is not None and not (
            self._unsettled
            or self._is_dying
            or self._deferred
            or raw._transport.is_closing()
            or raw._protocol.is_in_transaction()
        )

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._options.check_files()
        try:
            self._raw = await asyncpg.connect(**self._options.arguments())
        except BaseException as error:
            end_unfinished(error)
            if isinstance(error, DRIVER_ERRORS):
                raise unreachable(error) from error
            raise

    async def fetch(self, sql: str, parameters: Sequence[object]) -> Rows:
        raw = self._raw
        protocol: Any = None if raw is None else raw._protocol
        if not self._deferred and (protocol is None or not protocol.is_connected()):
            raise closed()
        rows: Rows
        try:
            if self._options.timeout is not None:
                rows = await raw.fetch(sql, *parameters)  # within one time for all that is said
            elif self._deferred:
                rows = await self._together(partial(bind_after, sql=sql, parameters=parameters, told=False))
            else:
                # The same, but for four layers in between, which a short statement feels.
                statement = await raw._get_statement(sql, None)
                rows = await protocol.bind_execute(statement, parameters, "", 0, False, None)
        except BaseException as error:
            rows = await self._made_anew(raw, error, partial(raw.fetch, sql, *parameters))
        self._begins = False
        return rows

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        raw = self._raw
        protocol: Any = None if raw is None else raw._protocol
        if not self._deferred and (protocol is None or not protocol.is_connected()):
            raise closed()
        self._copied.clear()  # transactions begin and end, and tables are changed, by statements that come this way
        if self._defers and self._is_deferred(sql):
            return 0
        try:
            if self._options.timeout is not None:
                status = await raw.execute(sql, *parameters)
            elif self._deferred and parameters:
                say = partial(bind_after, sql=sql, parameters=parameters, told=True)
                status = (await self._together(say))[1].decode()
            elif self._deferred:
                status = await self._together(partial(query_after, sql=sql))
            elif not parameters:
                status = await protocol.query(sql, None)
            else:
                statement = await raw._get_statement(sql, None)
                _, told, _ = await protocol.bind_execute(statement, parameters, "", 0, True, None)
                status = told.decode()
        except BaseException as error:
            status = await self._made_anew(raw, error, partial(raw.execute, sql, *parameters))
        self._begins = False
        if self._avoids_tables and not self.in_transaction:
            self._avoids_tables = False
        if status == "ROLLBACK" and sql.startswith(COMMITS):
            raise ScopeLost("a statement of the transaction has failed before; nothing of it was kept")
        return affected(status)

    async def rollback(self) -> None:
        self._deferred.clear()
        self._begins = False
        raw = self._raw
        if raw is None or raw.is_closed() or not (self._unsettled or raw.is_in_transaction()):
            self._avoids_tables = False
            return
        # In a task of its own, which no cancellation reaches.
        work = asyncio.ensure_future(raw.execute("ROLLBACK", timeout=PATIENCE_AT_THE_END))
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancelled = error
        failure = work.exception()
        if failure is None:
            self._unsettled = self._avoids_tables = False
        else:
            raw.terminate()
            raise translate(failure) from failure
        if cancelled is not None:
            raise cancelled

    def avoid_tables(self) -> None:
        """Make no temporary tables until the transaction ends that is about to begin, on this very session."""
        self._avoids_tables = True

    async def run(self, sql: str, parameters: Sequence[object]) -> RawResult:
        raw = await self._caught_up()
        self._copied.clear()
        limit, began = self._options.timeout, perf_counter()
        try:
            statement = await raw.prepare(sql)
            # Within one time for all that is said; none at all would be the whole of it once more.
            left = None if limit is None else max(limit - (perf_counter() - began), SHORTEST)
            rows = await statement.fetch(*parameters, timeout=left)
            columns = tuple(attribute.name for attribute in statement.get_attributes())
            return RawResult(columns, rows, affected(statement.get_statusmsg()))
        except BaseException as error:
            raise await self._told(error) from error

    async def open_cursor(self, sql: str, parameters: Sequence[object]) -> Cursor:
        raw = await self._caught_up()
        try:
            return PostgresCursor(self, await raw.cursor(sql, *parameters))
        except BaseException as error:
            raise await self._told(error) from error

    async def insert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> Rows | int:
        raw = await self._caught_up()
        try:
            if len(rows) >= copy.FEWEST_ROWS and not batch.returning and await self._takes_copy(raw, batch):
                await copy.copy_rows(raw, batch.table, batch.fields, rows, schema=batch.schema or None)
                return len(rows)
            through_table = await self._goes_through_table(raw, batch, rows)
            insert = insert_through_table if through_table else insert_rows
            returned = await insert(
                raw, await self._target(raw, qualified(batch.schema, batch.table)), batch, rows
            )
            return returned if batch.returning else len(rows)
        except BaseException as error:
            self._targets.clear()  # the table may have been changed
            raise await self._told(error) from error

    async def upsert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> tuple[int, int]:
        raw = await self._caught_up()
        try:
            through_table = await self._goes_through_table(raw, batch, rows)
            target = await self._target(raw, qualified(batch.schema, batch.table))
            return await upsert_rows(raw, target, batch, rows, through_table=through_table)
        except BaseException as error:
            self._targets.clear()
            raise await self._told(error) from error

    async def update(
        self, batch: BatchUpdate, shared: Sequence[object], rows: Sequence[Sequence[object]]
    ) -> int:
        raw = await self._caught_up()
        try:
            target = await self._target(raw, qualified(batch.schema, batch.table))
            return await update_rows(raw, target, batch, shared, rows)
        except BaseException as error:
            self._targets.clear()
            raise await self._told(error) from error

    async def offload(self, work: Coroutine[Any, Any, T]) -> T:
        return await work

    def interrupt(self) -> None:
        self._on_loop()

    async def close(self) -> None:
        self._end()
        raw, self._raw = self._raw, None
        if raw is None:
            return
        if self._unsettled:
            raw.terminate()
            return
        transport = raw._transport
        with suppress(Exception):
            await raw.close(timeout=PATIENCE_AT_THE_END)
        if transport is not None:
            # The end of TLS would be negotiated, for longer than the event loop may live.
            transport.abort()

    def abandon(self) -> None:
        self._end()
        self._on_loop()
        self._raw = None

    def _end(self) -> None:
        self._is_over = True
        self._begins = False
        self._deferred.clear()

    def _on_loop(self) -> None:
        """Terminate the connection from wherever this is."""
        raw, loop = self._raw, self._loop
        if raw is None or loop is None or raw.is_closed():
            return
        if not loop.is_running():
            drop(raw._transport)
        elif asyncio._get_running_loop() is not loop:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(raw.terminate)
        else:
            raw.terminate()

    async def _takes_copy(self, raw: Any, batch: BatchInsert) -> bool:
        """Whether COPY stores the very rows that an INSERT would; each transaction finds out once for a table."""
        if not batch.fields or not self._copies or not raw.is_in_transaction():
            return False
        takes = self._copied.get(batch.head)
        if takes is None:
            table = qualified(batch.schema, batch.table)
            target = await self._target(raw, table)
            takes = target.may_be_held and await copy.takes_copy(raw, table, batch.fields)
            self._copied[batch.head] = takes
        return takes

    async def _target(self, raw: Any, table: str) -> Target:
        """What a table is; a connection asks once, since of what has changed comes no worse than an error."""
        target = self._targets.get(table)
        if target is None:
            target = self._targets[table] = await target_of(raw, table)
        return target

    async def _goes_through_table(
        self, raw: Any, batch: BatchInsert, rows: Sequence[Sequence[object]]
    ) -> bool:
        """Whether rows are worth a temporary table, and may have one; it goes with the transaction."""
        if not batch.fields or len(rows) < FEWEST_ROWS or not raw.is_in_transaction():
            return False
        if self._avoids_tables or not self._copies:
            return False
        if self._makes_tables is None:
            self._makes_tables = await raw.fetchval(MAY_MAKE_TABLES)
        return self._makes_tables is True

    def _is_deferred(self, sql: str) -> bool:
        """Whether a statement of the transaction itself need not be said now, or not at all."""
        begins = sql == BEGIN and not (self._avoids_tables or self._is_asked)
        if begins or (sql.startswith(DEFERRED) and self.in_transaction):
            self._deferred.append(sql)
            return True
        if sql == "COMMIT" and self._deferred[:1] == [BEGIN]:
            self._deferred.clear()  # nothing has happened
            return True
        return False

    async def _together(self, say: Callable[[Any, Sequence[str]], Coroutine[Any, Any, T]]) -> T:
        """Say something together with what was deferred; where a transaction was to begin, perhaps elsewhere.

        Nothing of it can have been committed. But whoever ends a connection whose statement has run for a while means
        that statement, which must not come back.

        :param say: takes the connection, and what comes first.
        """
        deferred = tuple(self._deferred)
        self._deferred.clear()
        began, begins = perf_counter(), deferred[0] == BEGIN
        while True:
            self._begins = begins
            try:
                answer = await say(self._ready(), deferred)
            except Exception as error:  # a cancellation leaves open whether it has begun
                self._begins = False
                if not begins or perf_counter() - began > A_MOMENT or not is_end(error, self._raw):
                    raise
                began = -inf  # once
                try:
                    await self._open_anew()
                except ServerFull:
                    raise error from None  # who waits until it has room is the pool
            else:
                self._begins = False
                return answer

    async def _open_anew(self) -> None:
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.terminate()
        self._copied.clear()
        self._targets.clear()
        self._makes_tables = None
        self._is_dying = self._unsettled = False
        if not self._is_over:
            await self.open()
        if self._is_over:
            self.abandon()
            raise closed()

    async def _caught_up(self) -> Any:
        """The connection, once what was deferred has been said."""
        if self._deferred:
            try:
                await self._together(partial(query_after, sql=""))
            except BaseException as error:
                raise await self._told(error) from error
        return self._ready()

    def _ready(self) -> Any:
        raw = self._raw
        if raw is None or raw.is_closed():
            raise closed()
        return raw

    async def _made_anew(
        self, raw: Any, error: BaseException, make: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """Make a statement again that has failed because its table was changed since it was prepared.

        :raises DatabaseError: where that is not why, or its transaction is lost with it.
        """
        if isinstance(error, STALE) and not raw.is_closed():
            await raw.reload_schema_state()
            if isinstance(error, asyncpg.InvalidCachedStatementError) and not raw.is_in_transaction():
                try:
                    return await make()
                except BaseException as latest:
                    error = latest
        raise await self._told(error) from error

    async def _told(self, error: BaseException) -> BaseException:
        """The error of the tree for what ended a statement; by then one that was cut off has ended on the server."""
        if isinstance(error, DatabaseError):
            return error
        if isinstance(error, UNREADABLE):
            return translate(error)
        if not isinstance(error, DRIVER_ERRORS) or isinstance(error, TimeoutError):
            self._unsettled = True
        is_cut_off = isinstance(error, asyncio.CancelledError | TimeoutError)
        if is_cut_off and not self.in_transaction:  # else whoever began the transaction rolls it back
            with suppress(DatabaseError):
                await self.rollback()
        if not isinstance(error, DRIVER_ERRORS):
            return error
        translated = translate(error)
        if isinstance(error, asyncpg.InternalClientError) and isinstance(translated, ConnectionLost):
            # The driver has begun to wait for an answer of which only the end of the connection makes an end.
            self._is_dying = True
        elif isinstance(translated, ConnectionLost) and self._raw is not None:
            # What the driver hears of it in a moment must be known before the connection is lent again.
            self._raw.terminate()
        return translated


class PostgresCursor:
    """A portal of the server, from which rows are fetched as they are asked for."""

    def __init__(self, connection: PostgresConnection, raw: Any) -> None:
        self._connection = connection
        self._raw = raw

    async def fetch(self, count: int) -> Rows:
        # What fails here must not take the savepoint with it that was to come first.
        await self._connection._caught_up()
        try:
            rows: Rows = await self._raw.fetch(count)
            return rows
        except BaseException as error:
            raise await self._connection._told(error) from error

    async def close(self) -> None:
        raw, self._raw = self._raw, None
        connection = self._connection
        if raw is None or not connection.in_transaction:
            return  # the end of the transaction has closed it
        try:
            await raw._close_portal(None)
        except BaseException as error:
            raise await connection._told(error) from error


def is_end(error: Exception, raw: Any) -> bool:
    """Whether an error of the driver, or of ours, is the end of a connection, and not of one that its server has."""
    told = translate(error) if isinstance(error, DRIVER_ERRORS) else error
    if not isinstance(told, ConnectionLost):
        return False
    is_elsewhere = str(getattr(error, "sqlstate", "")).startswith("08")
    return not is_elsewhere or raw is None or raw.is_closed() or raw._transport.is_closing()


def closed() -> ConnectionLost:
    """The error of a connection on which nothing can be begun."""
    lost = ConnectionLost("the connection is closed")
    lost.may_have_run = False
    return lost


def affected(status: str) -> int:
    """How many rows a statement touched, by what the server says at its end: ``"INSERT 0 5"``."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0
