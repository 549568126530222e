"""Transactions that end together with those of other databases."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dataflow.abc.connections import Connection
from dataflow.terms import Terms


class InDoubt(NamedTuple):
    """A transaction that was prepared and has not ended.

    :param age: for how many seconds, where the database tells.
    """

    gid: str
    age: float | None


class TwoPhase(Protocol):
    """How a transaction is prepared: from then on it ends only when it is told to, on whichever connection that is.

    A gid names a transaction on the whole server: at most 64 characters, of ASCII's letters, digits, ``:`` and ``-``.
    """

    async def problem(self, connection: Connection) -> str | None:
        """Why no transaction can be prepared here, and what to set so that it can; None where it can."""

    async def begin(self, connection: Connection, gid: str, *, terms: Terms) -> None:
        """Begin a transaction that may be prepared under this gid, and until then is as any other."""

    async def prepare(self, connection: Connection, gid: str) -> None:
        """Prepare the transaction that is open; a refusal leaves nothing of it.

        From here on neither the end of the connection nor that of the server ends it, and it keeps its locks.
        """

    async def commit_unprepared(self, connection: Connection, gid: str) -> None:
        """Commit what :meth:`begin` began, as no other transaction needs to end with it."""

    async def commit(self, connection: Connection, gid: str) -> bool:
        """Commit what was prepared: on the connection that prepared it, or on any after that one has ended.

        :returns: whether there was such a transaction. One that others still hold is a ``DatabaseBusy``.
        """

    async def roll_back(self, connection: Connection, gid: str) -> bool:
        """Roll back what was prepared; as :meth:`commit`."""

    async def in_doubt(self, connection: Connection, prefix: str) -> Sequence[InDoubt]:
        """What was prepared under a gid that begins so: on this database, or on its server if gids belong to that."""
