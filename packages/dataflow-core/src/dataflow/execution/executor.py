"""The executor: the only way from a statement to a database."""

from collections.abc import Awaitable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import islice
from time import perf_counter
from typing import Any, TypeAlias, TypeVar, cast

from dataflow.abc import (
    Connection,
    Cursor,
    Dialect,
    Interceptor,
    Observer,
    RawResult,
    Rows,
    SequentialConnection,
)
from dataflow.errors import PluginError, QueryError, UnreadableValue
from dataflow.execution.bound_rows import BoundRows
from dataflow.execution.returning import written_rows
from dataflow.execution.stored_keys import with_stored_keys
from dataflow.execution.unreadable import named, suspects, traced
from dataflow.execution.upserts import KnownTables, upsert_by_search, upserts
from dataflow.model.schema import Model
from dataflow.sql.compiled import Compiled, unreadable
from dataflow.statements import (
    Aggregate,
    Delete,
    Insert,
    InsertMany,
    Raw,
    Select,
    Shape,
    Statement,
    Update,
    UpdateMany,
    UpsertMany,
)

__all__ = ["Executor", "RecordCursor", "Records"]

T = TypeVar("T")
Records: TypeAlias = list[dict[str, Any]]
OfRows: TypeAlias = Select | Aggregate | Insert | Update | Delete

KINDS: frozenset[type] = frozenset(
    {Select, Aggregate, Insert, InsertMany, UpsertMany, Update, UpdateMany, Delete, Raw}
)
WRITES: frozenset[type] = frozenset({Insert, Update, Delete})
SHAPES_KEPT = 2048
MANY_VALUES = 500  # a statement of so many is not met again, and its SQL is long


class RecordCursor:
    """Rows as dicts, bit by bit."""

    def __init__(self, cursor: Cursor, compiled: Compiled, model: Model) -> None:
        self._cursor = cursor
        self._compiled = compiled
        self._model = model

    async def next(self, count: int) -> Records:
        """The next rows, at most so many; none at the end."""
        try:
            rows = await self._cursor.fetch(count)
        except UnreadableValue as error:
            names = suspects(self._model, (name for name, _ in self._compiled.columns))
            raise named(error, self._model, names) from error
        return _mapped(self._compiled, rows, self._model)

    async def close(self) -> None:
        """Let go of the rows that are left."""
        await self._cursor.close()


class _Concerned(dict[Model | None, tuple[Interceptor, ...]]):
    """The interceptors of each model that is known, and under None those of SQL of the user's own.

    One look at it is all that a statement pays which concerns none of them.
    """

    def __init__(self, interceptors: Sequence[Interceptor]) -> None:
        super().__init__()
        self._all = tuple(interceptors)
        self[None] = self.of(None)

    def of(self, model: Model | None) -> tuple[Interceptor, ...]:
        return tuple(interceptor for interceptor in self._all if interceptor.concerns(model))

    def __missing__(self, model: Model | None) -> tuple[Interceptor, ...]:
        # A model that nobody has defined here must not pass by its interceptors either.
        return self.of(model)


