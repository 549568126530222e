"""Transactions for code without a graph."""

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dataflow.errors import ScopeLost, TransactionTimeout
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database
from dataflow.execution.scope import Scope, current_scope, open_scope
from dataflow.runtime.preparation import prepare_database
from dataflow.terms import USUAL, Terms

if TYPE_CHECKING:
    from asyncio import Timeout
    from contextvars import Token

__all__ = ["Transaction"]


class Transaction:
    """``async with db.transaction():`` what is called inside happens together or not at all.

    Inside another transaction, or in a function of a run, it is a part of that: its failure, if caught, undoes
    just the part.
    """

    def __init__(self, databases: Iterable[Database], terms: Terms = USUAL) -> None:
        self._databases = tuple(databases)
        self._terms = terms
        self._limit: Timeout | None = None
        self._scope: Scope | None = None
        self._is_part = False
        self._token: Token[Scope | None] | None = None

    async def __aenter__(self) -> Self:
        outer = open_scope()
        if outer is not None:
            self._is_part = True
            self._scope = await self._part_of(outer)
        else:
            self._scope = Scope("a transaction", writes=True, loop=running_loop(), terms=self._terms)
            for database in self._databases:
                if database.unsettled:
                    await prepare_database(database, (), self._scope, blocking=False)
        self._token = current_scope.set(self._scope)
        if self._terms.timeout is not None:
            from asyncio import timeout

            self._limit = await timeout(self._terms.timeout).__aenter__()
        return self

    async def _part_of(self, outer: Scope) -> Scope:
        if self._terms.isolation is not None:
            outer.isolate(self._terms.isolation)
        part = await outer.part(blocking=False)
        part.read_only = part.read_only or self._terms.read_only
        return part

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._scope is not None
        assert self._token is not None
        # Where it is left in another context than it was entered, as fixtures do, there is nothing to put back.
        with suppress(ValueError):
            current_scope.reset(self._token)
        late = None if self._limit is None else await self._end_limit(self._limit, kind, error, traceback)
        error = error or late
        if self._is_part:
            await self._end_part(self._scope, error)
        else:
            try:
                if error is None:
                    await self._commit(self._scope)
            finally:
                await self._scope.close(blocking=False)
        if late is not None:
            raise late

    async def _end_limit(
        self,
        limit: "Timeout",
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> TransactionTimeout | None:
        """Stop the clock; the error where it has run out."""
        with suppress(TimeoutError):
            await limit.__aexit__(kind, error, traceback)
        if limit.expired():
            return TransactionTimeout(f"the transaction took longer than {self._terms.timeout:g} s (timeout)")
        return None

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
