"""Nodes of the ledger, which must not read or write in another database that answers in the place of theirs."""

from typing import Any

from dataflow.errors import ScopeLost
from dataflow.nodes.contract import Node, Output, Place
from dataflow.transactions.identity import check_identity
from dataflow.transactions.wrapped import Wrapped

__all__ = ["Guarded"]


class Guarded(Wrapped):
    """A node that runs on the database of an identity only, and not on a replica of it, which may be behind.

    :param node: what it does there.
    """

    def __init__(self, node: Node, identity: str) -> None:
        super().__init__(node)
        self.outputs = node.outputs
        self.settled = node.settled
        self.alone = node.alone
        self._identity = identity

    async def run(self, scope: Place, prepared: Any) -> Output:
        assert self.database is not None
        connection = await scope.connection(self.database)
        if self.database.leads_to_replica(connection):
            # As where a replica breaks off what it does, the primary does it then.
            raise ScopeLost("the ledger is read where it is written")
        await check_identity(self.database, connection, self._identity)
        return await self._node.run(scope, prepared)
