"""Transactions for code without a graph."""

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dataflow.execution.database import Database
from dataflow.execution.scope import Savepoint, Scope, current_scope
from dataflow.runtime.preparation import prepare_database

if TYPE_CHECKING:
    from contextvars import Token

__all__ = ["Transaction"]


class Transaction:
    """``async with db.transaction():`` what is called inside happens together or not at all.

    Inside another transaction, or in a function of a run, it is a part of that: its failure, if caught, undoes
    just the part.
    """

    def __init__(self, databases: Iterable[Database]) -> None:
        self._databases = tuple(databases)
        self._outer: Scope | None = None
        self._point: Savepoint | None = None
        self._token: Token[Scope | None] | None = None
        self._scope: Scope | None = None

    async def __aenter__(self) -> Self:
        outer = current_scope.get()
        if outer is not None and not outer.closed:
            self._outer = outer
            self._point = await outer.savepoint(blocking=False)
            return self
        scope = Scope("a transaction", writes=True)
        for database in self._databases:
            if database.unprepared:
                await prepare_database(database, scope, blocking=False)
        self._scope = scope
        self._token = current_scope.set(scope)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._outer is not None and self._point is not None:
            if error is None:
                await self._outer.keep(self._point, blocking=False)
            else:
                await self._outer.undo(self._point, blocking=False)
            return
        assert self._scope is not None
        assert self._token is not None
        current_scope.reset(self._token)
        try:
            if error is None:
                await self._scope.commit(blocking=False)
        finally:
            await self._scope.close(blocking=False)
