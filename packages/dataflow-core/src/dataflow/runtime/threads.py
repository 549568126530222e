"""Functions that block, kept off the event loop."""

from collections.abc import Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from dataflow.execution.scope import Scope
from dataflow.execution.stepping import step

__all__ = ["in_thread"]

PATIENCE = 0.01


async def in_thread(scope: Scope, work: Coroutine[Any, Any, None]) -> None:
    """Step a coroutine in a thread of the event loop's pool.

    Where it is cancelled, the scope is, and the thread has ended when this returns.
    """
    import asyncio

    future = asyncio.get_running_loop().run_in_executor(None, copy_context().run, step, work)
    try:
        await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            # Again and again: it may come a moment before there is anything to interrupt.
            scope.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future], timeout=PATIENCE)
        # Its outcome no longer matters to anybody.
        future.exception()
        raise
