"""Which way many rows go into a table, by how many they are and by what is known of the table."""

from collections.abc import Sequence
from typing import Any

from dataflow.abc import BatchInsert, BatchUpdate, Rows
from dataflow.postgres.bulk import copy
from dataflow.postgres.bulk.multi_values import insert_rows
from dataflow.postgres.bulk.target import Target, target_of
from dataflow.postgres.bulk.through_table import FEWEST_ROWS, MAY_MAKE_TABLES, insert_through_table
from dataflow.postgres.bulk.update_from_arrays import update_rows
from dataflow.postgres.bulk.upsert import upsert_rows
from dataflow.postgres.ddl import qualified

__all__ = ["Ways"]


class Ways:
    """The ways of one connection, and what it has learned of the tables that rows went into.

    :param copies: whether COPY may be taken. The driver does not wait for the server's leave to send rows, which
        PgBouncer 1.26 takes for a COPY without an end; it lends the session to nobody else any more.
    """

    def __init__(self, *, copies: bool) -> None:
        self.avoids_tables = False
        """Whether the transaction may be prepared, which one with temporary tables cannot."""
        self.copied: dict[str, bool] = {}
        """Whether COPY fills a table, by the head of the INSERT, for as long as nobody can have changed it."""
        self._copies = copies
        self._targets: dict[str, Target] = {}
        self._makes_tables: bool | None = None

    def forget(self) -> None:
        """Look at everything anew."""
        self.copied.clear()
        self._targets.clear()
        self._makes_tables = None

    async def insert(self, raw: Any, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> Rows | int:
        """Store rows; the number of them, or what comes back in their order."""
        if len(rows) >= copy.FEWEST_ROWS and not batch.returning and await self._takes_copy(raw, batch):
            await copy.copy_rows(raw, batch.table, batch.fields, rows, schema=batch.schema or None)
            return len(rows)
        through_table = await self._goes_through_table(raw, batch, rows)
        insert = insert_through_table if through_table else insert_rows
        returned = await insert(raw, await self._target(raw, batch), batch, rows)
        return returned if batch.returning else len(rows)

    async def upsert(self, raw: Any, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> tuple[int, int]:
        """Store rows or change those that are there; how many were new, and how many were not."""
        through_table = await self._goes_through_table(raw, batch, rows)
        target = await self._target(raw, batch)
        return await upsert_rows(raw, target, batch, rows, through_table=through_table)

    async def update(
        self, raw: Any, batch: BatchUpdate, shared: Sequence[object], rows: Sequence[Sequence[object]]
    ) -> int:
        """Change rows; how many there were."""
        return await update_rows(raw, await self._target(raw, batch), batch, shared, rows)

    async def _takes_copy(self, raw: Any, batch: BatchInsert) -> bool:
        """Whether COPY stores the very rows that an INSERT would; each transaction finds out once for a table."""
        if not batch.fields or not self._copies or not raw.is_in_transaction():
            return False
        takes = self.copied.get(batch.head)
        if takes is None:
            table = qualified(batch.schema, batch.table)
            target = await self._target(raw, batch)
            takes = target.may_be_held and await copy.takes_copy(raw, table, batch.fields)
            self.copied[batch.head] = takes
        return takes

    async def _target(self, raw: Any, batch: BatchInsert | BatchUpdate) -> Target:
        """What a table is; a connection asks once, since of what has changed comes no worse than an error."""
        table = qualified(batch.schema, batch.table)
        target = self._targets.get(table)
        if target is None:
            target = self._targets[table] = await target_of(raw, table)
        return target

    async def _goes_through_table(
        self, raw: Any, batch: BatchInsert, rows: Sequence[Sequence[object]]
    ) -> bool:
        """Whether rows are worth a temporary table, and may have one; it goes with the transaction."""
        if not batch.fields or len(rows) < FEWEST_ROWS or not raw.is_in_transaction():
            return False
        if self.avoids_tables or not self._copies:
            return False
        if self._makes_tables is None:
            self._makes_tables = await raw.fetchval(MAY_MAKE_TABLES)
        return self._makes_tables is True
