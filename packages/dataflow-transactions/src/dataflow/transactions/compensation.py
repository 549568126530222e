"""The way back of a saga: nothing more is done, and what was done is undone, the last step first."""

from collections.abc import Mapping
from typing import Any

from dataflow.errors import (
    ConnectionLost,
    DatabaseBusy,
    Deadlock,
    PoolTimeout,
    SerializationFailure,
    ServerFull,
)
from dataflow.transactions.crash import crash_point
from dataflow.transactions.entries import DoneAlready, Entries
from dataflow.transactions.headers import COMPENSATED, COMPENSATING, NEEDS_ATTENTION, NOBODY, Headers
from dataflow.transactions.ledger import DO, TRY, UNDO
from dataflow.transactions.pauses import Attempts
from dataflow.transactions.plan import Plan, Stage
from dataflow.transactions.tasks import NotDone, Task

__all__ = ["Compensation"]

ATTEMPTS = 3
"""How often a compensation is tried."""

PASSING = (ConnectionLost, DatabaseBusy, Deadlock, PoolTimeout, SerializationFailure, ServerFull)
"""What is no fault of a compensation: its database is away, or busy."""

PATIENCE = 30.0
"""Seconds that a step has of which must be known whether it was done."""

Done = Mapping[tuple[str, str], Any]


class Compensation:
    """Undoes a saga that is in the state ``compensating``. Several processes may do so at once.

    :param given: what came from outside, by step.
    """

    def __init__(self, saga: str, plan: Plan, given: Mapping[str, Mapping[str, object]]) -> None:
        self._saga = saga
        self._plan = plan
        self._given = given
        self._headers = Headers(plan.home)

    async def run(self) -> str:
        """Undo what was done.

        :returns: the state in which the saga is then.
        """
        step = ""
        try:
            for stage in self._plan.stages:
                step = stage.id
                if stage.is_vague:
                    await self._settle(stage)
            done = await self._fenced()
            outputs = _outputs(done)
            for stage in reversed(self._plan.stages):
                step = stage.id
                if stage.undo is not None and step in outputs and (step, UNDO) not in done:
                    await self._undo(stage, outputs)
        except PASSING:
            await self._headers.move(self._saga, COMPENSATING, {"owner": NOBODY})
            return COMPENSATING
        except Exception as error:
            return await self._park(step, error)
        crash_point("saga.compensated.before_state")
        if not await self._headers.move(self._saga, COMPENSATING, {"state": COMPENSATED}):
            # Somebody else has undone it, too, and came to an end before.
            return await self._headers.state(self._saga)
        crash_point("saga.compensated.after_state")
        return COMPENSATED

    async def _fenced(self) -> Done:
        """What was done, now that no step will be done any more: one that is under way elsewhere meets our entry."""
        known = await self._known()
        lacking = [stage for stage in self._plan.stages if (stage.id, DO) not in known]
        for stage in lacking:
            await Entries(stage.do.database).forbid(self._saga, stage.id)
        return await self._known() if lacking else known

    async def _settle(self, stage: Stage) -> None:
        """Find out whether a step was done that has begun: do it again, by the same key, as then it is known."""
        known = await self._known()
        if (stage.id, TRY) not in known or (stage.id, DO) in known:
            return
        values = stage.values(_outputs(known), self._given.get(stage.id, {}), f"{self._saga}:{stage.id}")
        try:
            await self._once(stage.do, values, PATIENCE)
        except NotDone:
            await Entries(stage.do.database).forbid(self._saga, stage.id)

    async def _undo(self, stage: Stage, outputs: Mapping[str, Any]) -> None:
        """Undo a step, if nobody has."""
        assert stage.undo is not None
        await self._once(stage.undo, stage.undo_values(outputs, f"{self._saga}:{stage.id}:undo"))

    async def _once(self, task: Task, values: Mapping[str, object], seconds: float | None = None) -> None:
        """Do something, if nobody has; it is tried several times."""
        attempts = Attempts(ATTEMPTS)
        while True:
            try:
                await task.perform(self._saga, values, seconds)
            except DoneAlready:
                return
            except Exception as error:
                if isinstance(error, NotDone) or not await attempts.pause():
                    raise
            else:
                return

    async def _known(self) -> Done:
        known: dict[tuple[str, str], Any] = {}
        for database in self._plan.databases:
            known.update(await Entries(database).of(self._saga))
        return known

    async def _park(self, step: str, error: Exception) -> str:
        """Leave it to a person."""
        problem = f"step {step!r} could not be undone: {type(error).__name__}"
        await self._headers.move(self._saga, COMPENSATING, {"state": NEEDS_ATTENTION, "problem": problem})
        return NEEDS_ATTENTION


def _outputs(done: Done) -> dict[str, Any]:
    """Those of the steps that were done."""
    return {
        step: output for (step, direction), output in done.items() if direction == DO and output is not None
    }
