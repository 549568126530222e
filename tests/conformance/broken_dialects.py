"""Dialects that are wrong on purpose, each in one way: what the conformance suite must notice."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from dataflow.abc import Codec, Connection, Cursor, DialectFactory, RawResult, Rows
from dataflow.capabilities import Capability
from dataflow.errors import IntegrityError, UniqueViolation
from dataflow.hookspecs import hookimpl
from dataflow.sqlite.dialect import SQLiteDialect
from dataflow.types import ColumnType, Kind

__all__ = ["DEFECTS", "dataflow_register_dialects"]


class LosesMicroseconds(SQLiteDialect):
    """Moments are stored in whole seconds."""

    def codec(self, type: ColumnType) -> Codec:
        codec = super().codec(type)
        if type.kind is not Kind.DATETIME or codec.encode is None:
            return codec
        encode = codec.encode
        return codec._replace(encode=lambda moment: encode(moment.replace(microsecond=0)))


class RoundsDecimals(SQLiteDialect):
    """Decimals travel as floats."""

    def codec(self, type: ColumnType) -> Codec:
        codec = super().codec(type)
        return codec._replace(encode=float) if type.kind is Kind.DECIMAL else codec


class IgnoresCase(SQLiteDialect):
    """Texts are sorted and compared as a careless collation does."""

    def ordered(self, operand: Any, kind: Kind) -> Any:
        from sqlglot import exp

        return exp.Lower(this=operand) if kind is Kind.TEXT else super().ordered(operand, kind)


class SortsNullsLast(SQLiteDialect):
    """Nulls of numbers are greatest."""

    def ordered(self, operand: Any, kind: Kind) -> Any:
        from sqlglot import exp

        if kind is not Kind.INTEGER:
            return super().ordered(operand, kind)
        return exp.Coalesce(this=operand, expressions=[exp.Literal.number(2**63 - 1)])


class Wrong:
    """A connection that passes on what it does not do wrong itself."""

    def __init__(self, right: Connection) -> None:
        self._right = right

    def __getattr__(self, name: str) -> Any:
        return getattr(self._right, name)


SAVEPOINTS = ("SAVEPOINT", "RELEASE", "ROLLBACK TO")


class Deaf(Wrong):
    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        return 0 if sql.startswith(SAVEPOINTS) else await self._right.execute(sql, parameters)


class IgnoresSavepoints(SQLiteDialect):
    """Nothing is undone within a transaction."""

    def connection(self) -> Connection:
        return cast("Connection", Deaf(super().connection()))


class Miscounting(Wrong):
    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        touched: int = await self._right.execute(sql, parameters)
        return touched + 1 if touched > 0 else touched


class MiscountsRows(SQLiteDialect):
    """One row more is reported than was touched."""

    def connection(self) -> Connection:
        return cast("Connection", Miscounting(super().connection()))


class Vague(Wrong):
    async def fetch(self, sql: str, parameters: Sequence[object]) -> Rows:
        try:
            return await self._right.fetch(sql, parameters)
        except UniqueViolation as error:
            raise IntegrityError(str(error)) from error.__cause__


class MapsErrorsVaguely(SQLiteDialect):
    """A violation of uniqueness is not told from any other."""

    def connection(self) -> Connection:
        return cast("Connection", Vague(super().connection()))


class DeclaresTooMuch(SQLiteDialect):
    """It stores no NaN, and says that it does."""

    capabilities = SQLiteDialect.capabilities | {Capability.NAN}


class Promises(SQLiteDialect):
    """It has no replicas, and says that it does."""

    capabilities = SQLiteDialect.capabilities | {Capability.REPLICAS}


class Silent(Wrong):
    async def run(self, sql: str, parameters: Sequence[object]) -> RawResult:
        result: RawResult = await self._right.run(sql, parameters)
        return result._replace(affected=0)


class CountsNothing(SQLiteDialect):
    """SQL of the user's own touches no row, if one believes it."""

    def connection(self) -> Connection:
        return cast("Connection", Silent(super().connection()))


class AllAtOnce:
    def __init__(self, right: Cursor) -> None:
        self._right = right

    async def fetch(self, count: int) -> Rows:
        return await self._right.fetch(1_000_000)

    async def close(self) -> None:
        await self._right.close()


class Greedy(Wrong):
    async def open_cursor(self, sql: str, parameters: Sequence[object]) -> Cursor:
        return AllAtOnce(await self._right.open_cursor(sql, parameters))


class FetchesEverything(SQLiteDialect):
    """A cursor holds all rows in memory."""

    def connection(self) -> Connection:
        return cast("Connection", Greedy(super().connection()))


class Obliging(Wrong):
    usable = True


class IsAlwaysUsable(SQLiteDialect):
    """A connection serves others in the middle of a transaction."""

    def connection(self) -> Connection:
        return cast("Connection", Obliging(super().connection()))


class Lingering(Wrong):
    async def close(self) -> None:
        LEFT_OPEN.append(self._right)

    def abandon(self) -> None:
        LEFT_OPEN.append(self._right)


LEFT_OPEN: list[Connection] = []


class LeavesConnectionsOpen(SQLiteDialect):
    """A connection that was closed is still there."""

    def connection(self) -> Connection:
        return cast("Connection", Lingering(super().connection()))


class Simple(Wrong):
    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        assert not sql.startswith(SAVEPOINTS)
        return await self._right.execute(sql, parameters)


class LacksSavepoints(SQLiteDialect):
    """It has no savepoints, and says so: this is not wrong."""

    capabilities = SQLiteDialect.capabilities - {Capability.SAVEPOINTS, Capability.STATEMENT_ATOMICITY}

    def connection(self) -> Connection:
        return cast("Connection", Simple(super().connection()))


DEFECTS: dict[str, type[SQLiteDialect]] = {
    "broken-microseconds": LosesMicroseconds,
    "broken-decimals": RoundsDecimals,
    "broken-case": IgnoresCase,
    "broken-nulls": SortsNullsLast,
    "broken-savepoints": IgnoresSavepoints,
    "broken-counts": MiscountsRows,
    "broken-errors": MapsErrorsVaguely,
    "broken-capabilities": DeclaresTooMuch,
    "broken-promises": Promises,
    "broken-answers": CountsNothing,
    "broken-cursors": FetchesEverything,
    "broken-usability": IsAlwaysUsable,
    "broken-endings": LeavesConnectionsOpen,
}
"""A defect for each scheme of a URL."""


@hookimpl
def dataflow_register_dialects() -> Iterable[DialectFactory]:
    return [
        DialectFactory(scheme, (scheme,), f"{__name__}:{dialect.__name__}")
        for scheme, dialect in {**DEFECTS, "without-savepoints": LacksSavepoints}.items()
    ]
