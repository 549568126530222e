"""A read replica of a database: who may read from it, and how it is known that this sees everything that it must."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from threading import Lock
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from dataflow.abc import Connection, Replication
from dataflow.errors import DatabaseError, StatementTimeout, TransactionTimeout
from dataflow.logs import logger

if TYPE_CHECKING:
    from dataflow.execution.loop_pools import LoopPools

__all__ = ["Replica", "after", "is_of_a_replica", "position_of"]

PATIENCE = 0.1  # seconds in which it may catch up, before the primary is asked instead
WHILE_LATE = 0.5  # seconds in which nobody waits for it again
WHILE_DEAD = 5.0  # seconds after which one read tries it again
NEVER = -1

reading_after: ContextVar[Mapping["Replica", str]] = ContextVar(
    "dataflow_reading_after", default=MappingProxyType({})
)
"""What the reads of this task or thread must see, besides what its process has done."""


def is_of_a_replica(error: BaseException) -> bool:
    """Whether what a replica said may be no more than its own trouble, so that the primary is to be asked.

    It is gone, or so busy to catch up that it broke a query off, or refuses what a primary does not.
    """
    return isinstance(error, DatabaseError) and not isinstance(error, StatementTimeout | TransactionTimeout)


async def position_of(replica: "Replica | None") -> str:
    """How far the primary of a replica is; empty without one."""
    return "" if replica is None else await replica.position()


@contextmanager
def after(replica: "Replica | None", position: str) -> Iterator[None]:
    """Within this, reads see what was done before a position, too.

    :raises InvalidValue: where it is none.
    """
    if replica is None or position == "":
        yield
        return
    replica.replication.check(position)
    token = reading_after.set({**reading_after.get(), replica: position})
    try:
        yield
    finally:
        reading_after.reset(token)


class Mark(NamedTuple):
    """A position of the primary.

    :param uses: how often the primary had been used before it was asked for.
    """

    uses: int
    position: str


class Replica:
    """A server that follows the primary, a little behind it.

    Whatever was committed before the first read here, and whatever was done on the primary here later, be it a read, is
    seen by the reads that follow. How far the primary is then is asked before the first of them: who only writes pays
    nothing for it, and who only reads pays once.

    Of the replica each connection is asked, and one that was seen to have reached a position is not asked for
    that again: behind one address may be several servers, and one that was started anew may know less than before.

    :param name: what it is called in messages.
    :param pool: its connections.
    :param primary: those of the primary.
    :param replication: how positions are asked for and compared.
    """

    def __init__(self, name: str, pool: "LoopPools", primary: "LoopPools", replication: Replication) -> None:
        self.name = name
        self.pool = pool
        self.problem: str | None = None
        """Why the primary is asked instead, where it is."""
        self.replication = replication
        self._primary = primary
        self._counter = count(1)
        self._uses = 0
        self._mark = Mark(NEVER, "")
        self._reached: WeakKeyDictionary[Connection, int] = WeakKeyDictionary()
        self._rests_until = 0.0
        self._lock = Lock()

    def lends(self, connection: Connection) -> bool:
        """Whether somebody has this connection from here."""
        return self.pool.lends(connection)

    def note_use(self) -> None:
        """The primary was used: what was done there must be seen here from now on."""
        self._uses = next(self._counter)

    async def lend(self, holder: str) -> Connection | None:
        """A connection on which everything is seen that must be; None where the primary has to be asked.

        :raises PoolTimeout: where others have had all of them for too long.
        """
        now = perf_counter()
        if now < self._rests_until:
            return None
        if self.problem is not None:
            # One tries; the others need not wait for what may not even answer.
            self._rests_until = now + WHILE_DEAD
        try:
            mark = await self._present_mark()
        except DatabaseError as error:
            self._rest(WHILE_LATE, f"how far it must be is not known, as the primary does not tell: {error}")
            return None
        try:
            connection = self.pool.take(holder) or await self.pool.acquire(holder, blocking=False)
            try:
                is_up_to_date = await self._sees(connection, mark)
            except BaseException:
                await self._return(connection)
                raise
        except DatabaseError as error:
            self._rest(WHILE_DEAD, str(error))
            return None
        if is_up_to_date:
            return connection
        await self._return(connection)
        return None

    async def position(self) -> str:
        """How far the primary was after its last use here."""
        return (await self._present_mark()).position

    async def examine(self) -> None:
        """Find out whether it can be read from as far as the primary is now, and take it up or pass it over by that."""
        self.note_use()
        self._rests_until = 0.0
        connection = await self.lend("the health check")
        if connection is not None:
            await self._return(connection)

    def forget(self) -> None:
        """In a forked child: start without connections."""
        self.pool.forget()
        self._reached = WeakKeyDictionary()
        self._lock = Lock()

    async def _present_mark(self) -> Mark:
        """A position that comes after all uses of the primary up to now."""
        uses = self._uses
        if self._mark.uses >= uses:
            return self._mark
        primary = self._primary
        holder = "the position of the primary"
        connection = primary.take(holder) or await primary.acquire(holder, blocking=False)
        try:
            position = await self.replication.position(connection)
        finally:
            if not primary.put(connection):
                await connection.close()
        with self._lock:
            # Answers overtake each other: the one that was asked for last counts.
            if uses > self._mark.uses:
                self._mark = Mark(uses, position)
            return self._mark

    async def _sees(self, connection: Connection, mark: Mark) -> bool:
        """Whether a connection has reached what must be seen."""
        if self._reached.get(connection, NEVER) < mark.uses:
            if not await self.replication.has_reached(connection, mark.position, PATIENCE):
                self._rest(WHILE_LATE, f"it was still behind the primary after {PATIENCE:g} s")
                return False
            self._reached[connection] = mark.uses
        self._serve()
        wanted = reading_after.get().get(self)
        return wanted is None or await self._sees_wanted(connection, wanted)

    async def _sees_wanted(self, connection: Connection, wanted: str) -> bool:
        """Whether it has reached a position too that somebody else has told."""
        try:
            return await self.replication.has_reached(connection, wanted, PATIENCE)
        except DatabaseError:
            return False  # it may be made up, so that it says nothing about the replica

    async def _return(self, connection: Connection) -> None:
        if not self.pool.put(connection):
            await connection.close()

    def _rest(self, seconds: float, problem: str) -> None:
        """Have the primary asked for a while."""
        self._rests_until = perf_counter() + seconds
        if self.problem is None:
            logger("dataflow.replicas").warning("%s: the primary is read instead: %s", self.name, problem)
        self.problem = problem

    def _serve(self) -> None:
        self._rests_until = 0.0
        if self.problem is not None:
            self.problem = None
            logger("dataflow.replicas").info("%s: it is read again", self.name)
