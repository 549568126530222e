"""The connection pool: bounded, fair, for threads and tasks alike."""

import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter

from dataflow.abc import Connection
from dataflow.errors import ConfigurationError, PoolTimeout
from dataflow.execution.semaphore import FairSemaphore
from dataflow.execution.stepping import step

__all__ = ["WorkflowConnectionPool"]


class WorkflowConnectionPool:
    """Keeps connections open and lends each to one run at a time.

    :param connect: makes a connection that is not yet open.
    :param size: how many idle connections are kept.
    :param overflow: how many more there may be under load; those are closed when they come back.
    :param timeout: how many seconds a run waits for a connection before it gets a :class:`PoolTimeout`.
    :param fork_closes: whether a connection that is open when the process forks does harm in the child, though the
        child never touches it; idle ones are then closed before.
    :param let_go: whether idle connections are let go of when nobody refers to the pool any more.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        size: int,
        overflow: int,
        timeout: float,
        *,
        fork_closes: bool = False,
        let_go: bool = True,
    ) -> None:
        self._fork_closes = fork_closes
        self._connect = connect
        self._size = size
        self._limit = size + overflow
        self._timeout = timeout
        self._idle: deque[Connection] = deque()
        self.leases: dict[Connection, tuple[str, float]] = {}
        """For each connection that somebody has, who that is and since when."""
        self._permits = FairSemaphore(self._limit)
        self._closed = False
        # Where nobody closed it: when it is collected, or when the process ends.
        if let_go:
            weakref.finalize(self, _abandon, self._idle)

    @property
    def in_use(self) -> int:
        """How many connections are lent."""
        return len(self.leases)

    @property
    def idle(self) -> int:
        """How many open connections wait to be lent."""
        return len(self._idle)

    def take(self, holder: str) -> Connection | None:
        """Borrow an idle connection if there is one at hand; nothing waits.

        :param holder: who borrows it, as a :class:`PoolTimeout` of somebody else will say.
        """
        if not self._permits.take():
            return None
        try:
            connection = self._idle.pop()
        except IndexError:
            self._permits.give_back()
            return None
        self.leases[connection] = (holder, perf_counter())
        return connection

    async def acquire(self, holder: str, *, blocking: bool, patience: float | None = None) -> Connection:
        """Borrow an open connection, waiting for one and connecting if need be.

        :param blocking: whether to do so by blocking the thread.
        :param patience: how many seconds to wait, where it is not the timeout of the pool.
        :raises PoolTimeout: where none came back in time.
        """
        self._check_open()
        wait = self._timeout if patience is None else patience
        if not await self._permits.acquire(wait, blocking=blocking):
            raise PoolTimeout(self._explain())
        try:
            connection = await self._idle_or_new(blocking)
        except BaseException:
            self._permits.give_back()
            raise
        self.leases[connection] = (holder, perf_counter())
        return connection

    def put(self, connection: Connection, *, keep: bool = True) -> bool:
        """Take a connection back, on which no transaction is open.

        :param keep: whether others may have it.
        :returns: whether it was kept; else it is the caller's to close: it is broken, or one too many.
        """
        self.leases.pop(connection, None)
        keep = keep and connection.usable and not self._closed and len(self._idle) < self._size
        if keep:
            self._idle.append(connection)
            # Another thread may have closed the pool in between.
            if self._closed:
                with suppress(ValueError):
                    self._idle.remove(connection)
                    keep = False
        self._permits.give_back()
        return keep

    async def close(self) -> None:
        """Close the idle connections now and the lent ones when they come back; lend none any more."""
        self._closed = True
        while self._idle:
            await self._idle.popleft().close()

    def close_here(self) -> None:
        """Close it in a thread, for a database that runs in the process."""
        step(self.close())

    def before_fork(self) -> None:
        """In a parent that is about to fork: let go of what must not be inherited."""
        if self._fork_closes:
            _abandon(self._idle)

    def forget(self) -> None:
        """In a forked child: leave the parent's connections untouched, and start empty."""
        _inherited.extend((*self._idle, *self.leases))
        self._idle.clear()
        self.leases.clear()
        self._permits = FairSemaphore(self._limit)

    async def _idle_or_new(self, blocking: bool) -> Connection:
        self._check_open()
        # The last one that came back is the warmest.
        with suppress(IndexError):
            return self._idle.pop()
        connection = self._connect()
        try:
            await (connection.open() if blocking else connection.offload(connection.open()))
        except BaseException:
            await connection.close()
            raise
        return connection

    @property
    def _waiting(self) -> int:
        return self._permits.waiting

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigurationError("the database was closed; make a new DataFlow to go on")

    def _explain(self) -> str:
        now = perf_counter()
        longest = sorted(self.leases.values(), key=lambda lease: lease[1])[:5]
        holders = "; ".join(f"{holder} for {now - since:.1f} s" for holder, since in longest)
        more = f" and {len(self.leases) - 5} more" if len(self.leases) > 5 else ""
        return (
            f"no connection became free within {self._timeout:g} s (pool_timeout); "
            f"{self._limit} can be open, {self._waiting} wait; held by: {holders or 'nobody'}{more}"
        )


# Connections of the parent process stay referenced here, so that no finalizer of the child closes them.
_inherited: list[Connection] = []


def _abandon(idle: deque[Connection]) -> None:
    with suppress(IndexError):
        while True:
            idle.pop().abandon()
