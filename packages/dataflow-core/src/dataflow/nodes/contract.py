"""What every node can do."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from dataflow.abc import Connection
from dataflow.execution.database import Database
from dataflow.model.schema import Model

__all__ = ["Explains", "Node", "Output", "Place"]

Output: TypeAlias = dict[str, Any]
"""What a node gives to those that follow, by name."""


class Place(Protocol):
    """Where a node runs: a scope, or what stands for one where a statement needs no transaction."""

    async def connection(self, database: Database) -> Connection:
        """The connection to a database, in its transaction if there is one."""


@runtime_checkable
class Explains(Protocol):
    """A node that has more to say of what it would do."""

    def explain(self) -> str:
        """What it would do, without a full stop."""


class Node(Protocol):
    """A node, bound to a model and a database or to a function; it holds no state of a run.

    Names are settled apart from values, so that a workflow is checked when it is built and costs little when it runs.
    """

    @property
    def name(self) -> str:
        """The name of its type, such as ``UserCreateNode``."""

    @property
    def database(self) -> Database | None:
        """The database that it works on, or None."""

    @property
    def model(self) -> Model | None:
        """The model that it belongs to, or None."""

    @property
    def outputs(self) -> frozenset[str] | None:
        """The names of its outputs; None where only a run tells."""

    @property
    def settled(self) -> bool:
        """Whether equal parameters always prepare to the same, so that it can be done once."""

    @property
    def waits(self) -> bool:
        """Whether it needs an event loop to wait in."""

    @property
    def outside(self) -> bool:
        """Whether it runs between two transactions: what came before it is committed."""

    def may_write(self, parameters: Mapping[str, object]) -> bool:
        """Whether it may write, as far as these parameters tell."""

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        """Check what is known before a run.

        :param parameters: the values that are known.
        :param names: the names of all that it will be given, those of ``parameters`` among them.
        :raises ValidationError: for a name that it does not take or a value that it refuses.
        """

    def missing(self, names: Collection[str]) -> str | None:
        """What it still needs, as a sentence, if it is given these names."""

    def prepare(self, parameters: Mapping[str, Any]) -> Any:
        """Check all parameters and make what :meth:`run` needs, without a database.

        :raises ValidationError: where something is wrong or missing.
        """

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        """Whether it may run again after its transaction was undone: it does nothing elsewhere, and uses nothing up."""

    def alone(self, prepared: Any) -> bool:
        """Whether it is a single statement after which nothing can fail, so that it needs no transaction."""

    async def run(self, scope: Place, prepared: Any) -> Output:
        """Do it."""
