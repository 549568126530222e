"""A unit of work: one connection per database, one transaction on each, all or nothing."""

from collections.abc import Coroutine, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.abc import Connection
from dataflow.errors import ScopeLost, TransactionClosed, WorkflowError
from dataflow.execution.background import call_on, run_in_background
from dataflow.execution.database import Database
from dataflow.execution.held import Held, undo_across
from dataflow.execution.replica import is_of_a_replica
from dataflow.execution.semaphore import FairSemaphore
from dataflow.execution.transaction import HeldCursor, Transaction
from dataflow.terms import USUAL, Isolation, Terms

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from dataflow.execution.agreement import Agreement

__all__ = ["Scope", "current_scope", "open_scope"]

T = TypeVar("T")


current_scope: ContextVar["Scope | None"] = ContextVar("dataflow_scope", default=None)
"""The unit of work that database calls of this task or thread belong to."""

TURN_TIMEOUT = 60.0
LAST_TURN_TIMEOUT = 5.0
OVER = "the transaction is over; its connection serves others"


def open_scope() -> "Scope | None":
    """The unit of work that is open in this task or thread; one that has come to its end is none.

    :raises TransactionClosed: where it was ended from elsewhere, so that nothing must follow.
    """
    scope = current_scope.get()
    if scope is None:
        return None
    if scope.cancelled:
        raise TransactionClosed(OVER)
    return None if scope.closed else scope


