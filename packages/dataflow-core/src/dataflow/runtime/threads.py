"""Functions that block, kept off the event loop."""

from collections.abc import Coroutine
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import Any

from dataflow.execution.scope import Scope
from dataflow.execution.stepping import step

__all__ = ["in_thread"]

PATIENCE = 0.01


async def in_thread(scope: Scope, work: Coroutine[Any, Any, None]) -> None:
    """Step a coroutine in a thread of its own: one of a pool could wait for what another run of that pool holds.

    Where it is cancelled, the scope is, and the thread has ended when this returns.
    """
    import asyncio
    from concurrent.futures import Future

    # In a list that is emptied at the end: the error of a run must not keep its frames, and these the error.
    outcome: list[Future[None]] = [Future()]
    context = copy_context()

    def run() -> None:
        try:
            context.run(step, work)
        except BaseException as error:
            outcome[0].set_exception(error)
        else:
            outcome[0].set_result(None)

    thread = Thread(target=run, name="dataflow-function")
    thread.start()
    future = asyncio.wrap_future(outcome[0])
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
    finally:
        thread.join()
        outcome.clear()
        del future
