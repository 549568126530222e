"""Nodes without a graph: the same path, as one call."""

from collections.abc import Coroutine, Generator, Mapping
from contextlib import suppress
from typing import Any

from dataflow.errors import ScopeLost, WorkflowError, WorkflowExecutionError
from dataflow.execution.background import run_in_background
from dataflow.execution.crossing import running_loop
from dataflow.execution.scope import Scope, current_scope
from dataflow.execution.stepping import step
from dataflow.nodes.contract import Node, Output
from dataflow.nodes.registry import NodeSource
from dataflow.runtime.alone import run_alone
from dataflow.runtime.asynchronous import AsyncLocalRuntime
from dataflow.runtime.local import LocalRuntime
from dataflow.runtime.preparation import prepare_database
from dataflow.runtime.read_only import check_call
from dataflow.workflow.builder import WorkflowBuilder
from dataflow.workflow.graph import Workflow

__all__ = ["NodeCall", "NodeHandle"]


class NodeCall:
    """A node with its parameters: await it, or hand it to ``db.run_sync``. Within a scope it belongs to that.

    :param source: where it finds other nodes that its parameters name.
    """

    __slots__ = ("_node", "_parameters", "_source")

    def __init__(
        self, node: Node, parameters: Mapping[str, object], source: NodeSource | None = None
    ) -> None:
        self._node = node
        self._parameters = parameters
        self._source = source

    def __await__(self) -> Generator[Any, None, Output]:
        if self._node.database is None:
            return self._as_run_on_loop().__await__()
        return self._run(blocking=False).__await__()

    def run(self) -> Output:
        """Run it from a thread that may block."""
        database = self._node.database
        if database is None:
            return self._as_run()
        if database.in_process:
            return step(self._run(blocking=True))
        outer = current_scope.get()
        work = self._run(blocking=False)
        return run_in_background(work) if outer is None else outer.ask(work)

    def _as_run(self) -> Output:
        """Run what belongs to no database as a workflow, which knows where it may block, and what is open."""
        try:
            results, _ = LocalRuntime().execute(self._workflow())
            output: Output = results[self._node.name]
            return output
        except WorkflowExecutionError as error:
            cause = error.cause
        raise cause

    async def _as_run_on_loop(self) -> Output:
        try:
            results, _ = await AsyncLocalRuntime().execute(self._workflow())
            output: Output = results[self._node.name]
            return output
        except WorkflowExecutionError as error:
            cause = error.cause
        raise cause

    def _workflow(self) -> Workflow:
        self._node.prepare(self._parameters)
        builder = WorkflowBuilder(self._source)
        builder.add_node(NodeHandle(self._node), self._node.name, self._parameters)
        return builder.build()

    async def _run(self, *, blocking: bool) -> Output:
        node, outer = self._node, current_scope.get()
        prepared = node.prepare(self._parameters)
        if outer is not None:
            self._check_place(outer)
            check_call(outer, node, self._parameters)
            return await self._within(outer, prepared, blocking=blocking)
        if node.database is not None and not node.waits:
            return await run_alone(node, self._parameters, prepared, node.name, blocking=blocking)
        return await self._in_scope(prepared, blocking=blocking)

    async def _in_scope(self, prepared: Any, *, blocking: bool) -> Output:
        """In a transaction of its own."""
        loop = None if blocking else running_loop()
        scope = Scope(self._node.name, writes=self._node.may_write(self._parameters), loop=loop)
        try:
            await self._prepare_database(scope, blocking=blocking)
            database = self._node.database
            in_thread = blocking or (database is not None and database.in_process)
            work = self._whole(scope, prepared, blocking=in_thread)
            return await self._beside(scope, work, blocking=blocking)
        finally:
            await scope.close(blocking=blocking)

    async def _within(self, outer: Scope, prepared: Any, *, blocking: bool) -> Output:
        """In a transaction that is open: as a part of it, unless it is one statement, which is undone by itself."""
        if self._undoes_itself(prepared):
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

    def _undoes_itself(self, prepared: Any) -> bool:
        database = self._node.database
        return (database is None or database.statements_are_atomic) and self._node.alone(prepared)

    def _check_place(self, outer: Scope) -> None:
        """Refuse to use a connection on another event loop than its own."""
        database = self._node.database
        if database is not None and not database.in_process and outer.loop not in (None, running_loop()):
            raise WorkflowError(
                f"{self._node.name} was awaited on another event loop than that of its transaction; await it there, "
                "or call db.run_sync in a thread"
            )

    async def _whole(self, scope: Scope, prepared: Any, *, blocking: bool) -> Output:
        output = await self._node.run(scope, prepared)
        await scope.commit(blocking=blocking)
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
    """A type of node of one database object, such as ``db.nodes.UserCreateNode``: call it, or add it to a workflow.

    :param source: that database object.
    """

    __slots__ = ("__dataflow_node__", "__name__", "_source")

    def __init__(self, node: Node, source: NodeSource | None = None) -> None:
        self.__dataflow_node__ = node
        self.__name__ = node.name
        self._source = source

    def __call__(self, /, **parameters: object) -> NodeCall:
        return NodeCall(self.__dataflow_node__, parameters, self._source)

    def __repr__(self) -> str:
        return f"<{self.__name__}>"
