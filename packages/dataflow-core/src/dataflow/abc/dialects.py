"""A database: its SQL, its types, its driver."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dataflow.abc.connections import Connection
from dataflow.abc.replication import Replication
from dataflow.abc.tables import Column, Table
from dataflow.abc.two_phase import TwoPhase
from dataflow.abc.values import Codec, Convert
from dataflow.capabilities import Capability
from dataflow.catalog import CatalogTable
from dataflow.model.schema import Model, ModelField
from dataflow.stages import Function
from dataflow.statements import SchemaChange
from dataflow.terms import USUAL, Isolation, Terms
from dataflow.types import ColumnType, Kind

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

T = TypeVar("T")


class Dialect(Protocol):
    """A database: its SQL, its types, its driver."""

    name: str
    grammar: str
    """The name under which sqlglot knows the SQL."""
    capabilities: frozenset[Capability]
    in_process: bool
    """Whether the database runs in this process, so that no statement waits for a network."""
    pool_size: int
    """How many connections a pool keeps where the user does not say."""
    max_connections: int | None
    """How many connections there can be at all: 1 where a connection *is* the database."""

    batch_size: int
    """How many rows a bulk node writes at once where the user does not say."""

    list_batch_size: int
    """How many of a list it writes at once, unless bad rows are set aside; a list is in memory anyway."""

    fork_closes: bool
    """Whether a connection that is open when the process forks does harm in a child that never touches it."""

    generated_key: str
    """Where an ``Insert`` brings nothing back: the SQL for the key that was made for it, else empty."""

    no_limit: str | None
    """What LIMIT must say where rows are skipped and all others wanted; None where it may be left out."""

    @property
    def returning(self) -> frozenset[type]:
        """Which of the statements ``Insert``, ``Update`` and ``Delete`` bring their rows back (``RETURNING``).

        Rows of the others are read by their keys, in the same transaction. It is known when the first connection is.
        """

    def connection(self) -> Connection:
        """A new connection, not yet open."""

    async def offload(self, work: Coroutine[Any, Any, T], hasten: Callable[[], None]) -> T:
        """Run a coroutine, which borrows a connection and uses it, so that the event loop is free meanwhile.

        Only asked of a dialect that runs in the process. Where it is cancelled, what runs has ended when this returns.

        :param hasten: interrupts what runs; called then as long as it has not ended.
        """

    isolations: frozenset[Isolation]
    """What it can guarantee; whoever asks for another level is refused."""

    def begin(self, *, writes: bool, terms: Terms = USUAL) -> str:
        """The statement that begins a transaction.

        :param terms: an isolation that is one of ``isolations``, and a limit that the server holds the transaction to
            as well as it can, so that it ends even if nobody is there any more to end it.
        """

    @property
    def two_phase(self) -> TwoPhase | None:
        """How its transactions are prepared, so that they end with those of other databases; None if they cannot be."""

    def after(self, terms: Terms) -> str:
        """What is said after a transaction on such terms, as something of them outlasts it; empty if nothing does."""

    async def lock_schema(self, connection: Connection) -> None:
        """Keep all other processes from changing the schema; called just after the transaction for that has begun.

        What is read after it includes what others have committed before. Where a transaction that was begun to write
        is the only one anyway, there is nothing to do.
        """

    async def unlock_schema(self, connection: Connection) -> None:
        """Let others change the schema; called after that transaction has ended, also if locking has failed.

        Nothing is left to do where the lock ends with the transaction.
        """

    def lock(self, model: Model) -> str | None:
        """The statement that keeps all others from writing to a table until the transaction ends.

        None where a transaction that was begun to write is the only one anyway.
        """

    def placeholder(self, position: int) -> str:
        """The text for the parameter at a position, counted from 1."""

    def parameter(self, placeholder: "Expression", type: ColumnType) -> "Expression":
        """The placeholder for a value of a type, with whatever tells the database that type.

        A database that asks nobody for the type of a parameter returns the placeholder as it is.
        """

    def literal(self, stored: object, type: ColumnType) -> "Expression":
        """An encoded value of a type, which is not null, within the text of a statement."""

    def verbatim(self, text: str) -> str:
        """The text between placeholders, as it must be sent so that the driver takes nothing in it for one."""

    def codec(self, type: ColumnType) -> Codec:
        """How values of a type travel."""

    def ordered(self, operand: "Expression", kind: Kind) -> "Expression":
        """An operand in the form in which this database sorts and compares values of a kind."""

    def among(self, operand: "Expression", members: "Expression", type: ColumnType) -> "Expression":
        """The operand is one of the members, which travel as one parameter however many they are."""

    def arithmetic(
        self, operator: str, current: "Expression", amount: "Expression", type: ColumnType
    ) -> "Expression":
        """What a column holds plus (``"$inc"``) or times (``"$mul"``) an amount of its type, neither of them null.

        The result is exact where the type is; one that the type cannot hold is an error of the database, which becomes
        :class:`~dataflow.errors.OutOfRange`, and never another value.
        """

    def pack(self, type: ColumnType) -> Convert:
        """Turns the encoded members for :meth:`among` into that one parameter."""

    def matches(self, operator: str, operand: "Expression", pattern: "Expression") -> "Expression":
        """The operand matches a pattern of ``$like``, ``$ilike`` or ``$regex``."""

    def pattern(self, operator: str) -> Convert | None:
        """Turns a pattern into the text that :meth:`matches` takes; None where it is the same.

        It gets patterns of :mod:`dataflow.filters.wildcards`, or what :func:`dataflow.filters.regex.render` writes.
        """

    def json_type(self, document: "Expression", path: Sequence[str]) -> "Expression":
        """What stands at a path: null, boolean, number, string, array or object, as a text; null if nothing.

        A step of digits without a leading zero is the index of a list, and the key of a dict as any other step.
        """

    def json_value(self, document: "Expression", path: Sequence[str], kind: Kind) -> "Expression":
        """The value at a path, null where it is of another type.

        :param kind: TEXT or BOOLEAN; INTEGER or FLOAT for any number, to be compared with one of that kind.
        """

    def json_operand(self, kind: Kind) -> ColumnType:
        """The type of the values that are compared with :meth:`json_value` of a kind, for codec and parameter."""

    def json_contains(
        self, document: "Expression", path: Sequence[str], member: "Expression"
    ) -> "Expression":
        """The list at a path has an element, or the dict a key; the member is a scalar, as JSON text."""

    def accumulated(self, function: Function, operand: "Expression", kind: Kind) -> "Expression":
        """An aggregate function, other than count, over the values of a kind; nulls do not matter to it.

        Sums are exact, save those of floats, and 0 of nothing. Where a sum of integers needs more than 64 bits, the
        database must refuse it. Averages of integers are floats; those of decimals are exact to
        :data:`~dataflow.stages.PLACES_OF_AVERAGE` places, those of intervals to the microsecond; both are rounded half
        away from zero.
        """

    def row_source(self, rows: "Expression", name: str, columns: Sequence[str]) -> "Expression":
        """A list of rows to take into an UPDATE, under a name and with these names for its columns.

        :param columns: ``column1``, ``column2`` and so on, as many databases call them by themselves.
        """

    def ddl(self, change: SchemaChange) -> str:
        """The statement for a change of the schema."""

    async def tables(self, connection: Connection, models: Sequence[Model]) -> Mapping[str, Table]:
        """Describe those of the models' tables that exist, with names spelt as the models spell them."""

    def stores(self, column: Column, type: ColumnType) -> bool:
        """Whether a column that exists can hold the values of a type."""

    def cannot_add(self, field: ModelField) -> str | None:
        """Why a new column cannot be added to a table that exists, where that is so."""

    def narrowed(self, model: Model, field: ModelField) -> ColumnType:
        """The type of a field with the bounds of this database: what is out of them is refused before any SQL is sent.

        Without :attr:`Capability.NAN <dataflow.capabilities.Capability.NAN>` a float is no NaN, without ``INFINITY``
        it is finite.
        """

    def check_model(self, model: Model) -> None:
        """Refuse a model that this database cannot store.

        :raises ModelError: telling what to change.
        """


class ArrayDialect(Dialect, Protocol):
    """A dialect with :attr:`Capability.ARRAYS <dataflow.capabilities.Capability.ARRAYS>`.

    Its codec takes and gives such lists with their elements as they are in Python.
    """

    def document(self, array: "Expression", element: ColumnType) -> "Expression":
        """An array as JSON, for :meth:`json_type` and its like.

        Elements that are no scalars of JSON become the texts of :func:`dataflow.coercion.scalars.scalar_form`.
        """


class DiscoveringDialect(Dialect, Protocol):
    """A dialect with :attr:`Capability.DISCOVERY <dataflow.capabilities.Capability.DISCOVERY>`."""

    async def discover(self, connection: Connection) -> Sequence[CatalogTable]:
        """Describe the tables and views of users, ordered by their names, in two round trips at most.

        Nothing is counted: how many rows there are is what the database knows without looking.
        """


class ReplicatingDialect(Dialect, Protocol):
    """A dialect with :attr:`Capability.REPLICAS <dataflow.capabilities.Capability.REPLICAS>`."""

    @property
    def replication(self) -> Replication:
        """How its replicas are reached and asked."""
