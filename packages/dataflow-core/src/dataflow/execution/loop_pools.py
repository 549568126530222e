"""The connections of a database on the network: each event loop has its own, which end with it at the latest."""

import asyncio
import atexit
import weakref
from asyncio import AbstractEventLoop, _get_running_loop, get_running_loop
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from threading import Lock
from typing import Any

from dataflow.abc import Connection
from dataflow.errors import ConfigurationError, ScopeLost, WorkflowError
from dataflow.execution import background
from dataflow.execution.crossing import running_loop
from dataflow.execution.network_pool import NetworkPool

__all__ = ["LoopPools"]

PATIENCE = 5.0  # seconds to wait for another event loop to close its connections


class LoopPools:
    """A pool for each event loop that uses a database.

    Connections are bound to the loop that opened them. They are closed with the database; where a loop ends before,
    with the loop; and where nobody refers to the database any more, then.

    :param make: makes a pool, for the event loop that runs.
    """

    def __init__(self, make: Callable[[], NetworkPool]) -> None:
        self._make = make
        self._homes: dict[AbstractEventLoop, _Home] = {}
        self._lock = Lock()
        self._closed = False
        weakref.finalize(self, _let_go, self._homes).atexit = False
        _all.add(self)

    @property
    def in_use(self) -> int:
        """How many connections are lent."""
        return sum(home.pool.in_use for home in tuple(self._homes.values()))

    @property
    def idle(self) -> int:
        """How many open connections wait to be lent."""
        return sum(home.pool.idle for home in tuple(self._homes.values()))

    def take(self, holder: str) -> Connection | None:
        """Borrow an idle connection of this event loop if there is one at hand."""
        home = self._homes.get(get_running_loop())
        return None if home is None else home.pool.take(holder)

    def acquire(
        self, holder: str, *, blocking: bool, patience: float | None = None
    ) -> Coroutine[Any, Any, Connection]:
        """Borrow an open connection, as from the pool of this event loop."""
        if blocking:
            raise WorkflowError("a database on the network is waited for on an event loop, not in a thread")
        home = self._homes.get(get_running_loop())
        return self._acquire_first(holder) if home is None else home.pool.acquire(holder, blocking=False)

    async def _acquire_first(self, holder: str) -> Connection:
        """Borrow a connection where this event loop has no pool yet."""
        return await (await self._move_in()).pool.acquire(holder, blocking=False)

    def put(self, connection: Connection, *, keep: bool = True) -> bool:
        """Take a connection back, on which no transaction is open.

        :param keep: whether others may have it.
        :returns: whether it was kept; else it is the caller's to close.
        """
        loop = _get_running_loop()
        home = None if loop is None else self._homes.get(loop)
        if home is None or connection not in home.pool.leases:
            home = self._home_of(connection)
            if home is None:
                return False
        kept = home.pool.put(connection, keep=keep)
        if self._closed:
            self._leave_if_empty(home)
        return kept

    def lends(self, connection: Connection) -> bool:
        """Whether somebody has this connection from here."""
        return self._home_of(connection) is not None

    async def close(self) -> None:
        """Close the idle connections now, those of other event loops too, and the lent ones when they come back."""
        here = get_running_loop()
        interruption: BaseException | None = None
        for home in self._last_homes():
            try:
                await (home.end() if home.loop is here else home.end_elsewhere())
            except BaseException as error:
                # A cancellation keeps no other one from being closed.
                interruption = interruption or error
            home.leave()
            self._leave_if_empty(home)
        if interruption is not None:
            raise interruption

    def close_here(self) -> None:
        """Do so from a thread, be it that of an event loop."""
        here = running_loop()
        for home in self._last_homes():
            if home.loop is not here and background.is_reachable(home.loop):
                home.end_from_afar()
            else:
                home.abandon()
            home.leave()
            self._leave_if_empty(home)

    def abandon_stopped(self) -> None:
        """Let go of what belongs to event loops that do not run."""
        for loop, home in tuple(self._homes.items()):
            if not background.is_reachable(loop):
                home.abandon()

    def before_fork(self) -> None:
        """In a parent that is about to fork: a child that does not touch a connection does no harm to it."""

    def forget(self) -> None:
        """In a forked child: leave the parent's connections untouched, and start empty."""
        _inherited.extend(self._homes.values())
        self._homes.clear()
        self._lock = Lock()

    def _home_of(self, connection: Connection) -> "_Home | None":
        """Where a connection was lent, on whatever event loop that is."""
        homes = tuple(self._homes.values())
        return next((home for home in homes if connection in home.pool.leases), None)

    def _last_homes(self) -> "list[_Home]":
        """All that there will ever be."""
        with self._lock:
            self._closed = True
            return [*self._homes.values()]

    def _leave_if_empty(self, home: "_Home") -> None:
        """Forget a home to which nobody will return anything."""
        if not home.pool.in_use:
            self._homes.pop(home.loop, None)

    async def _move_in(self) -> "_Home":
        """A pool for the event loop that runs."""
        home = _Home(get_running_loop(), self._make())
        await home.guard.__anext__()
        with self._lock:
            gone = [loop for loop in self._homes if loop.is_closed()]
            forgotten = [self._homes.pop(loop) for loop in gone]
            if not self._closed:
                # Before others can find it, who may close it at once.
                home.lodge()
                self._homes[home.loop] = home
        for other in forgotten:
            other.abandon()
        if self._closed:
            await home.end()
            raise ConfigurationError("the database was closed; make a new DataFlow to go on")
        return home


