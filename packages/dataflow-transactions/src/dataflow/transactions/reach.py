"""The databases that recovery can ask, and who they are."""

from collections.abc import Iterable, Mapping
from functools import partial

from dataflow.abc import Connection
from dataflow.errors import DataFlowError
from dataflow.execution.database import Database
from dataflow.logs import logger
from dataflow.transactions.abilities import IsReplica, called, refuse_replica
from dataflow.transactions.borrowing import on_a_connection
from dataflow.transactions.homes import HOLDER
from dataflow.transactions.identity import identity_on

__all__ = ["Reached", "reach"]

Reached = Mapping[Database, str | None]
"""Who databases are that were reached; None where nobody ever asked."""

log = logger("dataflow.transactions")


async def reach(home: Database, databases: Iterable[Database], *, all_of_them: bool = False) -> Reached:
    """Ask databases who they are. What cannot be reached, and what is a replica, is left out and told in the log.

    :param home: the one that recovery is about, which must not be a replica.
    :param all_of_them: whether one that cannot be reached is an error.
    :raises IsReplica: where the home is one.
    """
    reached: dict[Database, str | None] = {}
    for database in databases:
        try:
            reached[database] = await on_a_connection(database, HOLDER, partial(_who, database))
        except DataFlowError as error:
            is_fatal = database is home if isinstance(error, IsReplica) else all_of_them
            if is_fatal:
                raise
            log.warning("%s is left out of recovery: %s", called(database), error)
    return reached


async def _who(database: Database, connection: Connection) -> str | None:
    await refuse_replica(database, connection)
    return await identity_on(database, connection)
