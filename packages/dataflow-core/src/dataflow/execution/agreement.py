"""What has the transactions of a unit of work on several databases end as one, where something is there that can."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from dataflow.abc import Connection
from dataflow.execution.database import Database
from dataflow.terms import Terms

if TYPE_CHECKING:
    from dataflow.execution.transaction import Transaction

__all__ = ["Agreed", "Agreement"]


class Agreement(Protocol):
    """Says for a workflow that what it does on several databases happens on all of them or on none."""

    def problems(self, databases: Sequence[Database]) -> Iterable[str]:
        """Why these databases cannot agree, as far as that is known without asking them."""

    def explain(self, databases: Sequence[Database]) -> str:
        """How a unit of work on these databases ends, in words."""

    async def open(self, databases: Sequence[Database], *, blocking: bool) -> "Agreed":
        """Make ready what one unit of work needs, before it begins.

        :param databases: those of which it is known that it will work on them; others may come later.
        :raises WorkflowError: where they cannot agree, saying what to do.
        """


class Agreed(Protocol):
    """An agreement for one unit of work that writes: it begins and ends its transactions."""

    async def begin(self, database: Database, connection: Connection, terms: Terms) -> None:
        """Begin on a connection to a database."""

    async def commit(self, transaction: "Transaction", *, blocking: bool) -> None:
        """Make everything that was begun last, or leave it to the transaction to roll back.

        It takes note of each connection on which nothing is open any more, and of what was committed; whatever it
        raises, nothing but what it says is in doubt.
        """
