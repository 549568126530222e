"""Reading the schema of a database on the way that every node goes: in the transaction that is open, if one is."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from dataflow.capabilities import Capability
from dataflow.catalog import CatalogTable
from dataflow.errors import ConfigurationError
from dataflow.execution.database import Database
from dataflow.nodes.contract import Output, Place

if TYPE_CHECKING:
    from dataflow.abc import DiscoveringDialect

__all__ = ["DiscoveryNode", "tables_in"]


class DiscoveryNode:
    """Describes every table of a database."""

    name = "discover_schema"
    model = None
    outputs = frozenset({"result"})
    settled = True
    waits = False
    outside = False

    def __init__(self, database: Database) -> None:
        if Capability.DISCOVERY not in database.dialect.capabilities:
            raise ConfigurationError(
                f"the dialect {database.dialect.name} does not describe tables that are there; declare models"
            )
        self.database = database

    def may_write(self, parameters: Mapping[str, object]) -> bool:
        return False

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        pass

    def missing(self, names: Collection[str]) -> str | None:
        return None

    def prepare(self, parameters: Mapping[str, Any]) -> None:
        return None

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        return True

    def alone(self, prepared: None) -> bool:
        return True

    async def run(self, scope: Place, prepared: None) -> Output:
        connection = await scope.connection(self.database)
        dialect = cast("DiscoveringDialect", self.database.dialect)
        return {"result": await dialect.discover(connection)}


def tables_in(output: Output) -> Sequence[CatalogTable]:
    """What the node has found."""
    return cast("Sequence[CatalogTable]", output["result"])
