"""A connection that a transaction holds, and what ends things on it from wherever that is asked for."""

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from dataflow.abc import Connection
from dataflow.errors import CommitUnknown, ConnectionLost, ScopeLost, StatementTimeout
from dataflow.execution.background import call_on, is_reachable, running
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database

__all__ = ["Held", "commit", "undo_across"]

T = TypeVar("T")

UNDOING_PATIENCE = 2.0


class Held:
    """A connection that was borrowed, and where: one across the network belongs to the event loop that uses it."""

    __slots__ = ("_in_process", "begun", "connection", "loop")

    def __init__(self, connection: Connection, database: Database) -> None:
        self.connection = connection
        self.begun = False
        self._in_process = database.in_process
        self.loop = None if database.in_process else running_loop()

    @property
    def is_here(self) -> bool:
        """Whether whoever asks need not go elsewhere to use it."""
        return self._in_process or (self.loop is not None and running_loop() is self.loop)

    @property
    def is_stranded(self) -> bool:
        """Whether it is across the network and its event loop does not run any more, so that nobody can wait for it."""
        return self.loop is not None and not is_reachable(self.loop)

    def run(self, work: Coroutine[Any, Any, T], blocking: bool) -> Coroutine[Any, Any, T]:
        """Do something of the transaction itself, from wherever this is.

        :raises ScopeLost: where nobody can wait for it any more; the connection is closed then.
        """
        if self._in_process:
            # An event loop that was closed under its tasks cannot wait for their ends any more.
            return self.connection.offload(work) if not blocking and running_loop() is not None else work
        return work if not blocking and self.is_here else self._run_elsewhere(work, blocking)

    async def _run_elsewhere(self, work: Coroutine[Any, Any, T], blocking: bool) -> T:
        """Have the event loop of the connection do it."""
        if self.loop is None or self.is_stranded:
            work.close()
            self.connection.abandon()
            raise ScopeLost(
                "the event loop to which the connection belongs does not run any more; nothing of it was kept"
            )
        if blocking:
            return call_on(self.loop, work).result()
        import asyncio

        with running(self.loop):
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))


async def commit(connection: Connection, ending: Coroutine[Any, Any, object] | None = None) -> None:
    """Commit across the network.

    :param ending: does it, where that takes another statement than usual.
    :raises CommitUnknown: where the answer did not come. Nothing can be undone then, and the connection is closed; so
        it is where the waiting is cancelled, and the cancellation bears a note.
    """
    try:
        await (connection.execute("COMMIT") if ending is None else ending)
    except (ConnectionLost, StatementTimeout) as error:
        await connection.close()
        raise CommitUnknown(f"{error}; whether the transaction was committed is not known") from error
    except Exception:
        raise  # the database has answered, and refused
    except BaseException as error:
        await connection.close()
        error.add_note("This came while a transaction was being committed: whether it was is not known.")
        raise


async def undo_across(connection: Connection, statements: Sequence[str]) -> None:
    """Undo a part across the network, for which a task may wait that was cancelled and so must end soon."""
    from asyncio import timeout

    try:
        async with timeout(UNDOING_PATIENCE):
            for statement in statements:
                await connection.execute(statement)
    except TimeoutError as error:
        await connection.close()
        raise ConnectionLost(f"the server did not answer within {UNDOING_PATIENCE:g} s") from error
