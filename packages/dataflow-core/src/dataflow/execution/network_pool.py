"""The pool of one event loop for a database on the network, where a connection can break while nobody uses it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import uniform
from time import perf_counter

from dataflow.abc import Connection
from dataflow.errors import DatabaseError, PoolTimeout, ServerFull
from dataflow.execution.loop_semaphore import LoopSemaphore
from dataflow.execution.pool import WorkflowConnectionPool

__all__ = ["NetworkPool"]

RECENTLY = 1.0  # seconds in which a connection that worked is taken for sound
LONG_AGO = 60.0  # seconds after which even one that seems sound must answer
PATIENCE = 2.0  # seconds in which it must
PROBE = "SELECT 1"
SOONEST, LATEST = 0.01, 0.25  # seconds between attempts to connect to a server that is full


class NetworkPool(WorkflowConnectionPool):
    """Lends what is sound: what is broken or does not answer is thrown away and replaced.

    When a connection comes back broken, so may be all that were idle at that time: each must answer before it is lent.

    :param connect: makes a connection that is not yet open.
    """

    def __init__(self, connect: Callable[[], Connection], size: int, overflow: int, timeout: float) -> None:
        super().__init__(connect, size, overflow, timeout, let_go=False)
        self._turns = LoopSemaphore(self._limit, timeout)
        self._worked: dict[Connection, float] = {}
        """When each idle connection was last known to work."""
        self._doubted = 0.0

    def take(self, holder: str) -> Connection | None:
        if not self._idle or not self._turns.take():
            return None
        connection = self._at_hand(now := perf_counter())
        if connection is None:
            self._turns.give_back()
        else:
            self.leases[connection] = (holder, now)
        return connection

    async def acquire(self, holder: str, *, blocking: bool, patience: float | None = None) -> Connection:
        self._check_open()
        if not await self._turns.acquire():
            raise PoolTimeout(self._explain())
        try:
            connection = self._at_hand(perf_counter()) or await self._sound() or await self._new()
        except BaseException:
            self._turns.give_back()
            raise
        self.leases[connection] = (holder, perf_counter())
        return connection

    def put(self, connection: Connection, *, keep: bool = True) -> bool:
        lease = self.leases.pop(connection, None)
        if lease is None:
            return False
        is_usable = connection.usable
        keeps = keep and is_usable and not self._closed and len(self._idle) < self._size
        if keeps:
            self._worked[connection] = lease[1]
            self._idle.append(connection)
        else:
            self._worked.pop(connection, None)
            if not is_usable:
                self._doubted = perf_counter()
        self._turns.give_back()
        return keeps

    @property
    def _waiting(self) -> int:
        return self._turns.waiting

    async def close(self) -> None:
        is_needed = bool(self._idle)
        try:
            await super().close()
            if is_needed:
                # A transport closes its socket when its event loop comes by.
                await asyncio.sleep(0)
        finally:
            # Where that was cancelled, or a connection did not want to end.
            self.abandon(lent=False)

    def abandon(self, *, lent: bool) -> None:
        """Let go of the connections without waiting, as their event loop does not run.

        :param lent: of those that somebody has, too, as nobody can go on with them.
        """
        self._closed = True
        while self._idle:
            self._idle.pop().abandon()
        for connection in tuple(self.leases) if lent else ():
            connection.abandon()

    def _at_hand(self, now: float) -> Connection | None:
        """The warmest idle connection, if a look is enough to know that it works."""
        if not self._idle:
            return None
        connection = self._idle[-1]
        worked = self._worked[connection]
        if worked <= self._doubted or now - worked >= RECENTLY or not connection.usable:
            return None
        return self._idle.pop()

    async def _sound(self) -> Connection | None:
        """An idle connection that works."""
        while self._idle:
            connection = self._idle.pop()
            try:
                if await self._works(connection):
                    return connection
            except BaseException:
                await self._throw_away(connection)
                raise
            await self._throw_away(connection)
        return None

    async def _works(self, connection: Connection) -> bool:
        worked, now = self._worked[connection], perf_counter()
        if worked > self._doubted and now - worked < LONG_AGO:
            if now - worked >= RECENTLY:
                # The event loop gets to hear of an end that has arrived meanwhile: once to read it, once to tell.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            return connection.usable
        return connection.usable and await self._answers(connection)

    async def _answers(self, connection: Connection) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await connection.fetch(PROBE, ())
        except (DatabaseError, TimeoutError):
            self._doubted = perf_counter()
            return False
        return connection.usable

    async def _throw_away(self, connection: Connection) -> None:
        self._worked.pop(connection, None)
        with suppress(DatabaseError):
            await connection.close()

    async def _new(self) -> Connection:
        """A new connection; where the server is full, as soon as it has room, or else one of ours that is free."""
        self._check_open()
        deadline, pause = perf_counter() + self._timeout, SOONEST
        while True:
            connection = self._connect()
            try:
                await connection.open()
                return connection
            except ServerFull as error:
                await connection.close()
                if perf_counter() + pause > deadline:
                    raise PoolTimeout(self._explain_full()) from error
            except BaseException:
                await connection.close()
                raise
            await asyncio.sleep(uniform(pause / 2, pause))
            pause = min(2 * pause, LATEST)
            self._check_open()
            if (idle := await self._sound()) is not None:
                return idle

    def _explain_full(self) -> str:
        return (
            f"the server has been full for {self._timeout:g} s (pool_timeout); {len(self.leases)} connections are "
            f"lent here, where {self._limit} may be open (pool_size and pool_max_overflow, for each event loop and "
            f"process): lower that, or raise the server's own limit"
        )
