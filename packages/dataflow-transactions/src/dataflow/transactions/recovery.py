"""Going on with what processes have left behind that are gone."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from dataflow.config import PRIMARY
from dataflow.engine import DataFlow
from dataflow.errors import DatabaseError, PoolTimeout
from dataflow.execution.database import Database
from dataflow.logs import logger
from dataflow.nodes.registry import open_databases
from dataflow.transactions.compensation import Compensation
from dataflow.transactions.definition import Definition
from dataflow.transactions.documents import read_document
from dataflow.transactions.errors import SagaFailed
from dataflow.transactions.finding import NotFound, find_plan
from dataflow.transactions.headers import COMPENSATING, DONE, NOBODY, RUNNING, Headers
from dataflow.transactions.in_doubt import recover_branches
from dataflow.transactions.ledger import SAGAS
from dataflow.transactions.owners import has_let_go, holding, me
from dataflow.transactions.places import read_places
from dataflow.transactions.plan import Plan
from dataflow.transactions.purge import purge
from dataflow.transactions.reach import Reached, reach
from dataflow.transactions.saga import Saga
from dataflow.transactions.tables import has_table

__all__ = ["Recovered", "recover"]

AWAY = (DatabaseError, PoolTimeout)
log = logger("dataflow.transactions")


class Recovered(NamedTuple):
    """What became of something that was left behind.

    :param id: of the saga, or the name of a transaction that was prepared.
    :param name: of the saga's node in the workflow, or where the transaction is.
    :param state: what it is now: the state of a saga; of a transaction ``committed``, ``rolled back``, ``ended`` where
        somebody else was faster, or ``left``.
    :param problem: why it was left as it is, where it was.
    """

    id: str
    name: str
    state: str
    problem: str | None = None


async def recover(db: DataFlow, older_than: float = 60.0) -> list[Recovered]:
    """Finish what processes have left behind that are gone, and undo what cannot be finished.

    A saga is taken up whose process is gone, if that ran on this machine; whose time is over; or one that began longer
    ago than ``older_than``, unless this process has it in hand. A transaction that was prepared is ended that was
    prepared longer ago. Several processes may do so at once.

    :param db: the database that keeps the sagas; what their steps name is looked up there, and then among all
        database objects that are open.
    :param older_than: seconds.
    :returns: what became of each of them.
    :raises IsReplica: where the primary database of ``db`` is a replica of another one: nothing is judged by it.
    """
    engines = dict.fromkeys((db, *open_databases.engines()))
    databases = list(dict.fromkeys(one for engine in engines for one in engine.databases().values()))
    reached = await reach(db.databases()[PRIMARY], databases)
    # First, as they hold what the steps of a saga may have to wait for.
    recovered = [
        Recovered(branch.gid, branch.place, branch.action, branch.reason or None)
        for branch in await recover_branches([*reached], older_than)
    ]
    for database in db.databases().values():
        if database not in reached:
            continue
        try:
            recovered += await _recover_sagas(db, database, reached, older_than)
        except AWAY as error:
            log.warning("%s: what was left behind there has to wait: %s", database.name, error)
    return recovered


async def _recover_sagas(
    db: DataFlow, home: Database, reached: Reached, older_than: float
) -> Sequence[Recovered]:
    """Go on with the sagas that a database keeps."""
    if not await has_table(home, SAGAS):
        return ()
    headers = Headers(home)
    recovered = []
    for row in await headers.list([RUNNING, COMPENSATING]):
        if _is_left(row, older_than):
            with holding(row["id"]):
                if await headers.take(row["id"], row["owner"], me()):
                    plan = partial(_plan, db, home, row, reached)
                    recovered.append(await _recover_saga(plan, headers, row))
    await purge(home, reached)
    return recovered


async def _recover_saga(plan: Callable[[], Plan], headers: Headers, row: Mapping[str, Any]) -> Recovered:
    id, name, state = row["id"], row["name"], row["state"]
    try:
        state = await _finish(plan(), row)
    except NotFound as error:
        await headers.take(id, me(), row["owner"])
        return Recovered(id, name, state, str(error))
    except AWAY as error:
        await headers.take(id, me(), NOBODY)
        log.warning("saga %s has to wait: %s", id, error)
        return Recovered(id, name, state, str(error))
    log.info("saga %s (%s) is %s", id, name, state)
    return Recovered(id, name, state)


def _plan(db: DataFlow, home: Database, row: Mapping[str, Any], reached: Reached) -> Plan:
    return find_plan(db, home, Definition.read(row["definition"]), read_places(row["places"]), reached)


async def _finish(plan: Plan, row: Mapping[str, Any]) -> str:
    """Finish a saga, or undo it; the state in which it is then."""
    deadline = row["deadline"]
    given = read_document(row["inputs"])
    if row["state"] == COMPENSATING:
        return await Compensation(row["id"], plan, given).run()
    saga = Saga(row["id"], plan, given, None if deadline is None else deadline.timestamp())
    if _is_over(row):
        return await saga.back("its time was over")
    await saga.look()
    try:
        await saga.run()
    except SagaFailed as error:
        return error.state
    return DONE


def _is_left(row: Mapping[str, Any], older_than: float) -> bool:
    """Whether nobody has a saga in hand any more, as far as that can be known."""
    if row["owner"] == NOBODY or _is_over(row):
        return True
    left = has_let_go(row["owner"], row["id"])
    if left is None:
        began: datetime = row["created_at"]
        return began <= datetime.now(UTC) - timedelta(seconds=older_than)
    return left


def _is_over(row: Mapping[str, Any]) -> bool:
    deadline: datetime | None = row["deadline"]
    return deadline is not None and deadline <= datetime.now(UTC)