class _Home:
    """The pool of an event loop, and what closes it when the loop ends."""

    def __init__(self, loop: AbstractEventLoop, pool: NetworkPool) -> None:
        self.loop = loop
        self.pool = pool
        self.guard = _closing_with_its_loop(pool)
        self.lodges = False

    def lodge(self) -> None:
        """The loop in the background stays as long as connections belong to it."""
        if background.is_background(self.loop):
            self.lodges = True
            background.lodge()

    def leave(self) -> None:
        if self.lodges:
            self.lodges = False
            background.move_out()

    async def end(self) -> None:
        """On the loop: close what is idle."""
        await self.guard.aclose()

    def end_from_afar(self) -> None:
        """From another thread: have the loop close what is idle, and wait for that."""
        with suppress(ScopeLost, TimeoutError):
            background.call_on(self.loop, self.end()).result(PATIENCE)

    async def end_elsewhere(self) -> None:
        """On another loop: do the same."""
        if not background.is_reachable(self.loop):
            self.abandon()
            return
        work = self.end()
        with background.running(self.loop):
            try:
                call = asyncio.run_coroutine_threadsafe(work, self.loop)
            except RuntimeError:
                # It was closed in this moment.
                work.close()
                self.abandon()
                return
            with suppress(TimeoutError, RuntimeError):
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(call)), PATIENCE)

    def let_go(self) -> None:
        """Nobody needs it any more, and nobody can wait."""
        self.abandon()
        self.leave()

    def abandon(self) -> None:
        """Close what there is at once, as the loop does not run or cannot be waited for."""
        self.pool.abandon(lent=self.loop.is_closed())
        # It has nothing left to do, and must not be told so by a loop.
        with suppress(StopIteration, StopAsyncIteration, RuntimeError):
            self.guard.aclose().send(None)


async def _closing_with_its_loop(pool: NetworkPool) -> AsyncGenerator[None, None]:
    """Waits for its end: an event loop closes the asynchronous generators that were begun on it before it ends."""
    try:
        yield
    finally:
        await pool.close()


def _let_go(homes: "dict[AbstractEventLoop, _Home]") -> None:
    """Where nobody refers to the database any more, or the process ends."""
    while homes:
        _, home = homes.popitem()
        # Garbage is collected in any thread, between any two lines of it.
        if background.is_reachable(home.loop) and (home.loop is not running_loop() or home.lodges):
            with suppress(RuntimeError):
                background.soon(home.loop, home.let_go)
        else:
            home.let_go()


@atexit.register
def _at_exit() -> None:
    """The process ends; connections of loops that run end with them, or with it."""
    for pools in tuple(_all):
        pools.abandon_stopped()


_all: "weakref.WeakSet[LoopPools]" = weakref.WeakSet()

# Connections of the parent process stay referenced here, so that no finalizer of the child closes them.
_inherited: list[_Home] = []
