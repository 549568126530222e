"""Running a whole unit of work again where others came in between."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from random import uniform
from typing import Any

from dataflow.errors import DatabaseBusy, Deadlock, SerializationFailure, WorkflowExecutionError
from dataflow.workflow.graph import Step

__all__ = ["RETRIES", "can_repeat", "passes", "run_again"]

RETRIES = 5
"""How often a unit of work is run again where nobody says anything else."""

PASSING = (SerializationFailure, Deadlock, DatabaseBusy)
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 1.0  # seconds


async def run_again(
    attempt: Callable[[], Coroutine[Any, Any, None]],
    retries: int,
    goes_on: Callable[[Exception], bool],
    *,
    blocking: bool,
) -> int:
    """Make further attempts, each after a pause at random, as long as what fails them passes by.

    :param retries: how many at most.
    :param goes_on: whether an error is one that passes by.
    :param blocking: whether this thread may block.
    :returns: how many it took.
    """
    done = 0
    while True:
        await _pause(uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**done)), blocking=blocking)
        done += 1
        try:
            await attempt()
            return done
        except Exception as error:
            if done == retries or not goes_on(error):
                error.add_note(f"It was run {done + 1} times.")
                raise


def can_repeat(steps: Iterable[Step], given: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether steps do nothing that must not be done twice, and use nothing up."""
    return all(step.node.repeatable({**step.parameters, **given.get(step.id, {})}) for step in steps)


def passes(error: BaseException) -> bool:
    """Whether it was bad luck; a run inside a function wraps what happened there.

    What the outermost run has kept of other transactions is for whoever asks to judge.
    """
    if isinstance(error, WorkflowExecutionError) and not error.committed:
        error = error.cause
    while isinstance(error, WorkflowExecutionError):
        if error.committed or error.kept:
            return False
        error = error.cause
    return isinstance(error, PASSING)


async def _pause(seconds: float, *, blocking: bool) -> None:
    if blocking:
        from time import sleep

        sleep(seconds)
    else:
        import asyncio

        await asyncio.sleep(seconds)
