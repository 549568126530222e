"""A database of an engine: its dialect, its connections, its models."""

from collections.abc import Collection, Coroutine, Sequence, Set
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from dataflow.abc import Connection, Dialect, Interceptor
from dataflow.capabilities import Capability
from dataflow.errors import DatabaseBusy, ModelError, PoolTimeout, SchemaMismatch
from dataflow.execution.crossing import running_loop
from dataflow.execution.executor import Executor
from dataflow.execution.schema_changes import additive_changes, in_order_of_references, left_null
from dataflow.execution.semaphore import FairSemaphore
from dataflow.execution.stepping import step
from dataflow.logs import logger
from dataflow.model.schema import Model
from dataflow.statements import SchemaChange

if TYPE_CHECKING:
    from dataflow.execution.loop_pools import LoopPools
    from dataflow.execution.pool import WorkflowConnectionPool
    from dataflow.execution.replica import Replica

__all__ = ["Database"]

FORK_PATIENCE = 5.0
A_MOMENT = 0.002


class Database:
    """One database, by a name within its engine.

    :param name: "primary" or what the user called it.
    :param dialect: how to speak to it.
    :param pool: its connections.
    :param wait: how many seconds a run waits for its turn to write, where only one can.
    :param idle_timeout: how many seconds a transaction may be idle while a function of its run works.
    :param may_change_schema: whether anything may change the schema at all.
    :param migrate: whether tables, columns and indexes that are missing are made before the first run.
    :param interceptors: rewrite its statements, in this order.
    :param place: where it is, without its user and password; empty where nobody has said.
    :param replica: what serves those who only read, as long as it is there and not behind.
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        pool: "WorkflowConnectionPool | LoopPools",
        *,
        wait: float,
        migrate: bool,
        idle_timeout: float = 5.0,
        may_change_schema: bool = True,
        interceptors: Sequence[Interceptor] = (),
        place: str = "",
        replica: "Replica | None" = None,
    ) -> None:
        self.name = name
        self.place = place
        self.replica = replica
        self.dialect = dialect
        self.in_process = dialect.in_process
        self.statements_are_atomic = Capability.STATEMENT_ATOMICITY in dialect.capabilities
        self.has_savepoints = Capability.SAVEPOINTS in dialect.capabilities
        self.pool = pool
        self.executor = Executor(dialect, interceptors)
        self.models: dict[str, Model] = {}
        self.unprepared: tuple[Model, ...] = ()
        """The models whose tables have not been looked at yet."""
        self.refused: frozenset[Model] = frozenset()
        """The models whose tables need more than an addition."""
        self.unsettled = False
        """Whether there are any of either."""
        self._nulls: WeakKeyDictionary[Model, frozenset[str]] = WeakKeyDictionary()
        self._lock = Lock()
        self.may_change_schema = may_change_schema
        self.idle_timeout = idle_timeout
        self.migrates = migrate
        """Whether tables, columns and indexes that are missing are made."""
        self._wait = wait
        single_writer = Capability.CONCURRENT_WRITERS not in dialect.capabilities
        self._writer = FairSemaphore(1) if single_writer else None
        self._writing = ""
        self._preparing = FairSemaphore(1)
        self._lent_shortly: set[Connection] = set()
        self._used_up: set[Connection] = set()
        self._is_held_for_fork = False

    def add_model(self, model: Model) -> None:
        """Take a model up, in the place of an older one of its name; its table is looked at before the next run."""
        with self._lock:
            older = self.models.get(model.name)
            if older is not None:
                self.executor.forget(older)
            self.executor.admit(model)
            self.models[model.name] = model
            self.refused -= {older}
            self.unprepared = tuple(other for other in self.unprepared if other is not older)
            if self.migrates and not model.existing:
                self.unprepared += (model,)
            self.unsettled = bool(self.unprepared or self.refused)

    def nulls(self, model: Model) -> frozenset[str]:
        """The fields that are null where an INSERT leaves them out, as far as the table has been looked at."""
        return self._nulls.get(model, frozenset())

    def drop_model(self, model: Model) -> None:
        """Forget a model that now lives elsewhere. Its table stays."""
        with self._lock:
            if self.models.get(model.name) is model:
                del self.models[model.name]
            self.executor.forget(model)
            self._settle({model}, set())

    def before_fork(self, *, is_writing: bool) -> None:
        """In a parent that is about to fork: let go of what must not be inherited.

        A transaction that somebody else writes is waited for, a moment: SQLite would tell the child for ever that
        somebody writes.

        :param is_writing: whether whoever forks has the turn to write.
        """
        if self._writer is not None and self.dialect.fork_closes and not is_writing:
            self._is_held_for_fork = step(self._writer.acquire(FORK_PATIENCE, blocking=True))
        self.pool.before_fork()

    def after_fork_in_parent(self) -> None:
        """Let others write again."""
        if self._is_held_for_fork and self._writer is not None:
            self._is_held_for_fork = False
            self._writer.give_back()

    def after_fork(self) -> None:
        """In the child: nobody holds a connection or the turn to write; what was in memory stayed with the parent."""
        self.pool.forget()
        if self.replica is not None:
            self.replica.forget()
        self._lock = Lock()
        self._lent_shortly.clear()
        self._used_up.clear()
        self._is_held_for_fork = False
        self._preparing = FairSemaphore(1)
        if self._writer is not None:
            self._writer = FairSemaphore(1)
        if self.dialect.max_connections == 1 and self.migrates:
            self.unprepared = tuple(model for model in self.models.values() if not model.existing)
            self.unsettled = bool(self.unprepared)

    def take(self, holder: str, *, writes: bool, primary: bool = False) -> Connection | None:
        """Borrow a connection if one is at hand, and the turn to write is free where it is needed."""
        if self.replica is not None and not writes and not primary:
            return None  # it must be asked first
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

    async def borrow_shortly(self, holder: str, *, writes: bool) -> Connection | None:
        """Borrow a connection in a thread that others need too; None where that takes longer than a moment."""
        connection = self.take(holder, writes=writes)
        # Only somebody who works in such a thread is sure to need no other one before it gives back what it has.
        if connection is None and self._lent_shortly:
            with suppress(DatabaseBusy, PoolTimeout):
                connection = await self.borrow(holder, writes=writes, blocking=True, patience=A_MOMENT)
        if connection is not None:
            self._lent_shortly.add(connection)
        return connection

    def borrow(
        self,
        holder: str,
        *,
        writes: bool,
        blocking: bool,
        patience: float | None = None,
        primary: bool = False,
    ) -> Coroutine[Any, Any, Connection]:
        """Borrow a connection, after a turn to write where ``writes`` and only one can.

        :param patience: how many seconds to wait for either, where it is not as configured.
        :param primary: whether it must not be one of the replica, which serves those who do not write.
        :raises PoolTimeout: where no connection became free in time.
        :raises DatabaseBusy: where the turn to write did not come in time.
        """
        if writes and self._writer is not None:
            return self._borrow_to_write(self._writer, holder, blocking, patience)
        if self.replica is not None and not writes and not primary:
            return self._borrow_to_read(self.replica, holder)
        return self.pool.acquire(holder, blocking=blocking, patience=patience)

    async def _borrow_to_read(self, replica: "Replica", holder: str) -> Connection:
        return await replica.lend(holder) or await self.pool.acquire(holder, blocking=False)

    async def _borrow_to_write(
        self, writer: FairSemaphore, holder: str, blocking: bool, patience: float | None
    ) -> Connection:
        wait = self._wait if patience is None else patience
        if not await writer.acquire(wait, blocking=blocking):
            raise DatabaseBusy(
                f"{self._writing} has kept others from writing to {self.name!r} for {wait:g} s"
            )
        try:
            connection = await self.pool.acquire(holder, blocking=blocking, patience=patience)
        except BaseException:
            writer.give_back()
            raise
        self._writing = holder
        return connection

    async def undo(self, connection: Connection) -> None:
        """Roll back what was not committed; a connection that cannot even do that is closed."""
        try:
            await connection.rollback()
        except Exception as error:
            logger("dataflow.connections").warning(
                "%s: a connection that could not be rolled back was closed: %s", self.name, error
            )
            await self.discard(connection)

    async def discard(self, connection: Connection) -> None:
        """Close a connection that was not kept."""
        if self.in_process or running_loop() is not None:
            await connection.close()
        else:
            # The end of a task whose event loop is closed: nobody can wait any more.
            connection.abandon()

    def use_up(self, connection: Connection) -> None:
        """Have a connection that was borrowed closed when it comes back, as others must not find it as it will be.

        The only one that there can be is the database itself, and kept.
        """
        if self.dialect.max_connections != 1:
            self._used_up.add(connection)

    def give_back(self, connection: Connection, *, writes: bool) -> bool:
        """Return a connection and the turn to write.

        :returns: whether it was kept; else it is the caller's to close.
        """
        self._lent_shortly.discard(connection)
        pool, replica = self.pool, self.replica
        if replica is not None:
            if replica.lends(connection):
                pool = replica.pool
            else:
                replica.note_use()
        kept = pool.put(connection, keep=connection not in self._used_up)
        self._used_up.discard(connection)
        if writes and self._writer is not None:
            self._writer.give_back()
        return kept

    def leads_to_replica(self, connection: Connection) -> bool:
        """Whether a connection that was borrowed is one of the replica."""
        return self.replica is not None and self.replica.lends(connection)

    async def connect(self) -> None:
        """Open the first connections, so that whoever comes need not; a replica may come later."""
        connection = await self.pool.acquire("the start", blocking=False)
        if not self.pool.put(connection):
            await self.discard(connection)
        if self.replica is not None:
            await self.replica.examine()

    async def close(self) -> None:
        """Close its connections."""
        await self.pool.close()
        if self.replica is not None:
            await self.replica.pool.close()

    def close_here(self) -> None:
        """Do so from a thread."""
        self.pool.close_here()
        if self.replica is not None:
            self.replica.pool.close_here()

    async def prepare(self, needed: Collection[Model], *, blocking: bool) -> None:
        """Make the tables, columns and indexes that models lack, on a connection of their own.

        :param needed: the models that are about to be used. Others that are new are looked at on the way; what is
            wrong with them is told when they are needed.
        :raises SchemaMismatch: where an addition is not enough; then nothing was changed.
        """
        if not await self._preparing.acquire(self._wait, blocking=blocking):
            raise DatabaseBusy(f"the schema of {self.name!r} has been in preparation for {self._wait:g} s")
        try:
            # Whoever had the turn before may have done it.
            models = {*self.unprepared, *self.refused.intersection(needed)}
            if models:
                await self._prepare(models, needed, blocking=blocking)
        finally:
            self._preparing.give_back()

    async def _prepare(self, models: set[Model], needed: Collection[Model], *, blocking: bool) -> None:
        connection = await self.borrow("the preparation of the schema", writes=True, blocking=blocking)
        try:
            work = self._bring_up_to_date(connection, models, models.intersection(needed))
            refused = await (work if blocking else connection.offload(work))
        finally:
            if not self.give_back(connection, writes=True):
                await self.discard(connection)
        with self._lock:
            self._settle(models, refused)

    def _settle(self, models: Set[Model], refused: Set[Model]) -> None:
        self.unprepared = tuple(model for model in self.unprepared if model not in models)
        self.refused = (self.refused - models) | refused
        self.unsettled = bool(self.unprepared or self.refused)

    async def _bring_up_to_date(
        self, connection: Connection, models: Collection[Model], needed: Collection[Model]
    ) -> Set[Model]:
        """Change the schema where it must be; the models that cannot be helped come back, if they are not needed."""
        changes, refused = await self._changes(connection, models, needed)
        if not changes:
            return refused
        try:
            return await self._change_locked(connection, models, needed)
        finally:
            await self._unlock(connection)

    async def _change_locked(
        self, connection: Connection, models: Collection[Model], needed: Collection[Model]
    ) -> Set[Model]:
        """Change the schema in a transaction that keeps other processes from it."""
        await connection.execute(self.dialect.begin(writes=True))
        try:
            await self.dialect.lock_schema(connection)
            # Another process may have been faster: only under the lock is the answer final.
            changes, refused = await self._changes(connection, models, needed)
            for change in changes:
                statement = self.dialect.ddl(change)
                logger("dataflow.schema").info("%s: %s", self.name, statement)
                await connection.execute(statement)
            await connection.execute("COMMIT")
        except BaseException:
            await self.undo(connection)
            raise
        return refused

    async def _unlock(self, connection: Connection) -> None:
        try:
            await self.dialect.unlock_schema(connection)
        except BaseException as error:
            # The lock goes with the connection, and nobody needs to hear of it.
            await connection.close()
            if not isinstance(error, Exception):
                raise

    async def _changes(
        self, connection: Connection, models: Collection[Model], needed: Collection[Model]
    ) -> tuple[Sequence[SchemaChange], Set[Model]]:
        tables = await self.dialect.tables(connection, [*models])
        for model in models:
            self._nulls[model] = left_null(model, tables.get(model.table))
        ordered = [model for model in self.models.values() if model in models]
        changes = list(
            additive_changes(self.dialect, [m for m in ordered if m in needed], tables, self.models)
        )
        refused: set[Model] = set()
        for model in ordered:
            if model not in needed:
                try:
                    changes += additive_changes(self.dialect, [model], tables, self.models)
                except (SchemaMismatch, ModelError):
                    refused.add(model)
        if Capability.FORWARD_REFERENCES not in self.dialect.capabilities:
            return in_order_of_references(changes), refused
        return changes, refused
