"""How long a scope may take."""

from collections.abc import Coroutine
from threading import Event, Thread
from typing import Any

from dataflow.errors import CommitUnknown, TransactionTimeout
from dataflow.execution.scope import Scope

__all__ = ["in_time"]

AGAIN = (
    0.01  # seconds until what runs is interrupted once more, as it may have begun just after the last time
)


async def in_time(
    scope: Scope, seconds: float | None, work: Coroutine[Any, Any, None], *, blocking: bool
) -> None:
    """Do what happens in a scope, and end it after some time.

    :param blocking: whether this thread does it all, so that another one must interrupt it.
    :raises TransactionTimeout: where it took longer.
    :raises CommitUnknown: where that was noticed during its commit across the network.
    """
    if seconds is None:
        await work
    elif blocking:
        await _in_thread(scope, seconds, work)
    else:
        await _on_loop(scope, seconds, work)


class _Alarm(Thread):
    """Cancels a scope when its time is over, until somebody has noticed."""

    def __init__(self, scope: Scope, seconds: float) -> None:
        super().__init__(name="dataflow-deadline", daemon=True)
        self.has_rung = False
        self._scope = scope
        self._seconds = seconds
        self._done = Event()

    def run(self) -> None:
        if self._done.wait(self._seconds):
            return
        self.has_rung = True
        while True:
            self._scope.cancel()
            if self._done.wait(AGAIN):
                return

    def stop(self) -> None:
        """From here on it interrupts nothing any more."""
        self._done.set()
        self.join()


async def _in_thread(scope: Scope, seconds: float, work: Coroutine[Any, Any, None]) -> None:
    alarm = _Alarm(scope, seconds)
    alarm.start()
    try:
        await work
    except Exception as error:
        alarm.stop()
        if alarm.has_rung:
            raise _too_long(seconds) from error
        raise
    finally:
        alarm.stop()
    if alarm.has_rung and not scope.is_done:
        raise _too_long(seconds)


async def _on_loop(scope: Scope, seconds: float, work: Coroutine[Any, Any, None]) -> None:
    from asyncio import get_running_loop, timeout

    limit = timeout(seconds)
    # Who swallows the cancellation shall not go on as if nothing had happened.
    refusal = get_running_loop().call_later(seconds, scope.refuse)
    try:
        async with limit:
            await work
    except Exception as error:
        if not limit.expired():
            raise
        if scope.commit_unknown:
            raise CommitUnknown(
                f"the transaction took longer than {seconds:g} s (timeout) while it was being committed; "
                "whether it was is not known"
            ) from error
        if not scope.is_done:
            raise _too_long(seconds) from error
    finally:
        refusal.cancel()
    if limit.expired() and not scope.is_done:
        raise _too_long(seconds)


def _too_long(seconds: float) -> TransactionTimeout:
    return TransactionTimeout(f"the transaction took longer than {seconds:g} s (timeout)")
