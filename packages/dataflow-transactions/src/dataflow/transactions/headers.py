"""How far sagas have come as a whole, as their home tells it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from dataflow.execution.database import Database
from dataflow.nodes.bulk_create import BulkCreateNode
from dataflow.nodes.bulk_delete import BulkDeleteNode
from dataflow.nodes.bulk_update import BulkUpdateNode
from dataflow.nodes.crud import ReadNode
from dataflow.nodes.listing import ListNode
from dataflow.runtime.calls import NodeCall
from dataflow.transactions.abilities import called
from dataflow.transactions.guarded import Guarded
from dataflow.transactions.identity import AnotherDatabase
from dataflow.transactions.ledger import SAGAS
from dataflow.transactions.tables import fitting

__all__ = ["COMPENSATED", "COMPENSATING", "DONE", "NEEDS_ATTENTION", "NOBODY", "RUNNING", "Headers"]

RUNNING: Final = "running"
DONE: Final = "done"
COMPENSATING: Final = "compensating"
COMPENSATED: Final = "compensated"
NEEDS_ATTENTION: Final = "needs_attention"
NOBODY: Final = "nobody"
"""The owner of a saga that waits for recovery."""


class Headers:
    """The sagas of a database that is their home."""

    def __init__(self, home: Database) -> None:
        model = fitting(home, SAGAS)
        self._home = home
        self._create = BulkCreateNode(home, model)
        self._update = BulkUpdateNode(home, model)
        self._delete = BulkDeleteNode(home, model)
        self._read = ReadNode(home, model)
        self._list = ListNode(home, model)

    async def create(self, header: Mapping[str, object], identity: str) -> None:
        """Enter one that begins.

        :param identity: that of the home.
        :raises AnotherDatabase: where another one is in its place.
        """
        await NodeCall(Guarded(self._create, identity), {"data": [header]})

    async def move(self, saga: str, old: str, changes: Mapping[str, object]) -> bool:
        """Change a saga that is in a state; whether it was in that one."""
        return await self._change({"id": saga, "state": old}, changes)

    async def take(self, saga: str, old: str, owner: str) -> bool:
        """Let a saga go from one owner to another; whether it belonged to that one."""
        return await self._change({"id": saga, "owner": old}, {"owner": owner})

    async def read(self, saga: str) -> Mapping[str, Any] | None:
        """The row of a saga; None where there is none."""
        output = await NodeCall(self._read, {"id": saga})
        return output["record"] if output["found"] else None

    async def state(self, saga: str) -> str:
        """Where a saga is that was there.

        :raises AnotherDatabase: where it is not any more.
        """
        row = await self.read(saga)
        if row is None:
            raise AnotherDatabase(
                f"{called(self._home)} does not know saga {saga} any more: another database answers in its place, or "
                "somebody has deleted it there"
            )
        state: str = row["state"]
        return state

    async def list(self, states: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """The rows of the sagas in some states, the oldest first."""
        return await self._found({"state": {"$in": states}})

    async def ended(self, *, before: datetime, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """The ids and places of sagas that have ended, the oldest first.

        :param before: when they ended at the latest.
        :param after: only those whose ids come after this one.
        """
        ended = {"state": {"$in": [DONE, COMPENSATED]}, "updated_at": {"$lt": before}, "id": {"$gt": after}}
        return await self._found(ended, limit=limit, fields=["id", "places"])

    async def forget(self, sagas: Sequence[str]) -> None:
        """Delete the rows of some sagas."""
        await NodeCall(self._delete, {"filter": {"id": {"$in": sagas}}})

    async def _found(self, filter: Mapping[str, object], **bounds: object) -> Sequence[Mapping[str, Any]]:
        output = await NodeCall(self._list, {"filter": filter, "order_by": ["id"], **bounds})
        rows: Sequence[Mapping[str, Any]] = output["records"]
        return rows

    async def _change(self, found: Mapping[str, object], changes: Mapping[str, object]) -> bool:
        output = await NodeCall(self._update, {"filter": found, "update": changes})
        return bool(output["updated"])
