"""One unit of work on several databases: prepared everywhere but at home, decided by the commit at home, then told."""

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from dataflow.abc import Connection
from dataflow.errors import CommitUnknown, ScopeLost, UniqueViolation, WorkflowError
from dataflow.execution.database import Database
from dataflow.execution.held import Held
from dataflow.logs import logger
from dataflow.runtime.retries import passes
from dataflow.terms import Terms
from dataflow.transactions.abilities import called, gone_with_its_process, problem_on, two_phase_of
from dataflow.transactions.branches import Branch
from dataflow.transactions.crash import crash_point
from dataflow.transactions.decisions import COMMIT, Decisions
from dataflow.transactions.gids import branch_of, new_unit
from dataflow.transactions.identity import (
    AnotherDatabase,
    check_identity,
    forget_identity,
    identity_of,
    identity_on,
    known_identity,
)

if TYPE_CHECKING:
    from dataflow.execution.transaction import Transaction

__all__ = ["Coordinator"]

PATIENCE = 5.0  # seconds that what is under way has to end in order once it was cancelled
TURNS_TO_HEAR = 4  # of the event loop: until a timer rings, cancels the run, and its task has taken note
log = logger("dataflow.transactions")


class Coordinator:
    """Begins and ends the transactions of a unit of work; after its end it serves the next one.

    :param home: the database that decides.
    """

    def __init__(self, home: Database) -> None:
        self._home = home
        self._decisions = Decisions(home)
        self._identities: dict[Database, str] = {}
        """Who those are that may take part, once there are several."""
        self._unit = ""
        self._cancelled = False
        self._works_at_home = False

    # ------------------------------------------------------------------ who takes part

    async def introduce(self, databases: Sequence[Database]) -> None:
        """Find out who home and the others are.

        :raises WorkflowError: where two of them are one, or a table is missing and must not be made.
        """
        await self._decisions.make_ready()
        for database in (self._home, *databases):
            self._note(database, await identity_of(database))

    def _note(self, database: Database, identity: str) -> None:
        for other, known in self._identities.items():
            if known == identity and other is not database:
                raise WorkflowError(
                    f"{called(other)} and {called(database)} are one database under two names: open it once. If one is "
                    "a copy, delete the row of its table dataflow_identity, so that it is another one"
                )
        self._identities[database] = identity

    async def begin(self, database: Database, connection: Connection, terms: Terms) -> None:
        if database is self._home:
            if database in self._identities:
                await check_identity(database, connection, self._identities[database])
            await connection.execute(database.dialect.begin(writes=True, terms=terms))
            self._works_at_home = True
            return
        if database not in self._identities:
            await self._admit(database)
        await self._check_branch(database, connection)
        await two_phase_of(database).begin(connection, self._gid(database), terms=terms)

    async def _admit(self, database: Database) -> None:
        """Take up a database that is not home.

        :raises WorkflowError: where it cannot be prepared, which shows late only if no node works on it.
        """
        reason = None
        if database.dialect.two_phase is None:
            reason = "it cannot be prepared"
        elif gone_with_its_process(self._home):
            reason = f"{self._home.name} is in memory and would decide; let it be a file or a server"
        elif self._home.in_process and self._works_at_home and not self._is_known_at_home:
            reason = f"nothing is ready for it, and {self._home.name} can write for one at a time"
        if reason is not None:
            raise WorkflowError(
                f"a function works on {database.name}, which was not known before, and it cannot commit together with "
                f"{self._home.name}: {reason}; where a node of the workflow works on it, that is known"
            )
        await self.introduce((database,))

    @property
    def _is_known_at_home(self) -> bool:
        return self._decisions.is_ready and known_identity(self._home) is not None

    async def _check_branch(self, database: Database, connection: Connection) -> None:
        """:raises WorkflowError: where it leads to what cannot prepare a transaction, or takes part already."""
        problem = await problem_on(database, connection)
        if problem is not None:
            raise WorkflowError(f"{called(database)} cannot commit together with others: {problem}")
        identity = await identity_on(database, connection)
        if identity is None:
            forget_identity(database)
            raise AnotherDatabase(f"another database answers as {called(database)} than before; try again")
        self._note(database, identity)

    def _gid(self, database: Database) -> str:
        if not self._unit:
            self._unit = new_unit(self._identities[self._home])
        return branch_of(self._unit, self._identities[database])

    # ------------------------------------------------------------------ the end

    async def commit(self, transaction: "Transaction", *, blocking: bool) -> None:
        begun = {database: held for database, held in transaction.held.items() if held.begun}
        for database in begun:
            transaction.check_open(database)
        branches = [
            Branch(database, held, self._gid(database), self._identities[database], blocking)
            for database, held in begun.items()
            if database is not self._home
        ]
        try:
            if not branches:
                for database, held in begun.items():
                    await transaction.commit_on(database, held, blocking)
            elif len(begun) == 1:
                await self._commit_only(transaction, branches[0])
            else:
                work = self._commit_all(transaction, branches, blocking)
                await (work if blocking else self._to_its_end(transaction, work))
        finally:
            self._unit = ""
            self._cancelled = self._works_at_home = False

    async def _commit_only(self, transaction: "Transaction", branch: Branch) -> None:
        """Nothing else took part: nothing needs to be decided."""
        two_phase = two_phase_of(branch.database)
        ending = two_phase.commit_unprepared(branch.held.connection, branch.gid)
        await transaction.commit_on(branch.database, branch.held, branch.blocking, ending)

    async def _to_its_end(self, transaction: "Transaction", work: Coroutine[Any, Any, None]) -> None:
        """Let no cancellation cut off what must come to an end; it is heeded where nothing is decided yet."""
        import asyncio

        task = asyncio.ensure_future(work)
        cancellation: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait([task], timeout=None if cancellation is None else PATIENCE)
            except asyncio.CancelledError as error:
                cancellation, self._cancelled = error, True
                continue
            if cancellation is not None and not task.done():
                for held in transaction.held.values():
                    held.connection.interrupt()
        if cancellation is None:
            return task.result()
        failure = task.exception()
        if isinstance(failure, CommitUnknown):
            raise failure
        if failure is None:
            cancellation.add_note("This came when the transaction was being committed already: it was.")
        raise cancellation from failure

    async def _commit_all(
        self, transaction: "Transaction", branches: Sequence[Branch], blocking: bool
    ) -> None:
        prepared: list[Branch] = []
        try:
            for branch in branches:
                self._check_wanted()
                prepared.append(branch)  # before it is known, as the answer may not come
                await branch.prepare()
            await self._decide(transaction, branches, blocking)
        except CommitUnknown as error:
            for branch in branches:
                branch.held.begun = False
                await branch.close()
            raise CommitUnknown(
                f"{error}. What was prepared stays so, and keeps its locks, until recovery has looked what was decided "
                f"(dataflow transactions recover): {', '.join(branch.name for branch in branches)}"
            ) from error
        except BaseException as error:
            if self._home not in transaction.committed:
                await self._undo(prepared, error)
                raise
            # It came in the moment after the decision, which nothing undoes.
            error.add_note("This came when the transaction was committed already.")
            await self._tell(transaction, branches, blocking)
            raise
        await self._tell(transaction, branches, blocking)

    def _check_wanted(self) -> None:
        if self._cancelled:
            raise ScopeLost("the run was cancelled; nothing of it was kept")

    async def _decide(self, transaction: "Transaction", branches: Sequence[Branch], blocking: bool) -> None:
        """Commit at home, and with it the decision.

        :raises CommitUnknown: where nobody knows whether that happened. After any other error it did not.
        """
        await transaction.reserve(self._home, blocking=blocking)
        held = transaction.held[self._home]
        if not held.begun:
            await held.run(transaction.connection(self._home), blocking)
            held = transaction.held[self._home]  # another one, where the first connection was dead
        connection = held.connection
        others = [branch.identity for branch in branches]
        crash_point("two_phase.decision.before_row")
        try:
            await held.run(self._decisions.enter(connection, self._unit, COMMIT, others), blocking)
        except UniqueViolation as error:
            raise ScopeLost(
                "recovery took the transaction for one that nobody goes on with, and has rolled it back; let it wait "
                "longer (older_than) than transactions take"
            ) from error
        crash_point("two_phase.decision.after_row")
        if not blocking:
            await _hear()
        self._check_wanted()
        crash_point("two_phase.decision.before_commit")
        try:
            await transaction.commit_on(self._home, held, blocking)
        except CommitUnknown:
            raise
        except Exception as error:
            if self._home.in_process and not connection.in_transaction:
                # It has ended by itself, in whichever way.
                raise CommitUnknown(f"{error}; whether the transaction was committed is not known") from error
            raise
        except BaseException as error:
            # A loop that is closed cancels every task, and home may have been asked already.
            raise CommitUnknown(
                "the commit was interrupted; whether the transaction was committed is not known"
            ) from error
        crash_point("two_phase.decision.after_commit")

    async def _tell(self, transaction: "Transaction", branches: Sequence[Branch], blocking: bool) -> None:
        """Commit what was prepared. The run has happened: what cannot be reached now is recovered later."""
        for branch in branches:
            branch.held.begun = False  # so that nothing rolls it back from here on, whatever comes between
            transaction.committed.append(branch.database)
        interruption: BaseException | None = None
        told = []
        for branch in branches:
            try:
                told.append(await branch.commit())
            except BaseException as error:
                interruption = error
        if interruption is not None:
            interruption.add_note("This came when the transaction was committed already.")
            raise interruption
        if all(told):
            await self._forget(transaction.held[self._home], self._unit, blocking)

    async def _forget(self, held: Held, unit: str, blocking: bool) -> None:
        """Remove a decision that all have been told; one that stays does no harm."""
        crash_point("two_phase.forget.before_row")
        try:
            await held.run(self._decisions.remove(held.connection, unit), blocking)
        except Exception as error:
            log.info("%s: the decision on %s could not be removed: %s", self._home.name, unit, error)
        crash_point("two_phase.forget.after_row")

    async def _undo(self, prepared: Sequence[Branch], error: BaseException) -> None:
        """Roll back what was prepared.

        :raises ScopeLost: where the run would be repeated after its error, and wait for what could not be undone.
        """
        undone = [await branch.undo() for branch in prepared]
        left = "; ".join(told for told in undone if told is not None)
        if not left:
            return
        if passes(error):
            raise ScopeLost(
                f"{error}; it is not run again by itself, as {left}; if it is prepared, it keeps its locks until "
                "recovery has rolled it back (dataflow transactions recover)"
            ) from error
        error.add_note(f"{left}; if it is prepared, recovery does that.")


async def _hear() -> None:
    """Let the event loop say what it knows: that the time is over, and so that the run is cancelled."""
    import asyncio

    for _ in range(TURNS_TO_HEAR):
        await asyncio.sleep(0)
