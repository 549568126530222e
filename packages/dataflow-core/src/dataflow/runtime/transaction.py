"""Transactions for code without a graph."""

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dataflow.errors import ScopeLost
from dataflow.execution.database import Database
from dataflow.execution.scope import Scope, current_scope
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
        self._scope: Scope | None = None
        self._is_part = False
        self._token: Token[Scope | None] | None = None

    async def __aenter__(self) -> Self:
        outer = current_scope.get()
        if outer is not None and not outer.closed:
            self._is_part = True
            self._scope = await outer.part(blocking=False)
        else:
            self._scope = Scope("a transaction", writes=True)
            for database in self._databases:
                if database.unsettled:
                    await prepare_database(database, (), self._scope, blocking=False)
        self._token = current_scope.set(self._scope)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._scope is not None
        assert self._token is not None
        # Where it is left in another context than it was entered, as fixtures do, there is nothing to put back.
        with suppress(ValueError):
            current_scope.reset(self._token)
        if self._is_part:
            await self._end_part(self._scope, error)
            return
        try:
            if error is None:
                await self._commit(self._scope)
        finally:
            await self._scope.close(blocking=False)

    async def _commit(self, scope: Scope) -> None:
        # What still works in it beside this task ends first.
        await scope.take_turn(blocking=False)
        try:
            await scope.commit(blocking=False)
        finally:
            scope.end_turn()

    async def _end_part(self, part: Scope, error: BaseException | None) -> None:
        if error is None:
            await part.keep(blocking=False)
        else:
            # Where it cannot be undone the whole knows that it must not be committed; that error is the one to see.
            with suppress(ScopeLost):
                await part.undo(blocking=False)
