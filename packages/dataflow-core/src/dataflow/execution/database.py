"""A database of an engine: its dialect, its connections, its models."""

import logging
from collections.abc import Sequence

from dataflow.abc import Connection, Dialect
from dataflow.capabilities import Capability
from dataflow.errors import DatabaseBusy
from dataflow.execution.executor import Executor
from dataflow.execution.pool import WorkflowConnectionPool
from dataflow.execution.schema_changes import additive_changes
from dataflow.execution.semaphore import FairSemaphore
from dataflow.model.schema import Model
from dataflow.statements import SchemaChange

__all__ = ["Database"]

log = logging.getLogger("dataflow.schema")


class Database:
    """One database, by a name within its engine.

    :param name: "primary" or what the user called it.
    :param dialect: how to speak to it.
    :param pool: its connections.
    :param wait: how many seconds a run waits for its turn to write, where only one can.
    :param migrate: whether tables, columns and indexes that are missing are made before the first run.
    """

    def __init__(
        self, name: str, dialect: Dialect, pool: WorkflowConnectionPool, *, wait: float, migrate: bool
    ) -> None:
        self.name = name
        self.dialect = dialect
        self.in_process = dialect.in_process
        self.pool = pool
        self.executor = Executor(dialect)
        self.models: dict[str, Model] = {}
        self.unprepared: tuple[Model, ...] = ()
        """The models whose tables have not been looked at yet."""
        self._wait = wait
        self._migrate = migrate
        single_writer = Capability.CONCURRENT_WRITERS not in dialect.capabilities
        self._writer = FairSemaphore(1) if single_writer else None
        self._writing = ""

    def add_model(self, model: Model) -> None:
        """Take a model up; its table is looked at before the next run begins."""
        self.dialect.check_model(model)
        self.models[model.name] = model
        if self._migrate:
            self.unprepared += (model,)

    def drop_model(self, model: Model) -> None:
        """Forget a model that was defined again. Its table stays."""
        self.unprepared = tuple(other for other in self.unprepared if other is not model)

    def take(self, holder: str, *, writes: bool) -> Connection | None:
        """Borrow a connection if one is at hand, and the turn to write is free where it is needed."""
        writer = self._writer if writes else None
        if writer is not None and not writer.take():
            return None
        connection = self.pool.take(holder)
        if writer is not None:
            if connection is None:
                writer.give_back()
            else:
                self._writing = holder
        return connection

    async def borrow(self, holder: str, *, writes: bool, blocking: bool) -> Connection:
        """Borrow a connection, after a turn to write where ``writes`` and only one can.

        :raises PoolTimeout: where no connection became free in time.
        :raises DatabaseBusy: where the turn to write did not come in time.
        """
        writer = self._writer if writes else None
        if writer is not None and not await writer.acquire(self._wait, blocking=blocking):
            raise DatabaseBusy(
                f"{self._writing} has kept others from writing to {self.name!r} for {self._wait:g} s"
            )
        try:
            connection = await self.pool.acquire(holder, blocking=blocking)
        except BaseException:
            if writer is not None:
                writer.give_back()
            raise
        if writer is not None:
            self._writing = holder
        return connection

    def give_back(self, connection: Connection, *, writes: bool) -> bool:
        """Return a connection and the turn to write.

        :returns: whether it was kept; else it is the caller's to close.
        """
        kept = self.pool.put(connection)
        if writes and self._writer is not None:
            self._writer.give_back()
        return kept

    async def prepare(self, *, blocking: bool) -> None:
        """Make the tables, columns and indexes that the models lack, on a connection of their own.

        :raises SchemaMismatch: where an addition is not enough; then nothing was changed.
        """
        models = self.unprepared
        connection = await self.borrow("the preparation of the schema", writes=True, blocking=blocking)
        try:
            work = self._bring_up_to_date(connection, models)
            await (work if blocking else connection.offload(work))
        finally:
            if not self.give_back(connection, writes=True):
                await connection.close()
        self.unprepared = tuple(model for model in self.unprepared if model not in models)

    async def _bring_up_to_date(self, connection: Connection, models: Sequence[Model]) -> None:
        if not await self._changes(connection, models):
            return
        await connection.execute(self.dialect.begin(writes=True))
        try:
            # Another process may have been faster: only under the lock is the answer final.
            for change in await self._changes(connection, models):
                statement = self.dialect.ddl(change)
                log.info("%s: %s", self.name, statement)
                await connection.execute(statement)
            await connection.execute("COMMIT")
        except BaseException:
            await connection.rollback()
            raise

    async def _changes(self, connection: Connection, models: Sequence[Model]) -> Sequence[SchemaChange]:
        return additive_changes(
            self.dialect, models, await self.dialect.tables(connection, models), self.models
        )
