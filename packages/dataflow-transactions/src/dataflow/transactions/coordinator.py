"""One unit of work on several databases: prepared everywhere but at home, decided by the commit at home, then told."""

from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from dataflow.abc import Connection, TwoPhase
from dataflow.errors import CommitUnknown, ScopeLost, UniqueViolation, WorkflowError
from dataflow.execution.database import Database
from dataflow.execution.held import Held, commit
from dataflow.logs import logger
from dataflow.terms import Terms
from dataflow.transactions.crash import crash_point
from dataflow.transactions.decisions import COMMIT, Decisions
from dataflow.transactions.gids import branch_of, new_unit

if TYPE_CHECKING:
    from dataflow.execution.transaction import Transaction

__all__ = ["Coordinator"]

PATIENCE = 5.0  # seconds that what is under way has to end in order once it was cancelled
TURNS_TO_HEAR = 4  # of the event loop: until a timer rings, cancels the run, and its task has taken note
log = logger("dataflow.transactions")


class Branch(NamedTuple):
    """A part of the unit of work that can be prepared."""

    database: Database
    held: Held
    two_phase: TwoPhase
    gid: str

    @property
    def name(self) -> str:
        """As people know it."""
        return f"{self.gid} on {self.database.place or self.database.name}"


class Coordinator:
    """Begins and ends the transactions of a unit of work; after its end it serves the next one.

    :param home: the database that decides.
    """

    def __init__(self, home: Database) -> None:
        self._home = home
        self._decisions = Decisions(home)
        self._identity: str | None = None
        self._unit: str | None = None
        self._gids: dict[Database, str] = {}
        self._cancelled = False
        self._works_at_home = False

    async def introduce(self) -> None:
        """Find out who home is."""
        if self._identity is None:
            self._identity = await self._decisions.identity()

    async def begin(self, database: Database, connection: Connection, terms: Terms) -> None:
        if database is self._home:
            await connection.execute(database.dialect.begin(writes=True, terms=terms))
            self._works_at_home = True
            return
        if database not in self._gids:
            await self._admit(database, connection)
        await _two_phase(database).begin(connection, self._gids[database], terms=terms)

    async def _admit(self, database: Database, connection: Connection) -> None:
        """Take up a database that is not home.

        :raises WorkflowError: where it cannot be prepared, which shows late only if no node works on it.
        """
        two_phase = database.dialect.two_phase
        reason = "it cannot be prepared" if two_phase is None else await two_phase.problem(connection)
        if self._home.in_process and self._works_at_home and not self._decisions.is_ready:
            reason = f"nothing is ready for it, and {self._home.name} can write for one at a time"
        if reason is not None:
            raise WorkflowError(
                f"a function works on {database.name}, which was not known before, and it cannot commit together with "
                f"{self._home.name}: {reason}; where a node of the workflow works on it, that is known"
            )
        await self.introduce()
        assert self._identity is not None
        if self._unit is None:
            self._unit = new_unit(self._identity)
        self._gids[database] = branch_of(self._unit, len(self._gids) + 1)

    # ------------------------------------------------------------------ the end

    async def commit(self, transaction: "Transaction", *, blocking: bool) -> None:
        begun = {database: held for database, held in transaction.held.items() if held.begun}
        for database in begun:
            transaction.check_open(database)
        branches = [
            Branch(database, held, _two_phase(database), self._gids[database])
            for database, held in begun.items()
            if database is not self._home
        ]
        try:
            if not branches:
                for database, held in begun.items():
                    await transaction.commit_on(database, held, blocking)
            elif len(begun) == 1:
                await self._commit_only(transaction, branches[0], blocking)
            else:
                work = self._commit_all(transaction, branches, blocking)
                await (work if blocking else self._to_its_end(transaction, work))
        finally:
            self._unit, self._gids = None, {}
            self._cancelled = self._works_at_home = False

    async def _commit_only(self, transaction: "Transaction", branch: Branch, blocking: bool) -> None:
        """Nothing else took part: nothing needs to be decided."""
        connection = branch.held.connection
        transaction.committing = branch.database
        ending = branch.two_phase.commit_unprepared(connection, branch.gid)
        await branch.held.run(commit(connection, ending), blocking)
        transaction.committing = None
        branch.held.begun = False
        transaction.committed.append(branch.database)

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
                crash_point("two_phase.prepare.before_branch")
                prepared.append(branch)  # before it is known, as the answer may not come
                await branch.held.run(branch.two_phase.prepare(branch.held.connection, branch.gid), blocking)
                crash_point("two_phase.prepare.after_branch")
            await self._decide(transaction, branches, blocking)
        except CommitUnknown as error:
            await self._leave(branches, blocking)
            raise CommitUnknown(
                f"{error}. What was prepared stays so, and keeps its locks, until recovery has looked what was decided "
                f"(dataflow transactions recover): {', '.join(branch.name for branch in branches)}"
            ) from error
        except BaseException as error:
            for branch in prepared:
                await self._undo(branch, error, blocking)
            raise
        await self._tell(transaction, branches, blocking)

    def _check_wanted(self) -> None:
        if self._cancelled:
            raise ScopeLost("the run was cancelled; nothing of it was kept")

    async def _decide(self, transaction: "Transaction", branches: Sequence[Branch], blocking: bool) -> None:
        """Commit at home, and with it the decision.

        :raises CommitUnknown: where nobody knows whether that happened. After any other error it did not.
        """
        assert self._unit is not None
        await transaction.reserve(self._home, blocking=blocking)
        held = transaction.held[self._home]
        if not held.begun:
            await held.run(transaction.connection(self._home), blocking)
            held = transaction.held[self._home]  # another one, where the first connection was dead
        connection = held.connection
        places = [branch.database.place for branch in branches]
        crash_point("two_phase.decision.before_row")
        try:
            await held.run(self._decisions.enter(connection, self._unit, COMMIT, places), blocking)
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
        unit, all_told = self._unit, True
        assert unit is not None
        for branch in branches:
            crash_point("two_phase.commit.before_branch")
            branch.held.begun = False
            transaction.committed.append(branch.database)
            try:
                await branch.held.run(branch.two_phase.commit(branch.held.connection, branch.gid), blocking)
            except BaseException as error:
                all_told = False
                log.warning(
                    "%s is decided and not committed there yet, as %s; it keeps its locks until dataflow transactions "
                    "recover finishes it",
                    branch.name,
                    str(error) or type(error).__name__,
                )
                await _close(branch, blocking)
            crash_point("two_phase.commit.after_branch")
        if all_told:
            await self._forget(transaction.held[self._home], unit, blocking)

    async def _forget(self, held: Held, unit: str, blocking: bool) -> None:
        """Remove a decision that all have been told; one that stays does no harm."""
        crash_point("two_phase.forget.before_row")
        try:
            await held.run(self._decisions.remove(held.connection, unit), blocking)
        except Exception as error:
            log.info("%s: the decision on %s could not be removed: %s", self._home.name, unit, error)
        crash_point("two_phase.forget.after_row")

    async def _leave(self, branches: Sequence[Branch], blocking: bool) -> None:
        """Leave to recovery what was prepared; no connection may end it by mistake."""
        for branch in branches:
            branch.held.begun = False
            await _close(branch, blocking)

    async def _undo(self, branch: Branch, error: BaseException, blocking: bool) -> None:
        """Roll back what was prepared, or may have been."""
        crash_point("two_phase.abort.before_branch")
        try:
            await branch.held.run(_roll_back(branch), blocking)
        except Exception as failure:
            await _close(branch, blocking)
            await self._undo_elsewhere(branch, error, failure, blocking)
        branch.held.begun = False
        crash_point("two_phase.abort.after_branch")

    async def _undo_elsewhere(
        self, branch: Branch, error: BaseException, failure: Exception, blocking: bool
    ) -> None:
        """On another connection, as the one that prepared it is lost."""
        try:
            await branch.held.run(_roll_back_anew(branch), blocking)
        except Exception:
            left = f"{branch.name} could not be rolled back, as {failure}"
            log.warning("%s; if it is prepared, dataflow transactions recover does that", left)
            error.add_note(f"{left}; if it is prepared, recovery does that.")


async def _hear() -> None:
    """Let the event loop say what it knows: that the time is over, and so that the run is cancelled."""
    import asyncio

    for _ in range(TURNS_TO_HEAR):
        await asyncio.sleep(0)


async def _roll_back(branch: Branch) -> None:
    connection = branch.held.connection
    if connection.in_transaction:
        # It was not prepared; or it was, and its session can do nothing else before it has ended.
        await connection.rollback()
    else:
        await branch.two_phase.roll_back(connection, branch.gid)


async def _roll_back_anew(branch: Branch) -> None:
    connection = branch.database.dialect.connection()
    await connection.open()
    try:
        if not await branch.two_phase.roll_back(connection, branch.gid):
            raise ScopeLost("it is not there, or not yet")
    finally:
        await connection.close()


async def _close(branch: Branch, blocking: bool) -> None:
    with suppress(ScopeLost):  # where its event loop is gone, it was closed from here
        await branch.held.run(branch.held.connection.close(), blocking)


def _two_phase(database: Database) -> TwoPhase:
    two_phase = database.dialect.two_phase
    assert two_phase is not None
    return two_phase
