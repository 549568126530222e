"""What has not come to its end: sagas, and transactions that were prepared."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from dataflow.config import PRIMARY
from dataflow.engine import DataFlow
from dataflow.errors import ValidationError
from dataflow.execution.database import Database
from dataflow.transactions.headers import (
    COMPENSATED,
    COMPENSATING,
    NEEDS_ATTENTION,
    NOBODY,
    RUNNING,
    Headers,
)
from dataflow.transactions.in_doubt import branches_in_doubt, resolve_branch
from dataflow.transactions.ledger import SAGAS
from dataflow.transactions.reach import reach
from dataflow.transactions.tables import has_table

__all__ = ["IN_DOUBT", "VERDICTS", "Unfinished", "resolve", "unfinished"]

IN_DOUBT = "in doubt"
"""The state of a transaction that was prepared."""

VERDICTS = ("retry", "done", "commit", "abort")
"""What a person can decide: the first two of a saga, the others of a transaction that was prepared."""


class Unfinished(NamedTuple):
    """Something that has not come to its end.

    :param id: of the saga, or the name of the transaction.
    :param name: of the saga's node in the workflow, or where the transaction is.
    :param age: for how many seconds it has been there.
    :param problem: what is known of why.
    """

    id: str
    name: str
    state: str
    age: float
    problem: str | None = None


async def unfinished(db: DataFlow) -> Sequence[Unfinished]:
    """What has not come to its end on the databases of an object, each kind with the oldest first.

    :raises IsReplica: where its primary database is a replica, which does not know all.
    """
    found: list[Unfinished] = []
    for database in await _databases(db):
        if await has_table(database, SAGAS):
            for row in await Headers(database).list([RUNNING, COMPENSATING, NEEDS_ATTENTION]):
                age = (datetime.now(UTC) - row["created_at"]).total_seconds()
                found.append(Unfinished(row["id"], row["name"], row["state"], age, row["problem"]))
        for branch in await branches_in_doubt(database):
            found.append(Unfinished(branch.gid, branch.place, IN_DOUBT, branch.age))
    return found


async def resolve(db: DataFlow, id: str, verdict: str) -> str:
    """End something as a person has decided.

    :param verdict: ``retry`` has recovery try again what needs attention, ``done`` says that a person has undone it;
        ``commit`` and ``abort`` end a transaction that was prepared.
    :returns: what became of it, as the end of a sentence.
    :raises ValidationError: where there is no such thing, or it is in another state.
    """
    databases = await _databases(db)
    if verdict in ("commit", "abort"):
        return await resolve_branch(databases, id, commit=verdict == "commit")
    for database in databases:
        if await has_table(database, SAGAS):
            headers = Headers(database)
            if await headers.read(id) is not None:
                return await _resolve_saga(headers, id, verdict)
    raise ValidationError(
        "there is no saga of this name; dataflow transactions list shows those that are there"
    )


async def _databases(db: DataFlow) -> Sequence[Database]:
    """Those of an object that are no replicas."""
    databases = db.databases()
    return [*await reach(databases[PRIMARY], databases.values(), all_of_them=True)]


async def _resolve_saga(headers: Headers, id: str, verdict: str) -> str:
    again = {"state": COMPENSATING, "owner": NOBODY}
    changes = again if verdict == "retry" else {"state": COMPENSATED}
    if not await headers.move(id, NEEDS_ATTENTION, changes):
        raise ValidationError(
            f"the saga is {await headers.state(id)}; only one that needs attention is resolved"
        )
    return "waits for recovery, which tries again" if verdict == "retry" else "is compensated"
