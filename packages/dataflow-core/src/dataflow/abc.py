"""The contracts between the core and what is plugged into it."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

from dataflow.capabilities import Capability
from dataflow.catalog import CatalogTable
from dataflow.config import DataFlowConfig
from dataflow.model.schema import Model, ModelField
from dataflow.stages import Function
from dataflow.statements import SchemaChange, Statement
from dataflow.terms import USUAL, Isolation, Terms
from dataflow.types import ColumnType, Kind
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

__all__ = [
    "ArrayDialect",
    "BatchInsert",
    "BatchUpdate",
    "Codec",
    "Column",
    "Connection",
    "Convert",
    "Cursor",
    "Dialect",
    "DialectFactory",
    "DiscoveringDialect",
    "InDoubt",
    "IndexOnTable",
    "Interceptor",
    "NodeType",
    "Observer",
    "RawResult",
    "Row",
    "Rows",
    "SequentialConnection",
    "Table",
    "TwoPhase",
]

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = list[Row]
Convert: TypeAlias = Callable[[Any], Any]


class Codec(NamedTuple):
    """How the values of a column type travel to the driver and back; None where they travel as they are.

    Neither function ever sees None: null is null on every database.

    :param certain: whether ``decode`` reads whatever the database lets into such a column. Where it may not, a row
        is changed in a transaction that waits for it, and that costs two trips to a server.
    """

    encode: Convert | None = None
    decode: Convert | None = None
    certain: bool = False


class RawResult(NamedTuple):
    """What a statement of the user's own brought: rows where it has columns, else how many rows it touched."""

    columns: tuple[str, ...]
    rows: Rows
    affected: int


class BatchInsert(NamedTuple):
    """A compiled insert of many rows, for a dialect to run in the way that is the fastest for so many.

    As one statement it is ``head``, then ``row`` as often as there are rows, with commas between, and ``tail``.

    :param head: up to the list ``VALUES``; the whole statement where rows have no values.
    :param row: one row of that list, with its parentheses.
    :param tail: what follows it: what becomes of rows that are there already, and which columns come back.
    :param returning: whether columns come back.
    :param table: the table.
    :param fields: for each value of a row, what it is stored in.
    :param match: of an upsert, the fields in which a row is the same as one that is there.
    :param schema: where the table is, if that has to be said.
    """

    head: str
    row: str
    tail: str
    returning: bool
    table: str
    fields: tuple[ModelField, ...]
    match: tuple[ModelField, ...] = ()
    schema: str = ""

    @property
    def width(self) -> int:
        """How many values a row has."""
        return len(self.fields)


class BatchUpdate(NamedTuple):
    """A compiled :class:`~dataflow.statements.UpdateMany`: the text before, for and after the rows of a batch.

    :param row: one row of the list ``VALUES``, with its parentheses.
    :param before: how many of the values that all rows share have their place in ``head``; the others are in ``tail``.
        Where placeholders have numbers, those of a row come after all of these.
    :param table: the table.
    :param fields: for each value of a row, the field that it is compared with or stored in.
    :param schema: where the table is, if that has to be said.
    """

    head: str
    row: str
    tail: str
    before: int
    table: str
    fields: tuple[ModelField, ...]
    schema: str = ""

    @property
    def width(self) -> int:
        """How many values a row has."""
        return len(self.fields)


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


class Column(NamedTuple):
    """A column as the database describes it.

    :param folds: whether it may take texts that differ for the same, such as ``ann`` and ``Ann``.
    """

    name: str
    type: str
    nullable: bool
    has_default: bool
    folds: bool = False


class IndexOnTable(NamedTuple):
    """An index as the database describes it; ``columns`` in order, those that descend with a leading ``-``."""

    name: str
    columns: tuple[str, ...]
    unique: bool


class Table(NamedTuple):
    """A table as the database describes it.

    :param key: the columns of its primary key, in order.
    :param references: for each column with a foreign key, the table that it refers to.
    """

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    indexes: tuple[IndexOnTable, ...]
    references: Mapping[str, str]


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


class DialectFactory(NamedTuple):
    """What a plugin says of a dialect before anybody needs it.

    :param name: the dialect's name.
    :param schemes: the URL schemes that lead to it.
    :param target: ``"module:Class"``, imported at the first use and called with the URL and the configuration.
    """

    name: str
    schemes: tuple[str, ...]
    target: str

    def create(self, url: DatabaseURL, config: DataFlowConfig) -> Dialect:
        """Import the dialect and make one for a database."""
        from importlib import import_module

        module, _, attribute = self.target.partition(":")
        dialect: Dialect = getattr(import_module(module), attribute)(url, config)
        return dialect


class NodeType(NamedTuple):
    """What a plugin says of a type of node.

    :param name: the name by which workflows ask for it.
    :param make: makes the node, of a database and, where the type belongs to a model, of that;
        what it returns is a :class:`~dataflow.nodes.contract.Node`.
    """

    name: str
    make: Callable[..., object]


class Interceptor(Protocol):
    """Rewrites statements before they are compiled: tenancy, soft delete, versions."""

    kinds: frozenset[type]
    """The kinds of statement that it handles."""
    mandatory: bool
    """Whether a kind that it does not handle must not be executed at all."""

    def concerns(self, model: Model | None) -> bool:
        """Whether it wants the statements on a model or, for None, the SQL of users; asked once for each."""

    def rewrite(self, statement: Statement) -> Statement:
        """The statement to execute instead."""


class Observer(Protocol):
    """Sees statements after they ran: metrics, tracing. It gets no parameter and no row."""

    def executed(self, statement: Statement, sql: str, seconds: float, error: BaseException | None) -> None:
        """A statement took this long, and failed where there is an error."""
