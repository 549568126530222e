"""Which databases can commit together, and which of them decides: its own transaction is never prepared."""

from collections.abc import Iterable, Sequence

from dataflow.errors import WorkflowError
from dataflow.execution.database import Database
from dataflow.transactions.abilities import called, gone_with_its_process, unable, why_not
from dataflow.transactions.coordinator import Coordinator

__all__ = ["TwoPhaseCommit"]

INSTEAD = "or give the node steps with compensations, which makes it a saga"


class TwoPhaseCommit:
    """Has a unit of work end on all of its databases or on none.

    :param preferred: the database that decides where it takes part and all can be prepared.
    """

    def __init__(self, preferred: Database) -> None:
        self._preferred = preferred

    def problems(self, databases: Sequence[Database]) -> Iterable[str]:
        if len(databases) < 2:
            return
        for database in databases:
            if gone_with_its_process(database):
                yield (
                    f"{called(database)} would decide, and is gone with its process, while others are still prepared; "
                    f"let it be a file or a server, {INSTEAD}"
                )
        never = unable(databases)
        if len(never) > 1:
            names = " and ".join(map(called, never))
            yield (
                f"{names} cannot commit together, as neither can be prepared; let one of them be a database that can, "
                f"{INSTEAD}"
            )

    def explain(self, databases: Sequence[Database]) -> str:
        if len(databases) < 2:
            return "one database, whose own commit is enough"
        home = _home(databases, unable(databases), self._preferred)
        others = ", ".join(called(database) for database in databases if database is not home)
        return (
            f"several databases, which commit together (two-phase commit): what was done on {others} is prepared, then "
            f"{called(home)} decides by its own commit"
        )

    async def open(self, databases: Sequence[Database], *, blocking: bool) -> Coordinator:
        if len(databases) < 2:
            return Coordinator(databases[0] if databases else self._preferred)
        coordinator = Coordinator(await self._choose(databases))
        await coordinator.introduce(databases)
        return coordinator

    async def _choose(self, databases: Sequence[Database]) -> Database:
        """The home: the only one that cannot be prepared, else the one that is preferred, else the first.

        :raises WorkflowError: where there are several that cannot.
        """
        reasons = {database: await why_not(database) for database in databases}
        cannot = [database for database, reason in reasons.items() if reason is not None]
        if len(cannot) > 1:
            told = "; ".join(f"{called(database)}: {reasons[database]}" for database in cannot)
            raise WorkflowError(
                f"of several databases that commit together all but one must be able to prepare; {told}. Change that, "
                f"{INSTEAD}"
            )
        return _home(databases, cannot, self._preferred)


def _home(databases: Sequence[Database], cannot: Sequence[Database], preferred: Database) -> Database:
    if cannot:
        return cannot[0]
    return preferred if preferred in databases else databases[0]
