"""What databases can do for a transaction that spans several of them, as they have said themselves."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast
from weakref import WeakSet

from dataflow.abc import Connection, TwoPhase
from dataflow.capabilities import Capability
from dataflow.errors import WorkflowError
from dataflow.execution.database import Database
from dataflow.transactions.borrowing import on_a_connection

if TYPE_CHECKING:
    from dataflow.abc import ReplicatingDialect

__all__ = [
    "IsReplica",
    "called",
    "gone_with_its_process",
    "problem_on",
    "refuse_replica",
    "two_phase_of",
    "unable",
    "why_not",
]

_able: WeakSet[Database] = WeakSet()
"""The databases that were asked, and can prepare a transaction."""
_asked: WeakSet[Connection] = WeakSet()
"""The connections on which that was asked: a server that is set up otherwise was restarted, and has new ones only."""


class IsReplica(WorkflowError):
    """Recovery was sent to a server that follows another one."""


def called(database: Database) -> str:
    """A database, as people know it."""
    return f"{database.name} ({database.place})" if database.place else database.name


def two_phase_of(database: Database) -> TwoPhase:
    """How a database prepares what it can prepare."""
    two_phase = database.dialect.two_phase
    assert two_phase is not None
    return two_phase


def unable(databases: Sequence[Database]) -> Sequence[Database]:
    """Those that never can prepare a transaction."""
    return [database for database in databases if database.dialect.two_phase is None]


def gone_with_its_process(database: Database) -> bool:
    """Whether a database lives in the memory of this process, and with it all that it has decided."""
    return database.dialect.max_connections == 1


async def why_not(database: Database) -> str | None:
    """Why a database cannot prepare a transaction, and what to set; None where it can. One that can is asked once."""
    if database.dialect.two_phase is None:
        return f"{database.dialect.name} has no transactions that can be prepared"
    if database in _able:
        return None
    return await on_a_connection(
        database, "a look at what it can do", lambda connection: problem_on(database, connection)
    )


async def problem_on(database: Database, connection: Connection) -> str | None:
    """The same on a connection, which is asked once; so the next one after a restart of the server is asked anew."""
    if connection in _asked:
        return None
    problem = await two_phase_of(database).problem(connection)
    if problem is None:
        _asked.add(connection)
        _able.add(database)
    else:
        _able.discard(database)
    return problem


async def refuse_replica(database: Database, connection: Connection) -> None:
    """Refuse to judge by what a replica knows, as what was decided and done may not have come to it yet.

    :raises IsReplica: where a connection leads to one; a server may become one, or cease to be one, at any time.
    """
    if Capability.REPLICAS not in database.dialect.capabilities:
        return
    if await cast("ReplicatingDialect", database.dialect).replication.is_replica(connection):
        raise IsReplica(
            f"{called(database)} is a replica, or can only be read, and may not know yet what was decided and done: "
            "nothing is judged by it. Have recovery connect to the server that is written to"
        )
