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
from dataflow.postgres.bulk.ways import Ways
from dataflow.postgres.cursor import PostgresCursor
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
        self._ways = Ways(copies=options.statement_cache > 0)
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
        # Transactions begin and end, and tables are changed, by statements that come this way.
        self._ways.copied.clear()
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
        if self._ways.avoids_tables and not self.in_transaction:
            self._ways.avoids_tables = False
        if status == "ROLLBACK" and sql.startswith(COMMITS):
            raise ScopeLost("a statement of the transaction has failed before; nothing of it was kept")
        return affected(status)

    async def rollback(self) -> None:
        self._deferred.clear()
        self._begins = False
        raw = self._raw
        if raw is None or raw.is_closed() or not (self._unsettled or raw.is_in_transaction()):
            self._ways.avoids_tables = False
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
            self._unsettled = self._ways.avoids_tables = False
        else:
            raw.terminate()
            raise translate(failure) from failure
        if cancelled is not None:
            raise cancelled

    def avoid_tables(self) -> None:
        """Make no temporary tables until the transaction ends that is about to begin, on this very session."""
        self._ways.avoids_tables = True

    async def run(self, sql: str, parameters: Sequence[object]) -> RawResult:
        raw = await self.caught_up()
        self._ways.copied.clear()
        limit, began = self._options.timeout, perf_counter()
        try:
            statement = await raw.prepare(sql)
            # Within one time for all that is said; none at all would be the whole of it once more.
            left = None if limit is None else max(limit - (perf_counter() - began), SHORTEST)
            rows = await statement.fetch(*parameters, timeout=left)
            columns = tuple(attribute.name for attribute in statement.get_attributes())
            return RawResult(columns, rows, affected(statement.get_statusmsg()))
        except BaseException as error:
            raise await self.told(error) from error

    async def open_cursor(self, sql: str, parameters: Sequence[object]) -> Cursor:
        raw = await self.caught_up()
        try:
            return PostgresCursor(self, await raw.cursor(sql, *parameters))
        except BaseException as error:
            raise await self.told(error) from error

    async def insert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> Rows | int:
        return await self._in_bulk(self._ways.insert, batch, rows)

    async def upsert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> tuple[int, int]:
        return await self._in_bulk(self._ways.upsert, batch, rows)

    async def update(
        self, batch: BatchUpdate, shared: Sequence[object], rows: Sequence[Sequence[object]]
    ) -> int:
        return await self._in_bulk(self._ways.update, batch, shared, rows)

    async def _in_bulk(self, write: Callable[..., Coroutine[Any, Any, T]], *given: object) -> T:
        raw = await self.caught_up()
        try:
            return await write(raw, *given)
        except BaseException as error:
            self._ways.forget()  # the table may have been changed
            raise await self.told(error) from error

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

    def _is_deferred(self, sql: str) -> bool:
        """Whether a statement of the transaction itself need not be said now, or not at all."""
        begins = sql == BEGIN and not (self._ways.avoids_tables or self._is_asked)
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
        self._ways.forget()
        self._is_dying = self._unsettled = False
        if not self._is_over:
            await self.open()
        if self._is_over:
            self.abandon()
            raise closed()

    async def caught_up(self) -> Any:
        """The connection, once what was deferred has been said."""
        if self._deferred:
            try:
                await self._together(partial(query_after, sql=""))
            except BaseException as error:
                raise await self.told(error) from error
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
        raise await self.told(error) from error

    async def told(self, error: BaseException) -> BaseException:
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
