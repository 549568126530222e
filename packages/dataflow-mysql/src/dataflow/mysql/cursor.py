"""Rows that a server sends bit by bit, on a connection that may be needed for something else meanwhile."""

import pickle
from collections import deque
from collections.abc import Coroutine
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol, TypeVar

from dataflow.abc import Row, Rows

__all__ = ["MySQLCursor"]

T = TypeVar("T")
ROWS_AT_ONCE = 500
BYTES_IN_MEMORY = 1 << 22
FEW_ROWS = 2_000
"""So many rows that nobody wants are read to their end; of more, the server is told to stop."""


class Reads(Protocol):
    """The connection, as far as a cursor needs it."""

    def ready(self) -> Any: ...

    async def guarded(self, raw: Any, work: Coroutine[Any, Any, T], text: str) -> T: ...

    async def stop_statement(self) -> None: ...

    def reads(self, cursor: "MySQLCursor") -> bool: ...

    def release(self, cursor: "MySQLCursor") -> None: ...

    def let_come(self) -> None: ...

    def hold_back(self) -> None: ...


class MySQLCursor:
    """The rows of a statement. The connection speaks of nothing else before it has read them all.

    So where another statement is to run, the rows that are left are put aside: in memory, and in a file where they
    are many.
    """

    def __init__(self, connection: Reads, result: Any) -> None:
        self._connection = connection
        self._result = result
        self._aside: IO[bytes] | None = None
        self._ready: deque[Row] = deque()

    async def fetch(self, count: int) -> Rows:
        if self._aside is not None:
            return self._from_aside(count)
        if not self._result.unbuffered_active:
            return []
        return await self._guarded(count)

    async def spool(self) -> None:
        """Put the rows aside that are left."""
        if not self._result.unbuffered_active:
            return
        aside = SpooledTemporaryFile(BYTES_IN_MEMORY)  # noqa: SIM115 - the cursor closes it
        try:
            while rows := await self._guarded(ROWS_AT_ONCE):
                pickle.dump(rows, aside, pickle.HIGHEST_PROTOCOL)
        except BaseException:
            aside.close()
            raise
        aside.seek(0)
        self._aside = aside

    async def close(self) -> None:
        self._ready.clear()
        if self._aside is not None:
            self._aside.close()
        try:
            if self._result.unbuffered_active and self._connection.reads(self):
                await self._skip()
        finally:
            self._connection.release(self)

    def _guarded(self, count: int) -> Coroutine[Any, Any, Rows]:
        connection = self._connection
        return connection.guarded(connection.ready(), self._read(count), "")

    async def _read(self, count: int) -> Rows:
        rows: Rows = []
        self._connection.let_come()
        try:
            while len(rows) < count:
                row = await self._result._read_rowdata_packet_unbuffered()
                if row is None:
                    self._connection.release(self)
                    break
                rows.append(row)
        finally:
            self._connection.hold_back()
        return rows

    async def _skip(self) -> None:
        """Read what nobody wants, until the connection is free."""
        rows = await self._guarded(FEW_ROWS)
        if len(rows) < FEW_ROWS:
            return
        await self._connection.stop_statement()
        connection = self._connection
        await connection.guarded(connection.ready(), self._read_to_the_end(), "")

    async def _read_to_the_end(self) -> None:
        self._connection.let_come()
        try:
            while await self._result._read_rowdata_packet_unbuffered() is not None:
                pass
        except Exception as error:
            if error.args[:1] not in ((1317,), (1927,)):
                raise
            self._result.unbuffered_active = False
            self._result.connection = None

    def _from_aside(self, count: int) -> Rows:
        assert self._aside is not None
        while len(self._ready) < count and not self._aside.closed:
            try:
                self._ready.extend(pickle.load(self._aside))
            except EOFError:
                self._aside.close()
        return [self._ready.popleft() for _ in range(min(count, len(self._ready)))]
