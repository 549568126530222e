"""Nodes without a graph: the same path, as one call."""

from collections.abc import Coroutine, Generator, Mapping
from typing import Any

from dataflow.execution.scope import Scope, current_scope
from dataflow.execution.stepping import step
from dataflow.nodes.contract import Node, Output
from dataflow.runtime.background import run_in_background
from dataflow.runtime.preparation import prepare_database

__all__ = ["NodeCall", "NodeHandle"]


class NodeCall:
    """A node with its parameters: await it, or hand it to ``db.run_sync``. Within a scope it belongs to that."""

    __slots__ = ("_node", "_parameters")

    def __init__(self, node: Node, parameters: Mapping[str, object]) -> None:
        self._node = node
        self._parameters = parameters

    def __await__(self) -> Generator[Any, None, Output]:
        return self._on_loop().__await__()

    def run(self) -> Output:
        """Run it from a thread that may block."""
        database = self._node.database
        if database is None or database.in_process:
            return step(self._here())
        return run_in_background(self._on_loop())

    async def _here(self) -> Output:
        prepared = self._node.prepare(self._parameters)
        outer = _open_scope()
        if outer is not None:
            await self._prepare_database(outer, blocking=True)
            return await self._within(outer, prepared)
        scope = self._scope(prepared)
        try:
            await self._prepare_database(scope, blocking=True)
            return await self._whole(scope, prepared)
        finally:
            await scope.close(blocking=True)

    async def _on_loop(self) -> Output:
        prepared = self._node.prepare(self._parameters)
        outer = _open_scope()
        if outer is not None:
            await self._prepare_database(outer, blocking=False)
            return await self._beside(outer, self._within(outer, prepared))
        scope = self._scope(prepared)
        try:
            await self._prepare_database(scope, blocking=False)
            return await self._beside(scope, self._whole(scope, prepared))
        finally:
            await scope.close(blocking=False)

    def _scope(self, prepared: Any) -> Scope:
        node = self._node
        return Scope(node.name, writes=node.may_write(self._parameters), autocommit=node.alone(prepared))

    async def _prepare_database(self, scope: Scope, *, blocking: bool) -> None:
        database = self._node.database
        if database is not None and database.unprepared:
            await prepare_database(database, scope, blocking=blocking)

    async def _beside(self, scope: Scope, work: Coroutine[Any, Any, Output]) -> Output:
        database = self._node.database
        if database is None or not database.in_process:
            return await work
        try:
            connection = await scope.reserve(database, blocking=False)
        except BaseException:
            work.close()
            raise
        return await connection.offload(work)

    async def _whole(self, scope: Scope, prepared: Any) -> Output:
        output = await self._node.run(scope, prepared)
        await scope.commit(blocking=True)
        return output

    async def _within(self, scope: Scope, prepared: Any) -> Output:
        if self._node.alone(prepared):
            return await self._node.run(scope, prepared)
        point = await scope.savepoint(blocking=True)
        try:
            output = await self._node.run(scope, prepared)
        except BaseException:
            await scope.undo(point, blocking=True)
            raise
        await scope.keep(point, blocking=True)
        return output


class NodeHandle:
    """A type of node of one database object, such as ``db.nodes.UserCreateNode``: call it, or add it to a workflow."""

    __slots__ = ("__dataflow_node__", "__name__")

    def __init__(self, node: Node) -> None:
        self.__dataflow_node__ = node
        self.__name__ = node.name

    def __call__(self, **parameters: object) -> NodeCall:
        return NodeCall(self.__dataflow_node__, parameters)

    def __repr__(self) -> str:
        return f"<{self.__name__}>"


def _open_scope() -> Scope | None:
    """The scope that a call belongs to; one that has ended is an error of its own when it is used."""
    return current_scope.get()
