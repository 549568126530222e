"""How databases are: whether they answer, and whether a replica is as far as its primary."""

from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from dataflow.config import READ_REPLICA
from dataflow.errors import DataFlowError
from dataflow.execution.database import Database
from dataflow.execution.replica import Replica

if TYPE_CHECKING:
    from dataflow.execution.loop_pools import LoopPools
    from dataflow.execution.pool import WorkflowConnectionPool

__all__ = ["health_of"]

Health: TypeAlias = dict[str, Any]
PROBE = "SELECT 1"


async def health_of(databases: Iterable[Database], *, blocking: bool) -> dict[str, Health]:
    """Ask each of them, and the replicas that they have.

    :param blocking: whether this thread may block.
    """
    health: dict[str, Health] = {}
    for database in databases:
        health[database.name] = await _of_database(database, blocking=blocking)
        if database.replica is not None:
            health[READ_REPLICA] = await _of_replica(database.replica)
    return health


async def _of_database(database: Database, *, blocking: bool) -> Health:
    started = perf_counter()
    problem: str | None = None
    try:
        connection = await database.pool.acquire("the health check", blocking=blocking)
        try:
            probe = connection.fetch(PROBE, ())
            await (probe if blocking else connection.offload(probe))
        finally:
            if not database.pool.put(connection):
                await database.discard(connection)
    except DataFlowError as error:
        problem = str(error)
    return _health(problem, started, database.pool)


async def _of_replica(replica: Replica) -> Health:
    started = perf_counter()
    try:
        await replica.examine()
    except DataFlowError as error:
        return _health(str(error), started, replica.pool)
    return _health(replica.problem, started, replica.pool)


def _health(problem: str | None, started: float, pool: "WorkflowConnectionPool | LoopPools") -> Health:
    return {
        "ok": problem is None,
        "problem": problem,
        "seconds": perf_counter() - started if problem is None else None,
        "in_use": pool.in_use,
        "idle": pool.idle,
    }
