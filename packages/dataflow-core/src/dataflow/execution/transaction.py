"""What a scope and its parts share: a connection for each database, with one transaction on each."""

from collections.abc import Coroutine, Sequence, Set
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from dataflow.abc import Connection
from dataflow.errors import CommitUnknown, ConnectionLost, ScopeLost, TransactionTimeout, WorkflowError
from dataflow.execution.database import Database
from dataflow.execution.held import Held, commit
from dataflow.execution.isolation import check_isolation
from dataflow.logs import logger
from dataflow.terms import USUAL, Isolation, Terms

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from dataflow.execution.agreement import Agreed, Agreement
    from dataflow.execution.crossing import Call
    from dataflow.execution.scope import Scope

__all__ = ["HeldCursor", "Transaction"]


class HeldCursor(Protocol):
    """A cursor that must not outlast the transaction."""

    async def close(self) -> None: ...


class Transaction:
    """Takes connections as they are needed, begins on them, and ends them together.

    :param holder: the name under which others see it hold connections.
    :param writes: whether it may write.
    :param loop: the event loop on which its owner works; None for a thread that does all of it by itself.
    :param terms: on which it runs.
    :param primary: whether it must not read from a replica.
    """

    __slots__ = (
        "_guard",
        "_holder",
        "_idle_since",
        "_primary",
        "_writes",
        "agreed",
        "broken",
        "calls",
        "committed",
        "committing",
        "cursors",
        "held",
        "loop",
        "savepoints",
        "terms",
    )

    def __init__(
        self,
        holder: str,
        *,
        writes: bool,
        loop: "AbstractEventLoop | None",
        terms: Terms,
        primary: bool = False,
    ) -> None:
        self.loop = loop
        self.terms = terms
        self.calls: dict[Call[Any], Scope] = {}
        """What threads have asked of the event loop, and wait for; in which scope."""
        self.held: dict[Database, Held] = {}
        self.cursors: dict[HeldCursor, Database] = {}
        self.agreed: Agreed | None = None
        """What decides how it begins and ends on each database; else that is for each database by itself."""
        self.broken = False
        """Whether it must not be committed, as nobody knows what became of a part of it."""
        self.committed: list[Database] = []
        self.committing: Database | None = None
        self.savepoints = 0
        self._holder = holder
        self._writes = writes
        # What a replica shows is no part of the order of transactions.
        self._primary = primary or terms.isolation is Isolation.SERIALIZABLE
        self._guard = Lock()
        self._idle_since: float | None = None

    # ------------------------------------------------------------------ connections

    async def reserve(self, database: Database, *, blocking: bool) -> Connection:
        """The connection to a database, borrowed at the first call; nothing begins yet."""
        held = self.held.get(database) or self._take(database)
        if held is None:
            connection = await database.borrow(
                self._holder, writes=self._writes, blocking=blocking, primary=self._primary
            )
            held = self.held[database] = Held(connection, database)
        return held.connection

    async def reserve_shortly(self, database: Database) -> bool:
        """Borrow a connection in a thread that others need too; false where that takes longer than a moment."""
        connection = await database.borrow_shortly(self._holder, writes=self._writes)
        if connection is None:
            return False
        self.held[database] = Held(connection, database)
        return True

    async def connection(self, database: Database) -> Connection:
        """The connection to a database, on which it has begun."""
        held = self.held.get(database) or self._take(database)
        if held is None:
            await self.reserve(database, blocking=database.in_process)
            held = self.held[database]
        connection = held.connection
        if held.begun:
            # What followed would otherwise be committed statement by statement.
            if not connection.in_transaction:
                raise ScopeLost("the database has ended the transaction; nothing of it was kept")
        else:
            try:
                await self._begin(database, connection)
            except ConnectionLost:
                if database.in_process:
                    raise
                connection = await self._begin_anew(database, held)
                held = self.held[database]
            held.begun = True
        return connection

    def _take(self, database: Database) -> Held | None:
        """Borrow a connection if one is at hand."""
        connection = database.take(self._holder, writes=self._writes, primary=self._primary)
        if connection is None:
            return None
        held = self.held[database] = Held(connection, database)
        return held

    async def _begin_anew(self, database: Database, held: Held) -> Connection:
        """On another connection, as the one that was borrowed was dead and nothing has happened on it."""
        await database.discard(held.connection)
        database.give_back(held.connection, writes=self._writes)
        del self.held[database]
        connection = await self.reserve(database, blocking=False)
        await self._begin(database, connection)
        return connection

    def _begin(self, database: Database, connection: Connection) -> Coroutine[Any, Any, object]:
        terms, dialect = self.terms, database.dialect
        if terms is not USUAL:
            check_isolation(terms, dialect)
        if self.agreed is not None and self._writes:
            return self.agreed.begin(database, connection, terms)
        return connection.execute(dialect.begin(writes=self._writes, terms=terms))

    async def send(self, database: Database, statement: str, blocking: bool) -> None:
        """Have a statement of the transaction itself run on the connection to a database."""
        held = self.held[database]
        await held.run(held.connection.execute(statement), blocking)

    @property
    def reads_replica(self) -> bool:
        """Whether a connection of it is one of a replica."""
        return any(database.leads_to_replica(held.connection) for database, held in self.held.items())

    # ------------------------------------------------------------------ terms

    def isolate(self, isolation: Isolation) -> None:
        """Begin with at least this level of isolation.

        :raises WorkflowError: where it has begun already.
        """
        levels = list(Isolation)
        current = self.terms.isolation
        if current is not None and levels.index(isolation) <= levels.index(current):
            return
        if any(held.begun for held in self.held.values()):
            raise WorkflowError(
                "an isolation level can be asked for before the transaction has begun, not within it: put the "
                "TransactionContextNode first, leave it without connections to configure the run, or give the runtime "
                "transaction='node', with which each scope is a transaction of its own"
            )
        self.terms = self.terms._replace(isolation=isolation)
        self._primary = self._primary or isolation is Isolation.SERIALIZABLE

    async def agree(self, agreement: "Agreement", databases: Sequence[Database], *, blocking: bool) -> None:
        """End on all databases together from now on.

        :param databases: those of which it is known that it will work on them.
        :raises WorkflowError: where it works on one already, and more are to come.
        """
        begun = {database for database, held in self.held.items() if held.begun}
        if self.agreed is not None or (begun and len(begun.union(databases)) == 1):
            return
        if begun:
            raise WorkflowError(
                "that several databases commit together can be asked for before the transaction has begun, not within "
                "it: put the node that asks for it first, or run it outside of the transaction that is open"
            )
        self.agreed = await agreement.open(databases, blocking=blocking)

    @property
    def is_idle(self) -> bool:
        """Whether a function works and perhaps nothing here."""
        return self._idle_since is not None

    def idle(self) -> None:
        """From now on a function works, and perhaps nothing here."""
        self._idle_since = perf_counter()

    def work(self) -> None:
        """Something works here again, or is about to end it.

        :raises TransactionTimeout: where nothing did for too long, while it kept others from what it has locked.
        """
        since, self._idle_since = self._idle_since, None
        if since is None:
            return
        seconds = perf_counter() - since
        for database, held in self.held.items():
            if held.begun and seconds > database.idle_timeout:
                self.broken = True
                raise TransactionTimeout(
                    f"nothing happened in the transaction on {database.name} for {seconds:.1f} s, while a function "
                    f"worked (transaction_idle_timeout is {database.idle_timeout:g} s); @node(outside=True) has the "
                    "transaction committed before such a function, and another one begun after it"
                )

    def rest(self) -> None:
        """The function has failed, which matters more than how long it took."""
        self._idle_since = None

    # ------------------------------------------------------------------ the end

    @property
    def is_done(self) -> bool:
        """Whether all that was done here was committed."""
        return bool(self.committed) and not any(held.begun for held in self.held.values())

    def check_open(self, database: Database) -> None:
        """:raises ScopeLost: where the database has ended the transaction by itself."""
        held = self.held[database]
        if held.begun and not held.connection.in_transaction:
            raise ScopeLost(
                "the database has ended the transaction by itself, as a deadlock or a change of the schema makes it do"
            )

    async def commit(self, *, blocking: bool) -> None:
        """Make everything last: on one database after the other, or as it was agreed."""
        if self.cursors:
            await self.close_cursors(blocking)
        if self.agreed is not None and self._writes:
            await self.agreed.commit(self, blocking=blocking)
            return
        for database, held in self.held.items():
            if held.begun:
                await self.commit_on(database, held, blocking)

    async def commit_on(
        self,
        database: Database,
        held: Held,
        blocking: bool,
        ending: Coroutine[Any, Any, object] | None = None,
    ) -> None:
        """Commit on one database by itself.

        :param ending: does it, where that takes another statement than usual.
        """
        self.check_open(database)
        connection = held.connection
        self.committing = database
        work = connection.execute("COMMIT") if database.in_process else commit(connection, ending)
        try:
            await held.run(work, blocking)
        except CommitUnknown:
            raise
        except Exception:
            self.committing = None  # the database has answered, and refused
            raise
        held.begun = False
        self.committing = None
        self.committed.append(database)

    async def close_cursors(self, blocking: bool, keep: Set[HeldCursor] = frozenset()) -> None:
        """Close all cursors but some."""
        for cursor in [cursor for cursor in self.cursors if cursor not in keep]:
            database = self.cursors.pop(cursor)
            await self.held[database].run(cursor.close(), blocking)

    async def close(self, *, blocking: bool) -> BaseException | None:
        """Undo what was not committed and return the connections; what interrupted that, if anything."""
        interruption: BaseException | None = None
        while self.cursors:
            try:
                await self.close_cursors(blocking)
            except Exception:
                # Its rows are not wanted any more; a connection that broke is noticed when it is returned.
                continue
            except BaseException as error:
                interruption = error
        with self._guard:
            held_by_database, self.held = self.held, {}
        for database, held in held_by_database.items():
            try:
                if not held.begun and self.terms is USUAL and held.is_here:
                    # Nothing is to be said to it.
                    if not database.give_back(held.connection, writes=self._writes):
                        await database.discard(held.connection)
                elif database.in_process:
                    await self._return(database, held, blocking)
                elif held.is_stranded:
                    # A task was collected whose event loop is closed, or it was left on another one.
                    held.connection.abandon()
                    database.give_back(held.connection, writes=self._writes)
                else:
                    await held.run(self._return(database, held, blocking=False), blocking)
            except BaseException as error:
                # A cancellation that comes now keeps no rollback from its end, and no connection from its pool.
                interruption = error
        return interruption

    async def _return(self, database: Database, held: Held, blocking: bool) -> None:
        """Undo what was not committed, and give the connection back; one that cannot even do that is thrown away."""
        connection = held.connection
        try:
            if held.begun:
                await held.run(connection.rollback(), blocking)
            if (
                self.terms is not USUAL
                and connection.usable
                and (restore := database.dialect.after(self.terms))
            ):
                await held.run(connection.execute(restore), blocking)
        except Exception as error:
            logger("dataflow.connections").warning(
                "%s: a connection that could not be rolled back was closed: %s", database.name, error
            )
            await database.discard(connection)
        finally:
            if not database.give_back(connection, writes=self._writes):
                await database.discard(connection)

    def interrupt(self) -> None:
        """From another thread: end what runs."""
        # Connections that have been returned may already serve somebody else.
        with self._guard:
            for database, held in tuple(self.held.items()):
                if database.in_process:
                    held.connection.interrupt()

    def disown(self) -> Sequence[Connection]:
        """In a forked child: leave it to the parent; the connections, which must stay referenced."""
        held, self.held = self.held, {}
        self.cursors = {}
        return [one.connection for one in held.values()]
