"""The databases that decide, as those know them who come later and ask what was decided."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dataflow.abc import Connection
from dataflow.errors import ScopeLost, UniqueViolation
from dataflow.execution.database import Database
from dataflow.transactions.abilities import called, refuse_replica
from dataflow.transactions.borrowing import on_a_connection
from dataflow.transactions.crash import crash_point
from dataflow.transactions.decisions import ABORT, Decisions
from dataflow.transactions.identity import check_identity

__all__ = ["HOLDER", "Home", "homes_of"]

HOLDER = "the recovery of transactions"


class Home(NamedTuple):
    """What decides about the units of work that bear an identity.

    :param databases: all that answer by it: one, unless it is open under several names, or a copy of it is open.
    """

    identity: str
    databases: tuple[Database, ...]

    async def decided(self, unit: str) -> str | None:
        """What was decided of a unit of work; None where nothing was.

        :raises ScopeLost: where that cannot be said for sure.
        """
        return self._one_of({await self._ask(database, unit, fences=False) for database in self.databases})

    async def settle(self, unit: str) -> str:
        """What was decided; if nothing was, it is now that all is rolled back, which its coordinator will notice.

        :raises ScopeLost: where that cannot be said for sure.
        """
        await self.decided(unit)  # nothing is entered where they contradict each other already
        settled = self._one_of({await self._ask(database, unit, fences=True) for database in self.databases})
        assert settled is not None
        return settled

    def _one_of(self, answers: set[str | None]) -> str | None:
        if len(answers) > 1:
            names = " and ".join(map(called, self.databases))
            raise ScopeLost(
                f"{names} have one identity and do not say the same: one is a copy of the other. Close the copy, and "
                "delete the row of its table dataflow_identity"
            )
        return answers.pop()

    async def _ask(self, database: Database, unit: str, *, fences: bool) -> str | None:
        async def ask(connection: Connection) -> str | None:
            # On this very connection, as the next one might lead elsewhere, where nothing was decided.
            await refuse_replica(database, connection)
            await check_identity(database, connection, self.identity)
            decisions = Decisions(database)
            return await (_settled if fences else Decisions.read)(decisions, connection, unit)

        return await on_a_connection(database, HOLDER, ask)


def homes_of(identities: Iterable[tuple[str, Database]]) -> Mapping[str, Home]:
    """The homes among databases whose identities are known."""
    homes: dict[str, Home] = {}
    for identity, database in identities:
        known = homes.get(identity, Home(identity, ()))
        homes[identity] = Home(identity, (*known.databases, database))
    return homes


async def _settled(decisions: Decisions, connection: Connection, unit: str) -> str:
    while True:
        decided = await decisions.read(connection, unit)
        if decided is not None:
            return decided
        crash_point("two_phase.fence.before_row")
        try:
            await decisions.enter(connection, unit, ABORT)
        except UniqueViolation:
            continue  # its coordinator was faster
        crash_point("two_phase.fence.after_row")
        return ABORT
