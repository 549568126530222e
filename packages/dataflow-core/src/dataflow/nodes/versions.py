"""The version that a caller read of a row and expects to be still there."""

from collections.abc import Iterable, Mapping, Sequence

from dataflow.abc import Connection
from dataflow.errors import InvalidValue, StaleRecord
from dataflow.execution.database import Database
from dataflow.filters.changes import Changes
from dataflow.model.features import version_field
from dataflow.model.schema import Model
from dataflow.statements import EVERYTHING, Select, UpdateMany, Where, equals, having_one_of

__all__ = ["ExpectedVersion"]

KEYS_AT_ONCE = 200


class ExpectedVersion:
    """Reads the parameter that holds the version, on the nodes of a model that has one.

    :param name: the node's, for messages.
    """

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = name
        self.field = version_field(model)
        self.names: tuple[str, ...] = () if self.field is None else (self.field.name,)

    def where(self, parameters: Mapping[str, object]) -> Where:
        """The condition that the row still has the version; none where no version is given."""
        field = self.field
        if field is None or field.name not in parameters:
            return EVERYTHING
        return equals(field.name, field.coerce(parameters[field.name]))

    def refuse_change(self, changes: Changes) -> None:
        """Refuse changes of the version itself, which counts by itself.

        :raises InvalidValue: where there is one.
        """
        if self.field is None:
            return
        for change in changes.shape:
            if change.field == self.field.name:
                raise InvalidValue(
                    f"{self._name}: {change.field} counts by itself; "
                    "beside a selector it is the version that you expect to be there"
                )

    async def refuse_stale(self, database: Database, connection: Connection, selected: Where) -> None:
        """Find out why an expected version was not met.

        :param selected: which row is meant, whatever its version.
        :raises StaleRecord: where there is such a row.
        """
        found = Select(self._model, selected, limit=1, fields=self.names)
        if await database.executor.records(connection, found):
            raise StaleRecord(
                f"{self._name}: the row has another version by now; read it again and repeat the change"
            )

    async def refuse_stale_rows(
        self, database: Database, connection: Connection, statement: UpdateMany, met: int
    ) -> None:
        """Find out why a statement met fewer rows than it has: some may be missing, none may have another version.

        :param met: how many it met.
        :raises StaleRecord: where more of them are there.
        """
        if self.field is None or self.field.name not in statement.match:
            return
        width = len(statement.match) - 1
        there = 0
        for some in _chunks([row[:width] for row in statement.rows]):
            which = having_one_of(statement.match[:width], some)
            counted = await database.executor.records(connection, Select(self._model, which, counting=True))
            there += counted[0]["count"]
        if there > met:
            raise StaleRecord(
                f"{self._name}: {there - met} of the rows have another version by now; "
                "read them again and repeat the change"
            )


def _chunks(rows: Sequence[tuple[object, ...]]) -> Iterable[Sequence[tuple[object, ...]]]:
    return (rows[start : start + KEYS_AT_ONCE] for start in range(0, len(rows), KEYS_AT_ONCE))
