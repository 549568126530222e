"""What has not come to its end: sagas, and transactions that were prepared."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from dataflow.engine import DataFlow
from dataflow.errors import ValidationError
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
    """What has not come to its end on the databases of an object, each kind with the oldest first."""
    found: list[Unfinished] = []
    for database in db.databases().values():
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
    databases = list(db.databases().values())
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


async def _resolve_saga(headers: Headers, id: str, verdict: str) -> str:
    again = {"state": COMPENSATING, "owner": NOBODY}
    changes = again if verdict == "retry" else {"state": COMPENSATED}
    if not await headers.move(id, NEEDS_ATTENTION, changes):
        raise ValidationError(
            f"the saga is {await headers.state(id)}; only one that needs attention is resolved"
        )
    return "waits for recovery, which tries again" if verdict == "retry" else "is compensated"
