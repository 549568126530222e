"""A part of a unit of work that is prepared, from the connection that does so."""

from contextlib import suppress
from typing import NamedTuple

from dataflow.errors import ScopeLost
from dataflow.execution.database import Database
from dataflow.execution.held import Held
from dataflow.logs import logger
from dataflow.transactions.abilities import two_phase_of
from dataflow.transactions.crash import crash_point

__all__ = ["Branch"]

PATIENCE = 5.0  # seconds for another connection than that which is lost
log = logger("dataflow.transactions")


class Branch(NamedTuple):
    """One of them.

    :param identity: that of its database.
    :param blocking: whether the thread may block that ends it.
    """

    database: Database
    held: Held
    gid: str
    identity: str
    blocking: bool

    @property
    def name(self) -> str:
        """As people know it."""
        return f"{self.gid} on {self.database.place or self.database.name}"

    async def prepare(self) -> None:
        """From now on it ends only if it is told to."""
        crash_point("two_phase.prepare.before_branch")
        two_phase = two_phase_of(self.database)
        await self.held.run(two_phase.prepare(self.held.connection, self.gid), self.blocking)
        crash_point("two_phase.prepare.after_branch")

    async def commit(self) -> bool:
        """Commit it, as that was decided; whether it is known to be. What cannot be reached now is left to recovery."""
        two_phase = two_phase_of(self.database)
        try:
            crash_point("two_phase.commit.before_branch")
            is_told = await self.held.run(two_phase.commit(self.held.connection, self.gid), self.blocking)
        except BaseException as error:
            log.warning(
                "%s is decided and not committed there yet, as %s; it keeps its locks until dataflow transactions "
                "recover finishes it",
                self.name,
                str(error) or type(error).__name__,
            )
            await self.close()
            if not isinstance(error, Exception):
                raise
            return False
        if not is_told:
            log.warning(
                "%s is decided and was not there any more: recovery has committed it, or somebody ended it by hand; "
                "then compare both databases",
                self.name,
            )
        crash_point("two_phase.commit.after_branch")
        return is_told

    async def undo(self) -> str | None:
        """Roll back what was prepared, or may have been; what is left of it and why, where that failed."""
        crash_point("two_phase.abort.before_branch")
        left = None
        try:
            await self.held.run(self._roll_back(), self.blocking)
        except Exception as failure:
            await self.close()
            left = await self._undo_elsewhere(failure)
        self.held.begun = False
        crash_point("two_phase.abort.after_branch")
        return left

    async def close(self) -> None:
        """Let nobody else have its connection, and end nothing by mistake."""
        with suppress(ScopeLost):  # where its event loop is gone, it was closed from here
            await self.held.run(self.held.connection.close(), self.blocking)

    async def _roll_back(self) -> None:
        connection = self.held.connection
        if connection.in_transaction:
            # It was not prepared; or it was, and its session can do nothing else before it has ended.
            await connection.rollback()
        # Even then: where it was cut off nobody knows whether it was prepared meanwhile.
        await two_phase_of(self.database).roll_back(connection, self.gid)

    async def _undo_elsewhere(self, failure: Exception) -> str | None:
        """On another connection, as the one that prepared it is lost."""
        try:
            await self.held.run(self._roll_back_anew(), self.blocking)
        except Exception:
            left = f"{self.name} could not be rolled back, as {failure}"
            log.warning("%s; if it is prepared, dataflow transactions recover does that", left)
            return left
        return None

    async def _roll_back_anew(self) -> None:
        import asyncio

        connection = self.database.dialect.connection()
        try:
            async with asyncio.timeout(PATIENCE):
                await connection.open()
                if not await two_phase_of(self.database).roll_back(connection, self.gid):
                    raise ScopeLost("it is not there, or not yet")
        finally:
            await connection.close()
