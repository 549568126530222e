"""How far sagas have come as a whole, as their home tells it."""

from collections.abc import Mapping
from typing import Any, Final

from dataflow.execution.database import Database
from dataflow.nodes.bulk_create import BulkCreateNode
from dataflow.nodes.bulk_update import BulkUpdateNode
from dataflow.nodes.crud import ReadNode
from dataflow.runtime.calls import NodeCall
from dataflow.transactions.ledger import SAGAS, ledger_model

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
        model = ledger_model(home, SAGAS)
        self._create = BulkCreateNode(home, model)
        self._update = BulkUpdateNode(home, model)
        self._read = ReadNode(home, model)

    async def create(self, header: Mapping[str, object]) -> None:
        """Enter one that begins."""
        await NodeCall(self._create, {"data": [header]})

    async def move(self, saga: str, old: str, changes: Mapping[str, object]) -> bool:
        """Change a saga that is in a state; whether it was in that one."""
        output = await NodeCall(self._update, {"filter": {"id": saga, "state": old}, "update": changes})
        return bool(output["updated"])

    async def read(self, saga: str) -> Mapping[str, Any]:
        """The row of a saga."""
        output = await NodeCall(self._read, {"id": saga})
        row: Mapping[str, Any] = output["record"]
        return row
