"""Nodes without a graph: the same path, as one call."""

from collections.abc import Coroutine, Generator, Mapping
from contextlib import suppress
from typing import Any

from dataflow.errors import ScopeLost
from dataflow.execution.background import run_in_background
from dataflow.execution.scope import Scope, current_scope
from dataflow.execution.stepping import step
from dataflow.nodes.contract import Node, Output
from dataflow.runtime.alone import run_alone
from dataflow.runtime.preparation import prepare_database

__all__ = ["NodeCall", "NodeHandle"]


class NodeCall:
    """A node with its parameters: await it, or hand it to ``db.run_sync``. Within a scope it belongs to that."""

    __slots__ = ("_node", "_parameters")

    def __init__(self, node: Node, parameters: Mapping[str, object]) -> None:
        self._node = node
        self._parameters = parameters

    def __await__(self) -> Generator[Any, None, Output]:
        return self._run(blocking=False).__await__()

    def run(self) -> Output:
        """Run it from a thread that may block."""
        database = self._node.database
        if database is None or database.in_process:
            return step(self._run(blocking=True))
        return run_in_background(self._run(blocking=False))

    async def _run(self, *, blocking: bool) -> Output:
        node, outer = self._node, current_scope.get()
        prepared = node.prepare(self._parameters)
        if outer is not None:
            return await self._within(outer, prepared, blocking=blocking)
        if node.database is not None and not node.waits:
            return await run_alone(node, self._parameters, prepared, node.name, blocking=blocking)
        return await self._in_scope(prepared, blocking=blocking)

    async def _in_scope(self, prepared: Any, *, blocking: bool) -> Output:
        """In a transaction of its own."""
        scope = Scope(self._node.name, writes=self._node.may_write(self._parameters))
        try:
            await self._prepare_database(scope, blocking=blocking)
            return await self._beside(scope, self._whole(scope, prepared), blocking=blocking)
        finally:
            await scope.close(blocking=blocking)

    async def _within(self, outer: Scope, prepared: Any, *, blocking: bool) -> Output:
        """In a transaction that is open: as a part of it, unless it is one statement, which is undone by itself."""
        if self._node.alone(prepared):
            await outer.take_turn(blocking=blocking)
            try:
                await self._prepare_database(outer, blocking=blocking)
                return await self._beside(outer, self._node.run(outer, prepared), blocking=blocking)
            except Exception:
                raise
            except BaseException:
                # Nobody knows whether it happened before it was cancelled.
                if self._node.may_write(self._parameters):
                    outer.spoil()
                raise
            finally:
                outer.end_turn()
        part = await outer.part(blocking=blocking)
        try:
            await self._prepare_database(part, blocking=blocking)
            output = await self._beside(part, self._node.run(part, prepared), blocking=blocking)
        except BaseException:
            # Where it cannot be undone the whole knows that it must not be committed; this error is the one to see.
            with suppress(ScopeLost):
                await part.undo(blocking=blocking)
            raise
        await part.keep(blocking=blocking)
        return output

    async def _whole(self, scope: Scope, prepared: Any) -> Output:
        output = await self._node.run(scope, prepared)
        await scope.commit(blocking=True)
        return output

    async def _prepare_database(self, scope: Scope, *, blocking: bool) -> None:
        database = self._node.database
        if database is not None and database.unsettled:
            needed = () if self._node.model is None else (self._node.model,)
            await prepare_database(database, needed, scope, blocking=blocking)

    async def _beside(self, scope: Scope, work: Coroutine[Any, Any, Output], *, blocking: bool) -> Output:
        """Do the work where its database is."""
        database = self._node.database
        if blocking or database is None or not database.in_process:
            return await work
        try:
            connection = await scope.reserve(database, blocking=False)
        except BaseException:
            work.close()
            raise
        return await connection.offload(work)


class NodeHandle:
    """A type of node of one database object, such as ``db.nodes.UserCreateNode``: call it, or add it to a workflow."""

    __slots__ = ("__dataflow_node__", "__name__")

    def __init__(self, node: Node) -> None:
        self.__dataflow_node__ = node
        self.__name__ = node.name

    def __call__(self, /, **parameters: object) -> NodeCall:
        return NodeCall(self.__dataflow_node__, parameters)

    def __repr__(self) -> str:
        return f"<{self.__name__}>"
