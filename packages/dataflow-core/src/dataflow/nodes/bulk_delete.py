"""The node that deletes many rows."""

from collections.abc import Collection, Mapping
from typing import Any

from dataflow.errors import InvalidValue
from dataflow.model.features import deletion_field
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.many import read_flag, required_filter
from dataflow.nodes.rows import ModelNode
from dataflow.statements import Delete

__all__ = ["BulkDeleteNode"]

CONTROLS = frozenset({"filter", "soft_delete", "confirmed"})


class BulkDeleteNode(ModelNode):
    """Deletes the rows that match a filter, and tells how many these were.

    A model with soft deletion keeps them, marked as deleted, unless ``soft_delete`` is False.
    """

    suffix = "BulkDeleteNode"
    writes = True
    settled = True

    @property
    def outputs(self) -> frozenset[str] | None:
        return frozenset({"deleted", "result"})

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        for name in names:
            if name not in CONTROLS:
                raise self.unknown(name, CONTROLS)
        read_flag(parameters, "confirmed", self.name)
        self._check_soft_delete(parameters)
        if "filter" in parameters and ("confirmed" in parameters or "confirmed" not in names):
            required_filter(self.model, parameters, self.name)

    def missing(self, names: Collection[str]) -> str | None:
        return None if "filter" in names else f"{self.name} needs a filter, such as {{'field': value}}"

    def prepare(self, parameters: Mapping[str, Any]) -> Delete:
        self.check(parameters, parameters)
        where = required_filter(self.model, parameters, self.name)
        for_good = not read_flag(parameters, "soft_delete", self.name, default=True)
        return Delete(self.model, where, returning=False, for_good=for_good)

    def alone(self, prepared: Delete) -> bool:
        return True

    async def run(self, scope: Place, prepared: Delete) -> Output:
        database = self.database
        deleted = await database.executor.affected(await scope.connection(database), prepared)
        return {"deleted": deleted, "result": deleted}

    def _check_soft_delete(self, parameters: Mapping[str, object]) -> None:
        if read_flag(parameters, "soft_delete", self.name) and deletion_field(self.model) is None:
            raise InvalidValue(
                f"{self.name}: {self.model.name} has no soft deletion, so the rows would be gone for good; "
                'give the model __dataflow__ = {"soft_delete": True}'
            )
