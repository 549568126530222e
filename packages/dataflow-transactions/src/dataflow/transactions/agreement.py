"""Which databases can commit together, and which of them decides: its own transaction is never prepared."""

from collections.abc import Iterable, Sequence
from weakref import WeakSet

from dataflow.errors import WorkflowError
from dataflow.execution.database import Database
from dataflow.transactions.coordinator import Coordinator
from dataflow.transactions.decisions import on_a_connection

__all__ = ["TwoPhaseCommit", "why_not"]

INSTEAD = "or give the node steps with compensations, which makes it a saga"
_able: WeakSet[Database] = WeakSet()
"""The databases that were asked, and can prepare a transaction."""


class TwoPhaseCommit:
    """Has a unit of work end on all of its databases or on none.

    :param preferred: the database that decides where it takes part and all can be prepared.
    """

    def __init__(self, preferred: Database) -> None:
        self._preferred = preferred

    def problems(self, databases: Sequence[Database]) -> Iterable[str]:
        unable = [database for database in databases if database.dialect.two_phase is None]
        if len(unable) > 1:
            names = " and ".join(_called(database) for database in unable)
            yield (
                f"{names} cannot commit together, as neither can be prepared; let one of them be a database that can, "
                f"{INSTEAD}"
            )

    def explain(self, databases: Sequence[Database]) -> str:
        if len(databases) < 2:
            return "one database, whose own commit is enough"
        home = _home(databases, [one for one in databases if one.dialect.two_phase is None], self._preferred)
        others = ", ".join(_called(database) for database in databases if database is not home)
        return (
            f"several databases, which commit together (two-phase commit): what was done on {others} is prepared, then "
            f"{_called(home)} decides by its own commit"
        )

    async def open(self, databases: Sequence[Database], *, blocking: bool) -> Coordinator:
        if not databases:
            return Coordinator(self._preferred)
        if len(databases) == 1:
            return Coordinator(databases[0])
        home = await self._choose(databases)
        coordinator = Coordinator(home)
        await coordinator.introduce()
        return coordinator

    async def _choose(self, databases: Sequence[Database]) -> Database:
        """The home: the only one that cannot be prepared, else the one that is preferred.

        :raises WorkflowError: where there are several that cannot.
        """
        reasons = {database: await why_not(database) for database in databases}
        unable = [database for database, reason in reasons.items() if reason is not None]
        if len(unable) > 1:
            told = "; ".join(f"{_called(database)}: {reasons[database]}" for database in unable)
            raise WorkflowError(
                f"of several databases that commit together all but one must be able to prepare; {told}. Change that, "
                f"{INSTEAD}"
            )
        return _home(databases, unable, self._preferred)


async def why_not(database: Database) -> str | None:
    """Why a database cannot prepare a transaction, and what to set; None where it can. One that can is asked once."""
    two_phase = database.dialect.two_phase
    if two_phase is None:
        return f"{database.dialect.name} has no transactions that can be prepared"
    if database not in _able:
        reason = await on_a_connection(database, "a look at what it can do", two_phase.problem)
        if reason is not None:
            return reason
        _able.add(database)
    return None


def _home(databases: Sequence[Database], unable: Sequence[Database], preferred: Database) -> Database:
    if unable:
        return unable[0]
    return preferred if preferred in databases else databases[0]


def _called(database: Database) -> str:
    return f"{database.name} ({database.place})" if database.place else database.name
