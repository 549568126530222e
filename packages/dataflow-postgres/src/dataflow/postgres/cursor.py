"""Rows that a server keeps ready, to be fetched as they are asked for."""

from typing import Any, Protocol

from dataflow.abc import Rows

__all__ = ["PostgresCursor"]


class Reads(Protocol):
    """The connection, as far as a cursor needs it."""

    @property
    def in_transaction(self) -> bool: ...

    async def caught_up(self) -> Any: ...

    async def told(self, error: BaseException) -> BaseException: ...


class PostgresCursor:
    """A portal of the server, from which rows are fetched as they are asked for."""

    def __init__(self, connection: Reads, raw: Any) -> None:
        self._connection = connection
        self._raw = raw

    async def fetch(self, count: int) -> Rows:
        # What fails here must not take the savepoint with it that was to come first.
        await self._connection.caught_up()
        try:
            rows: Rows = await self._raw.fetch(count)
            return rows
        except BaseException as error:
            raise await self._connection.told(error) from error

    async def close(self) -> None:
        raw, self._raw = self._raw, None
        connection = self._connection
        if raw is None or not connection.in_transaction:
            return  # the end of the transaction has closed it
        try:
            await raw._close_portal(None)
        except BaseException as error:
            raise await connection.told(error) from error