class Executor:
    """Rewrites, compiles and runs statements on a connection that it is given.

    :param dialect: the database.
    :param interceptors: rewrite each statement, in this order.
    :param observers: hear of each statement that ran.
    :raises PluginError: where a mandatory interceptor does not handle a kind of statement.
    """

    def __init__(
        self, dialect: Dialect, interceptors: Sequence[Interceptor] = (), observers: Sequence[Observer] = ()
    ) -> None:
        for interceptor in interceptors:
            missing = KINDS - interceptor.kinds
            if interceptor.mandatory and missing:
                names = ", ".join(sorted(kind.__name__ for kind in missing))
                raise PluginError(f"{type(interceptor).__name__} is mandatory but does not handle {names}")
        self._dialect = dialect
        self._interceptors = _Concerned(interceptors)
        self._observers = tuple(observers)
        self._tables = KnownTables(dialect)
        self.compiled = lru_cache(maxsize=SHAPES_KEPT)(self.compile_once)
        """Compile a shape, or find it again; ``compiled.cache_info()`` tells how often it was found."""

    def rewritten(self, statement: Statement) -> Statement:
        """The statement as the interceptors leave it."""
        for interceptor in self._interceptors[getattr(statement, "model", None)]:
            if type(statement) in interceptor.kinds:
                statement = interceptor.rewrite(statement)
        return statement

    def admit(self, model: Model) -> None:
        """Find out once which interceptors a model concerns."""
        self._interceptors[model] = self._interceptors.of(model)

    def forget(self, model: Model) -> None:
        """Let go of a model that is defined no longer."""
        self._interceptors.pop(model, None)

    async def records(self, connection: Connection, statement: OfRows) -> Records:
        """Run a statement and return its rows as dicts; of one that counts, a row with its ``count``."""
        if self._interceptors[statement.model]:
            statement = cast("OfRows", self.rewritten(statement))
        kind = type(statement)
        if kind in WRITES and kind not in self._dialect.returning:
            return await written_rows(
                self, cast("SequentialConnection", connection), cast("Insert | Update | Delete", statement)
            )
        values = statement.values
        compiled = (self.compiled if len(values) < MANY_VALUES else self.compile_once)(statement.shape)
        bind = compiled.bind
        work = connection.fetch(compiled.sql, values if bind is None else bind(values))
        try:
            rows = await (self._observed(work, statement, compiled.sql) if self._observers else work)
        except UnreadableValue as error:
            raise await traced(error, statement, partial(self._rows, connection)) from error
        return _mapped(compiled, rows, statement.model)

    async def _rows(self, connection: Connection, statement: Select) -> Rows:
        compiled, bound = self.compiled_of(statement)
        return await self._observed(connection.fetch(*bound), statement, compiled.sql)

    def compiled_of(self, statement: OfRows) -> tuple[Compiled, tuple[str, Sequence[object]]]:
        """A statement compiled, with its text and its parameters as the driver takes them."""
        values = statement.values
        compiled = (self.compiled if len(values) < MANY_VALUES else self.compile_once)(statement.shape)
        return compiled, (compiled.sql, values if compiled.bind is None else compiled.bind(values))

    def mapped(self, compiled: Compiled, rows: Rows, model: Model) -> Records:
        """Rows of the driver as dicts.

        :raises UnreadableValue: naming the column.
        """
        return _mapped(compiled, rows, model)

    async def run_all(
        self,
        connection: SequentialConnection,
        statement: Statement,
        bound: Sequence[tuple[str, Sequence[object]]],
    ) -> Sequence[RawResult]:
        """Run the statements that stand for one."""
        work = connection.run_all(bound)
        return await self._observed(work, statement, "; ".join(sql for sql, _ in bound))

    async def open_cursor(self, connection: Connection, statement: Select) -> "RecordCursor":
        """Begin to read rows that are too many to have at once."""
        if self._interceptors[statement.model]:
            statement = cast("Select", self.rewritten(statement))
        values = statement.values
        compiled = (self.compiled if len(values) < MANY_VALUES else self.compile_once)(statement.shape)
        bind = compiled.bind
        work = connection.open_cursor(compiled.sql, values if bind is None else bind(values))
        return RecordCursor(await self._observed(work, statement, compiled.sql), compiled, statement.model)

    async def insert_many(self, connection: Connection, statement: InsertMany) -> Records:
        """Insert a batch; the rows where they are wanted back."""
        if self._interceptors[statement.model]:
            statement = cast("InsertMany", self.rewritten(statement))
        compiled = self.compiled(statement.shape)
        batch = compiled.batch
        assert batch is not None
        work = connection.insert(batch, _bound(compiled, statement))
        inserted = await self._observed(work, statement, compiled.sql)
        return _mapped(compiled, cast("Rows", inserted), statement.model) if batch.returning else []

    async def upsert_many(self, connection: Connection, statement: UpsertMany) -> tuple[int, int]:
        """Insert a batch, or change the rows that are there; how many are new, and how many were there.

        :raises MultipleRecords: where several rows are the same as one of the batch, as no unique key forbids that.
        """
        rewritten = statement
        if self._interceptors[statement.model]:
            rewritten = cast("UpsertMany", self.rewritten(statement))
        model, match, fields = rewritten.model, rewritten.match, rewritten.fields
        if (
            rewritten.where.shape
            or not upserts(self._dialect, model, match, fields)
            or not await self._tables.allow(connection, rewritten)
        ):
            # Of the original, as the interceptors meet each of its statements.
            folds = await self._tables.fold(connection, model, match)
            return await upsert_by_search(self._dialect, self, connection, statement, folds=folds)
        statement = rewritten
        compiled = self.compiled(statement.shape)
        batch = compiled.batch
        assert batch is not None
        work = connection.upsert(batch, _bound(compiled, statement))
        return await self._observed(work, statement, compiled.sql)

    async def affected(self, connection: Connection, statement: Update | Delete) -> int:
        """Run a statement that brings no rows, and tell how many it touched."""
        if self._interceptors[statement.model]:
            statement = cast("Update | Delete", self.rewritten(statement))
        values = statement.values
        compiled = (self.compiled if len(values) < MANY_VALUES else self.compile_once)(statement.shape)
        bind = compiled.bind
        work = connection.execute(compiled.sql, values if bind is None else bind(values))
        return await (self._observed(work, statement, compiled.sql) if self._observers else work)

    async def update_many(self, connection: Connection, statement: UpdateMany) -> int:
        """Update from rows, batch by batch, and tell how many rows of the table were meant.

        :raises InvalidValue: where two of them mean the same one, as the database takes their keys for the same.
        """
        model = statement.model
        if await self._tables.fold(connection, model, [field.name for field in model.key]):
            statement = await with_stored_keys(self, connection, statement)
        if self._interceptors[statement.model]:
            statement = cast("UpdateMany", self.rewritten(statement))
        compiled = self.compiled(statement.shape)
        batch, bind = compiled.update, compiled.bind
        assert batch is not None
        shared = statement.shared if compiled.bind_shared is None else compiled.bind_shared(statement.shared)
        touched = 0
        for chunk in _chunks(statement.rows, statement.batch_size or self._dialect.batch_size):
            bound = chunk if bind is None else list(map(bind, chunk))
            work = connection.update(batch, shared, bound)
            touched += await self._observed(work, statement, compiled.sql)
        return touched

    async def raw(self, connection: Connection, statement: Raw) -> Records | int:
        """Run SQL of the user's own: its rows, or how many rows it touched where it brings none."""
        if self._interceptors[None]:
            statement = cast("Raw", self.rewritten(statement))
        from dataflow.sql.raw import encode_parameters

        compiled = self.compiled(statement.shape)
        bound = encode_parameters(self._dialect, compiled.names, statement.parameters)
        outcome = await self._observed(connection.run(compiled.sql, bound), statement, compiled.sql)
        columns = outcome.columns
        if not columns:
            return outcome.affected
        if len(set(columns)) < len(columns):
            raise QueryError("two columns of the result have the same name; give one an alias with AS")
        return [dict(zip(columns, row, strict=True)) for row in outcome.rows]

    async def _observed(self, work: Awaitable[T], statement: Statement, sql: str) -> T:
        if not self._observers:
            return await work
        started = perf_counter()
        error: BaseException | None = None
        try:
            return await work
        except BaseException as caught:
            error = caught
            raise
        finally:
            for observer in self._observers:
                observer.executed(statement, sql, perf_counter() - started, error)

    def compile_once(self, shape: Shape) -> Compiled:
        """Compile a shape that nobody will ask for again."""
        # sqlglot takes longer to import than most programs to run: not before it is needed.
        from dataflow.sql.compiler import compile_shape

        return compile_shape(self._dialect, shape)


def _bound(compiled: Compiled, statement: InsertMany | UpsertMany) -> Sequence[Sequence[object]]:
    rows, bind = statement.rows, compiled.bind_rows
    return rows if bind is None else BoundRows(bind, rows, statement.constants)


def _chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _mapped(compiled: Compiled, rows: Rows, model: Model) -> Records:
    map_row = compiled.map_row
    assert map_row is not None
    try:
        return list(map(map_row, rows))
    except Exception as error:
        names = (unreadable(compiled.columns, row) for row in rows)
        name = next((name for name in names if name is not None), None)
        if name is None:
            raise
        kind = f" as {model.fields[name].type.kind.value}" if name in model.fields else ""
        # Without its cause, which quotes the value.
        raise UnreadableValue(
            f"{model.name}.{name}: a stored value cannot be read{kind} ({type(error).__name__})"
        ) from None
