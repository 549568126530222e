"""Nodes of the ledger, which must not read or write in another database that answers in the place of theirs."""

from typing import Any

from dataflow.errors import ScopeLost
from dataflow.nodes.contract import Node, Output, Place
from dataflow.transactions.identity import check_identity

__all__ = ["Guarded"]


class Guarded:
    """A node that runs on the database of an identity only, and not on a replica of it, which may be behind.

    :param node: what it does there.
    """

    def __init__(self, node: Node, identity: str) -> None:
        assert node.database is not None
        self.name = node.name
        self.database = node.database
        self.model = node.model
        self.outputs = node.outputs
        self.settled = node.settled
        self.waits = node.waits
        self.outside = node.outside
        self.may_write = node.may_write
        self.check = node.check
        self.missing = node.missing
        self.prepare = node.prepare
        self.repeatable = node.repeatable
        self.alone = node.alone
        self._node = node
        self._identity = identity

    async def run(self, scope: Place, prepared: Any) -> Output:
        connection = await scope.connection(self.database)
        if self.database.leads_to_replica(connection):
            raise ScopeLost("the ledger is read where it is written")  # which is done then
        await check_identity(self.database, connection, self._identity)
        return await self._node.run(scope, prepared)
