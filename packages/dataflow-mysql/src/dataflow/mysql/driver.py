"""Connections to MySQL and MariaDB servers."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from dataflow.abc import BatchInsert, BatchUpdate, Cursor, RawResult, Rows
from dataflow.errors import (
    ConnectionLost,
    DatabaseError,
    IntegrityError,
    QueryError,
    ScopeLost,
    StatementTimeout,
    ValidationError,
)
from dataflow.execution.crossing import running_loop
from dataflow.execution.transports import drop
from dataflow.mysql.bulk.load_data import Stored, load_rows, takes_load
from dataflow.mysql.bulk.multi_values import insert_rows
from dataflow.mysql.bulk.update_join import update_rows
from dataflow.mysql.bulk.upsert import upsert_rows
from dataflow.mysql.client import Client, asks_for_a_file, client
from dataflow.mysql.cursor import MySQLCursor
from dataflow.mysql.errors import IndexNames, refused, translate
from dataflow.mysql.flavors import read_version
from dataflow.mysql.killing import Place, kill, place_of
from dataflow.mysql.literals import interpolated
from dataflow.mysql.options import MySQLOptions
from dataflow.mysql.results import readable
from dataflow.mysql.session import BEGUN, LOST_MODE, Settings, opening, restored

__all__ = ["MySQLConnection"]

T = TypeVar("T")

BEGINS = ("START TRANSACTION", "SET TRANSACTION ", "XA START ")
DEFERRED = (*BEGINS, "SAVEPOINT ", "RELEASE SAVEPOINT ")
"""What these statements say is sent along with the next one, as nothing but the loss of the connection refuses them."""


class MySQLConnection:
    """One connection to a server.

    :param indexes: the columns of unique indexes, for errors.
    :param greet: is told what was learned of the server.
    """

    def __init__(self, options: MySQLOptions, indexes: IndexNames, greet: Callable[[Settings], None]) -> None:
        self._options = options
        self._indexes = indexes
        self._greet = greet
        self._client: Client = client(options.driver)
        self._raw: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deferred: list[str] = []
        self._begun = False
        self._branch: str | None = None
        """The gid of the transaction, where it is one of XA, until it has ended here."""
        self._cursor: MySQLCursor | None = None
        self._place: Place | None = None
        self.settings: Settings | None = None

    @property
    def in_transaction(self) -> bool:
        return self._begun

    @property
    def usable(self) -> bool:
        raw = self._raw
        if raw is None or self._begun or self._branch or self._deferred or self._cursor is not None:
            return False
        transport = self._client.transport(raw)
        return transport is not None and not transport.is_closing()

    async def open(self) -> None:
        options = self._options
        self._loop = asyncio.get_running_loop()
        raw = self._client.connection(options)
        try:
            async with asyncio.timeout(options.connect_timeout):
                await self._client.open(raw)
                self._raw = raw
                flavor = read_version(raw.server_version)
                (row,) = (await self._client.query(raw, opening(flavor)))[-1].rows
        except BaseException as error:
            self._raw = raw
            self._let_go()
            if isinstance(error, TimeoutError):
                raise ConnectionLost(
                    f"the server did not answer within {options.connect_timeout:g} s (connect_timeout)"
                ) from error
            refusal = refused(error)
            if refusal is not None:
                raise refusal from error
            if isinstance(error, self._client.error | OSError):
                raise translate(error, "", {}) from error
            raise
        increment, case, files, *place = row
        self._place = place_of(raw, flavor.identity, place)
        self.settings = Settings(flavor, increment, case_matters=case == 0, takes_files=files == 1)
        self._greet(self.settings)

    # ------------------------------------------------------------------ statements

    async def fetch(self, sql: str, parameters: Sequence[object]) -> Rows:
        results = await self._checked(interpolated(sql, parameters))
        return results[-1].rows or []

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        if not parameters and sql.startswith(DEFERRED):
            self.ready()
            self._deferred.append(sql)
            self._begun = self._begun or sql.startswith(BEGINS)
            return 0
        if sql == "COMMIT" and self._deferred and self._deferred[0].startswith(BEGINS):
            # There is nothing to commit.
            self._deferred.clear()
            self._begun = False
            return 0
        return (await self._checked(interpolated(sql, parameters)))[-1].affected_rows or 0

    async def run(self, sql: str, parameters: Sequence[object]) -> RawResult:
        results = await self._checked(interpolated(sql, parameters))
        # A procedure that selects has a result without rows after all others.
        result = next((one for one in reversed(results) if one.description is not None), results[-1])
        if result.description is None:
            return RawResult((), [], result.affected_rows or 0)
        columns, rows = readable(result)
        return RawResult(columns, rows, 0)

    async def run_all(self, statements: Sequence[tuple[str, Sequence[object]]]) -> Sequence[RawResult]:
        text = ";".join(interpolated(sql, parameters) for sql, parameters in statements)
        results = (await self._checked(text))[-len(statements) :]
        return [RawResult((), result.rows or [], result.affected_rows or 0) for result in results]

    async def send(self, text: str) -> Any:
        """Run the text of a statement as it is; the driver's result of it."""
        return (await self._checked(text))[-1]

    async def send_all(self, *texts: str) -> Sequence[Any]:
        """Run several, in one round trip; the driver's result of each."""
        return (await self._checked(";".join(texts)))[-len(texts) :]

    async def upload(self, text: str, blocks: Iterator[bytes]) -> Stored:
        """Run the text of a statement that reads rows from a file, and have it read these."""
        raw = self.ready()
        text = await self._after_others(raw, text)
        stored = await self.guarded(raw, self._client.upload(raw, text, blocks), text)
        self._begun = bool(raw.server_status & BEGUN)
        return Stored(*stored)

    async def _checked(self, text: str) -> list[Any]:
        """Run what was deferred and a text; with the errors of the tree."""
        raw = self.ready()
        if self._deferred or self._cursor is not None or raw.server_status & LOST_MODE:
            text = await self._after_others(raw, text)
        results = await self.guarded(raw, self._client.query(raw, text), text)
        self._begun = bool(raw.server_status & BEGUN)
        return results

    async def _after_others(self, raw: Any, text: str) -> str:
        """A text as it is to be sent, with what has to come before it."""
        if self._cursor is not None:
            await self._cursor.spool()
        if self._deferred:
            text = ";".join((*self._deferred, text))
            self._deferred.clear()
        return restored(text) if raw.server_status & LOST_MODE else text

    async def guarded(self, raw: Any, work: Coroutine[Any, Any, T], text: str) -> T:
        """Do something with the driver; with the errors of the tree, and within the time that a statement has.

        :param raw: the connection, which is :meth:`ready`.
        :param text: the statement, for its errors.
        """
        try:
            timeout = self._options.timeout
            if timeout is None:
                return await work
            async with asyncio.timeout(timeout):
                return await work
        except asyncio.CancelledError:
            await self._kill()
            raise
        except TimeoutError as error:
            await self._kill()
            raise StatementTimeout(
                f"the statement took longer than {self._options.timeout:g} s (timeout); the connection was closed"
            ) from error
        except Exception as error:
            await self._settle(raw, error, text)
            raise
        except BaseException:
            # Nothing can be waited for, and what the server still sends would be taken for the next answer.
            self._let_go()
            raise

    async def _settle(self, raw: Any, error: Exception, text: str) -> None:
        """After an error: find out what became of the transaction, and raise what it means."""
        if asks_for_a_file(error):
            self._let_go()
            raise QueryError("LOAD DATA LOCAL is not allowed; use a bulk node") from error
        translated = translate(error, text, self._indexes)
        transport = self._client.transport(raw)
        if isinstance(translated, ConnectionLost) or transport is None or transport.is_closing():
            self._let_go()
        elif not isinstance(translated, IntegrityError | ValidationError):
            # A deadlock has ended the whole transaction, another error perhaps.
            try:
                async with asyncio.timeout(self._options.timeout or self._options.connect_timeout):
                    await raw.ping(reconnect=False)
            except Exception:
                self._let_go()
            except BaseException:
                await self._kill()
                raise
        if self._raw is not None:
            self._begun = bool(raw.server_status & BEGUN)
        raise translated from error

    async def rollback(self) -> None:
        if self._deferred and self._deferred[0].startswith(BEGINS):
            self._deferred.clear()
            self._begun, self._branch = False, None
        if self._raw is None or not (self._begun or self._branch):
            return
        await _to_its_end(self._roll_back())

    async def _roll_back(self) -> None:
        self._deferred.clear()
        if self._cursor is not None:
            await self._cursor.close()
        try:
            async with asyncio.timeout(self._options.timeout or self._options.connect_timeout):
                await self._undo()
        except BaseException:
            self._let_go()
            raise

    async def _undo(self) -> None:
        if self._branch is None:
            await self._checked("ROLLBACK")
            return
        with suppress(DatabaseError):  # after a deadlock it has ended already
            await self._checked(interpolated("XA END %s", (self._branch,)))
        await self.end_prepared(self._branch, "XA ROLLBACK %s")

    # ------------------------------------------------------------------ XA

    async def begin_branch(self, gid: str, statement: str) -> None:
        """Begin a transaction of XA."""
        await self.execute(statement)
        self._branch = gid

    async def end_branch(self, gid: str, statement: str) -> None:
        """End the work on it and, in the same round trip, prepare or commit it."""
        await self.send_all(interpolated("XA END %s", (gid,)), interpolated(statement, (gid,)))
        if not self._begun and not statement.startswith("XA PREPARE"):
            self._branch = None

    async def end_prepared(self, gid: str, statement: str) -> None:
        """Commit or roll back what was prepared, here or elsewhere."""
        await self.send(interpolated(statement, (gid,)))
        if self._branch == gid:
            self._branch = None

    # ------------------------------------------------------------------ many rows

    def key_of(self, table: str) -> tuple[str, ...]:
        """The columns of the key of a model's table."""
        return self._indexes[table, "PRIMARY"]

    async def insert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> Rows | int:
        if await takes_load(self, batch, rows) and await load_rows(self, batch, rows):
            return len(rows)
        return await insert_rows(self, batch, rows)

    async def upsert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> tuple[int, int]:
        return await upsert_rows(self, batch, rows)

    async def update(
        self, batch: BatchUpdate, shared: Sequence[object], rows: Sequence[Sequence[object]]
    ) -> int:
        return await update_rows(self, batch, shared, rows)

    async def open_cursor(self, sql: str, parameters: Sequence[object]) -> Cursor:
        raw = self.ready()
        if self._cursor is not None:
            await self._cursor.spool()
        if self._deferred or raw.server_status & LOST_MODE:
            await self.send("DO 0")
        text = interpolated(sql, parameters)
        await self.guarded(raw, raw.query(text, unbuffered=True), text)
        self._cursor = MySQLCursor(self, raw._result)
        self.hold_back()
        return self._cursor

    def reads(self, cursor: MySQLCursor) -> bool:
        """Whether rows of a cursor are still to come here; of a connection that is lost, none are."""
        return self._raw is not None and self._cursor is cursor

    def release(self, cursor: MySQLCursor) -> None:
        """Take note that the rows of a cursor have come to their end."""
        if self._cursor is cursor:
            self._cursor = None
            self.let_come()

    def let_come(self) -> None:
        """Take in what the server sends."""
        transport = None if self._raw is None else self._client.transport(self._raw)
        if transport is not None and not transport.is_closing():
            transport.resume_reading()

    def hold_back(self) -> None:
        """Take in no more, as long as nobody asks: asyncmy would keep all rows in memory, however many they are."""
        transport = None if self._raw is None else self._client.transport(self._raw)
        if self._cursor is not None and transport is not None and not transport.is_closing():
            transport.pause_reading()

    async def stop_statement(self) -> None:
        """Have the server end the statement that runs here, as whose rows are in the way."""
        place = self._place
        if self._raw is not None and place is not None:
            with suppress(Exception):
                await kill(self._client, self._options, place, "KILL QUERY")

    # ------------------------------------------------------------------ the end

    async def offload(self, work: Coroutine[Any, Any, T]) -> T:
        return await work

    def interrupt(self) -> None:
        self._from_its_loop(self._let_go)

    async def close(self) -> None:
        raw, self._raw = self._raw, None
        self._begun, self._branch = False, None
        self._deferred.clear()
        if raw is None:
            return
        if self._loop is not asyncio.get_running_loop():
            self._raw = raw
            self.abandon()
            return
        self._client.leave(raw)

    def abandon(self) -> None:
        self._from_its_loop(self._let_go)

    def _from_its_loop(self, action: Callable[[], None]) -> None:
        loop = self._loop
        if loop is None or not loop.is_running() or loop is running_loop():
            action()
            return
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(action)

    def _let_go(self) -> None:
        """Close the socket without a word."""
        raw, self._raw = self._raw, None
        self._begun, self._branch = False, None
        self._deferred.clear()
        if raw is None:
            return
        transport = self._client.transport(raw)
        if transport is not None:
            if self._loop is not None and self._loop.is_running():
                transport.abort()
            else:
                drop(transport)
        self._client.forget(raw)

    async def _kill(self) -> None:
        """After a statement that was not waited for: end it on the server too, as it may hold locks."""
        place, loop = self._place, self._loop
        if self._raw is None:
            return
        self._let_go()
        if place is None or loop is None or loop.is_closed():
            return
        with suppress(Exception):
            await _to_its_end(kill(self._client, self._options, place, "KILL"))

    def ready(self) -> Any:
        """The driver's connection.

        :raises ScopeLost: where it is closed, or belongs to another event loop.
        """
        if self._raw is None:
            raise ConnectionLost("the connection is closed")
        if self._loop is not asyncio.get_running_loop():
            raise ScopeLost("the connection belongs to another event loop")
        return self._raw


async def _to_its_end(work: Coroutine[Any, Any, object]) -> None:
    """Do something that no cancellation keeps from its end; one that came meanwhile is passed on afterwards."""
    task = asyncio.ensure_future(work)
    interruption: BaseException | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.done():
                break
            interruption = error
        except BaseException:
            break
    if interruption is not None:
        with suppress(BaseException):
            task.result()
        raise interruption
    task.result()