class Scope:
    """A unit of work: who works in it when, and which part of it can be undone alone.

    Coroutines that touch a database in the process are always stepped by a thread that may block; the event loop
    hands them over with ``Connection.offload`` or ``Dialect.offload``. So whatever may wait is told whether it may
    block the thread.

    Of several threads or tasks that share a scope one works at a time, in turns; a part of it keeps the turn until it
    has ended, so that nothing of others is undone with it.

    :param holder: the name under which others see it hold connections.
    :param writes: whether it may write.
    :param within: the scope of which it is a part.
    :param loop: the event loop on which its owner works; None for a thread that does all of it by itself.
    :param terms: on which its transactions run; a part has those of the whole.
    :param primary: whether it must not read from a replica.
    """

    __slots__ = (
        "_begun",
        "_cancelled",
        "_ended",
        "_left",
        "_older_cursors",
        "_point",
        "_transaction",
        "_turn",
        "_within",
        "read_only",
    )

    def __init__(
        self,
        holder: str = "",
        *,
        writes: bool = False,
        within: "Scope | None" = None,
        loop: "AbstractEventLoop | None" = None,
        terms: Terms = USUAL,
        primary: bool = False,
    ) -> None:
        self._ended = False
        self._left = False
        self._cancelled = False
        self.read_only: bool = terms.read_only if within is None else within.read_only
        """Whether nothing in it may write."""
        self._within = within
        self._transaction: Transaction = (
            Transaction(holder, writes=writes and not self.read_only, loop=loop, terms=terms, primary=primary)
            if within is None
            else within._transaction
        )
        self._turn = FairSemaphore(1)
        self._point: str | None = None
        self._begun: tuple[Database, ...] = ()
        self._older_cursors: frozenset[HeldCursor] = frozenset()

    @property
    def closed(self) -> bool:
        """Whether it has ended, or that of which it is a part."""
        return self._ended or (self._within is not None and self._within.closed)

    @property
    def left(self) -> bool:
        """Whether it is a part that was kept or undone."""
        return self._left

    @property
    def cancelled(self) -> bool:
        """Whether it, or that of which it is a part, was ended from elsewhere."""
        return self._cancelled or (self._within is not None and self._within.cancelled)

    @property
    def is_done(self) -> bool:
        """Whether all that it did was committed."""
        return self._within is None and self._transaction.is_done

    def end(self) -> None:
        """Let nobody begin anything more here."""
        self._ended = True

    @property
    def loop(self) -> "AbstractEventLoop | None":
        """The event loop to which its connections across the network belong, where that is known."""
        return self._transaction.loop

    def ask(self, work: Coroutine[Any, Any, T]) -> T:
        """In a thread: have a coroutine of this scope run on its event loop, and wait for it.

        :raises TransactionClosed: where it has ended.
        :raises WorkflowError: in the thread of that loop, which would wait for itself.
        """
        if self.closed:
            work.close()
            raise TransactionClosed(OVER)
        loop = self._transaction.loop
        if loop is None:
            return run_in_background(work)
        call = call_on(loop, work)
        calls = self._transaction.calls
        calls[call] = self
        try:
            return call.result()
        finally:
            del calls[call]

    @property
    def committed(self) -> Sequence[Database]:
        """The databases on which it was made to last: all of them, unless a later one refused."""
        return tuple(self._transaction.committed)

    @property
    def commit_unknown(self) -> bool:
        """Whether it was interrupted while a server was asked to commit."""
        committing = self._transaction.committing
        return committing is not None and not committing.in_process

    def is_passed_over(self, error: Exception) -> bool:
        """Whether it has failed on a replica, for a reason that the primary may not have."""
        return self._transaction.reads_replica and is_of_a_replica(error)

    @property
    def terms(self) -> Terms:
        """The terms on which its transactions run."""
        return self._transaction.terms

    def isolate(self, isolation: Isolation) -> None:
        """Have its transactions begin with at least this level of isolation.

        :raises WorkflowError: where one has begun already.
        """
        self._transaction.isolate(isolation)

    def agree(
        self, agreement: "Agreement", databases: Sequence[Database], *, blocking: bool
    ) -> Coroutine[Any, Any, None]:
        """Have its transactions on all databases end together.

        :raises WorkflowError: where that comes too late, or they cannot.
        """
        return self._transaction.agree(agreement, databases, blocking=blocking)

    def spoil(self) -> None:
        """Refuse to be committed, as nobody knows what became of a part of it."""
        self._transaction.broken = True

    # ------------------------------------------------------------------ turns

    async def take_turn(self, *, blocking: bool) -> None:
        """Wait until nobody else works in this scope.

        :raises TransactionClosed: where it has ended.
        :raises TransactionTimeout: where its transaction was idle for too long.
        """
        if self._transaction.is_idle:
            self._transaction.work()
        if not self._turn.take() and not await self._turn.acquire(TURN_TIMEOUT, blocking=blocking):
            raise WorkflowError(
                f"another part of the same transaction has been at work for {TURN_TIMEOUT:g} s; "
                f"inside a part, do not wait for what runs beside it"
            )
        if self.closed:
            self._turn.give_back()
            raise TransactionClosed(OVER)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a turn."""
        return self._turn.waiting > 0

    def idle(self) -> None:
        """From now on a function works, and perhaps nothing in the transaction."""
        self._transaction.idle()

    def work(self) -> None:
        """Something works in the transaction again, or is about to end it.

        :raises TransactionTimeout: where nothing did for too long.
        """
        self._transaction.work()

    def rest(self) -> None:
        """The function has failed, which matters more than how long it took."""
        self._transaction.rest()

    async def pause(self, *, blocking: bool) -> None:
        """Make what was done up to now last, and return the connections; the next statement begins anew.

        :raises WorkflowError: within another transaction, which alone can be committed.
        """
        if self._within is not None:
            raise WorkflowError(
                "what is outside of the transaction cannot run within a scope, a handled failure or a "
                "transaction that is open, as none of them can be committed by itself"
            )
        await self.commit(blocking=blocking)
        self._transaction.committed.clear()
        interruption = await self._transaction.close(blocking=blocking)
        if interruption is not None:
            raise interruption

    def end_turn(self) -> None:
        """Let the next one work."""
        self._turn.give_back()

    def inner(self) -> "Scope":
        """The same unit of work for those to whom the holder of the turn hands it on."""
        return Scope(within=self)

    # ------------------------------------------------------------------ connections

    def reserve(self, database: Database, *, blocking: bool) -> Coroutine[Any, Any, Connection]:
        """The connection of this scope to a database, borrowed at the first call; no transaction begins yet."""
        return self._transaction.reserve(database, blocking=blocking)

    def reserve_shortly(self, database: Database) -> Coroutine[Any, Any, bool]:
        """Borrow a connection in a thread that others need too; false where that takes longer than a moment."""
        return self._transaction.reserve_shortly(database)

    def connection(self, database: Database) -> Coroutine[Any, Any, Connection]:
        """The connection of this scope to a database, in its transaction."""
        if self.closed:
            raise TransactionClosed(OVER)
        return self._transaction.connection(database)

    def holds(self, database: Database) -> bool:
        """Whether a connection to a database was borrowed."""
        return database in self._transaction.held

    def add_cursor(self, database: Database, cursor: HeldCursor) -> None:
        """Take up a cursor on the connection to a database, which must not outlast the transaction."""
        self._transaction.cursors[cursor] = database

    async def close_cursor(self, cursor: HeldCursor) -> None:
        """Close one before that."""
        self._transaction.cursors.pop(cursor, None)
        await cursor.close()

    # ------------------------------------------------------------------ parts

    async def part(self, *, blocking: bool) -> "Scope":
        """Begin a part that can be undone alone; it ends with :meth:`keep` or :meth:`undo`."""
        await self.take_turn(blocking=blocking)
        try:
            part = self.inner()
            await part._mark(blocking)
        except BaseException:
            self.end_turn()
            raise
        return part

    async def keep(self, *, blocking: bool) -> None:
        """End this part; what it did belongs to the whole."""
        try:
            for database in self._begun:
                if database.has_savepoints:
                    await self._transaction.send(database, f"RELEASE SAVEPOINT {self._point}", blocking)
        except BaseException:
            self._transaction.broken = True
            raise
        finally:
            self._end_part()

    async def undo(self, *, blocking: bool) -> None:
        """End this part; what it did is gone.

        :raises ScopeLost: where the database has ended the transaction by itself, or has no savepoints; then nothing
            can be committed.
        """
        try:
            await self._transaction.close_cursors(blocking, keep=self._older_cursors)
            for database, held in self._transaction.held.items():
                if held.begun:
                    await self._undo_on(database, held, blocking)
        except BaseException:
            self._transaction.broken = True
            raise
        finally:
            self._end_part()

    async def _mark(self, blocking: bool) -> None:
        self._transaction.savepoints += 1
        self._point = f"dataflow_{self._transaction.savepoints}"
        self._begun = tuple(database for database, held in self._transaction.held.items() if held.begun)
        self._older_cursors = frozenset(self._transaction.cursors)
        for database in self._begun:
            self._transaction.check_open(database)
            if database.has_savepoints:
                await self._transaction.send(database, f"SAVEPOINT {self._point}", blocking)

    async def _undo_on(self, database: Database, held: Held, blocking: bool) -> None:
        if not held.connection.in_transaction:
            raise ScopeLost("the database has ended the transaction; nothing of it can be kept")
        if database in self._begun:
            if not database.has_savepoints:
                raise ScopeLost(
                    f"{database.dialect.name} has no savepoints, so that no part of a transaction can be undone alone; "
                    f"nothing of it can be kept"
                )
            statements = f"ROLLBACK TO SAVEPOINT {self._point}", f"RELEASE SAVEPOINT {self._point}"
            if database.in_process:
                for statement in statements:
                    await self._transaction.send(database, statement, blocking)
            else:
                await held.run(undo_across(held.connection, statements), blocking)
        else:
            await held.run(held.connection.rollback(), blocking)
            held.begun = False

    def _end_part(self) -> None:
        self._ended = self._left = True
        if self._within is not None:
            self._within.end_turn()

    # ------------------------------------------------------------------ the end

    def commit(self, *, blocking: bool) -> Coroutine[Any, Any, None]:
        """Make everything last.

        :raises ScopeLost: where a part that failed could not be undone.
        """
        if self._transaction.broken:
            raise ScopeLost(
                "a part of the transaction was cancelled or could not be undone; nothing of it was kept"
            )
        if self._ended:
            raise ScopeLost("the run was cancelled; nothing of it was kept")
        return self._transaction.commit(blocking=blocking)

    def disown(self) -> Sequence[Connection]:
        """In a forked child: leave it to the parent, and its connections untouched.

        :returns: what must stay referenced, so that nothing closes it.
        """
        scope: Scope | None = self
        while scope is not None:
            scope._ended = True
            scope = scope._within
        return self._transaction.disown()

    def refuse(self) -> None:
        """Let nothing more happen here."""
        self._ended = self._cancelled = True

    def cancel(self) -> None:
        """From another thread: interrupt what runs, and refuse whatever would follow."""
        self.refuse()
        self._transaction.interrupt()
        for call, scope in tuple(self._transaction.calls.items()):
            if scope._is_within(self):
                call.cancel_soon()

    def _is_within(self, other: "Scope") -> bool:
        return self is other or (self._within is not None and self._within._is_within(other))

    async def close(self, *, blocking: bool, has_turn: bool = False) -> None:
        """Undo what was not committed and return the connections; one that cannot even do that is thrown away.

        :param has_turn: whether the caller has the turn, which ends here.
        """
        self._ended = True
        interruption = None if has_turn or self._turn.take() else await self._last_turn(blocking)
        interruption = await self._transaction.close(blocking=blocking) or interruption
        self.end_turn()
        if interruption is not None:
            raise interruption

    async def _last_turn(self, blocking: bool) -> BaseException | None:
        """Wait until whoever is at work has noticed that this is the end; what interrupted the waiting, if anything."""
        interruption: BaseException | None = None
        while not self._turn.take():
            try:
                if not await self._turn.acquire(LAST_TURN_TIMEOUT, blocking=blocking):
                    self.cancel()
                    # Whoever holds it now is not in a statement, and can begin no other.
                    self.end_turn()
                else:
                    break
            except BaseException as error:
                interruption = error
                self.cancel()
        return interruption
