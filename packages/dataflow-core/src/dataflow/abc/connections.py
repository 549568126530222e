"""What a driver does for the core."""

from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from dataflow.abc.batches import BatchInsert, BatchUpdate
from dataflow.abc.values import RawResult, Rows

T = TypeVar("T")


class Cursor(Protocol):
    """Rows that the database hands out bit by bit; awaits and errors are as those of :class:`Connection`."""

    async def fetch(self, count: int) -> Rows:
        """The next rows, at most so many; none at the end."""

    async def close(self) -> None:
        """Let go of the rows that are left; twice too, and when the transaction has failed or was undone."""


class Connection(Protocol):
    """One connection of a driver.

    On a dialect that runs in the process (``Dialect.in_process``) no await of these methods suspends, save that of
    :meth:`offload`: whoever may block can step them to their end without an event loop.
    Every error is one of :mod:`dataflow.errors`, with the driver's as its cause.
    """

    @property
    def in_transaction(self) -> bool:
        """Whether the database holds a transaction open here; false too after it ended one by itself."""

    @property
    def usable(self) -> bool:
        """Whether the connection is open and may serve another run."""

    async def open(self) -> None:
        """Connect and set the session up."""

    async def fetch(self, sql: str, parameters: Sequence[object]) -> Rows:
        """Run a statement that brings rows."""

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement that brings none, and tell how many rows it touched."""

    async def rollback(self) -> None:
        """Undo the transaction that is open, if one is. No interrupt and no cancellation keeps this from its end."""

    async def run(self, sql: str, parameters: Sequence[object]) -> RawResult:
        """Run any statement."""

    async def open_cursor(self, sql: str, parameters: Sequence[object]) -> Cursor:
        """Begin a statement that brings rows, in a transaction that outlasts the cursor.

        Other statements may run here before the cursor is closed.
        """

    async def insert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> Rows | int:
        """Insert a batch in the fastest way; the rows where ``batch.returning``, else their number."""

    async def update(
        self, batch: BatchUpdate, shared: Sequence[object], rows: Sequence[Sequence[object]]
    ) -> int:
        """Update from a batch of rows in the fastest way, and tell how many rows of the table were meant.

        :param shared: the values that all rows share.
        """

    async def upsert(self, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> tuple[int, int]:
        """Insert a batch of which some change the rows that they meet; how many are new, and how many were there.

        Only asked for with :attr:`Capability.UPSERT <dataflow.capabilities.Capability.UPSERT>`.
        """

    async def offload(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that uses this connection so that the event loop is free meanwhile.

        Where it is cancelled, what runs is interrupted and has ended when this returns.
        """

    def interrupt(self) -> None:
        """From another thread: end the statement that runs, if one does, with an error."""

    async def close(self) -> None:
        """Let go of the database; idle or broken, twice too. Nothing is left behind."""

    def abandon(self) -> None:
        """Let go from wherever a process or an event loop ends, without waiting."""


class SequentialConnection(Connection, Protocol):
    """A connection of a dialect whose ``returning`` lacks a kind of statement."""

    async def run_all(self, statements: Sequence[tuple[str, Sequence[object]]]) -> Sequence[RawResult]:
        """Run several statements, one after the other, in as few round trips as may be."""
