"""The databases that recovery can ask, and who they are."""

from collections.abc import Iterable, Mapping
from functools import partial

from dataflow.errors import DataFlowError
from dataflow.execution.database import Database
from dataflow.logs import logger
from dataflow.transactions.abilities import called
from dataflow.transactions.borrowing import on_a_connection
from dataflow.transactions.homes import HOLDER
from dataflow.transactions.identity import identity_on

__all__ = ["Reached", "reach"]

Reached = Mapping[Database, str | None]
"""Who databases are that were reached; None where nobody ever asked."""

log = logger("dataflow.transactions")


async def reach(databases: Iterable[Database]) -> Reached:
    """Ask databases who they are. What cannot be reached is left out, and told in the log."""
    reached: dict[Database, str | None] = {}
    for database in databases:
        try:
            reached[database] = await on_a_connection(database, HOLDER, partial(identity_on, database))
        except DataFlowError as error:
            log.warning("%s cannot be reached for recovery: %s", called(database), error)
    return reached
