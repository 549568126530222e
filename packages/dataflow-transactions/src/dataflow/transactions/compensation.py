"""The way back of a saga: nothing more is done, and what was done is undone, the last step first."""

from collections.abc import Mapping
from typing import Any

from dataflow.errors import ConnectionLost, DatabaseBusy, PoolTimeout, ServerFull
from dataflow.transactions.crash import crash_point
from dataflow.transactions.entries import DoneAlready, Entries
from dataflow.transactions.headers import COMPENSATED, COMPENSATING, NEEDS_ATTENTION, NOBODY, Headers
from dataflow.transactions.ledger import DO, UNDO
from dataflow.transactions.pauses import Attempts
from dataflow.transactions.plan import Plan, Stage

__all__ = ["Compensation"]

ATTEMPTS = 3
"""How often a compensation is tried."""

PASSING = (ConnectionLost, DatabaseBusy, PoolTimeout, ServerFull)
"""What is no fault of a compensation: its database is away, or busy."""

Done = Mapping[tuple[str, str], Any]


class Compensation:
    """Undoes a saga that is in the state ``compensating``. Several processes may do so at once."""

    def __init__(self, saga: str, plan: Plan) -> None:
        self._saga = saga
        self._plan = plan
        self._headers = Headers(plan.home)

    async def run(self) -> str:
        """Undo what was done.

        :returns: the state in which the saga is then.
        """
        done = await self._fenced()
        outputs = {step: output for (step, direction), output in done.items() if direction == DO}
        for stage in reversed(self._plan.stages):
            if stage.undo is None or outputs[stage.id] is None or (stage.id, UNDO) in done:
                continue
            try:
                await self._undo(stage, outputs)
            except PASSING:
                await self._headers.move(self._saga, COMPENSATING, {"owner": NOBODY})
                return COMPENSATING
            except Exception as error:
                return await self._park(stage, error)
        crash_point("saga.compensated.before_state")
        if not await self._headers.move(self._saga, COMPENSATING, {"state": COMPENSATED}):
            # Somebody else has undone it, too, and came to an end before.
            return await self._headers.state(self._saga)
        crash_point("saga.compensated.after_state")
        return COMPENSATED

    async def _fenced(self) -> Done:
        """What was done, now that no step will be done any more: one that is under way elsewhere meets our entry."""
        done: dict[tuple[str, str], Any] = {}
        for database in self._plan.databases:
            entries = Entries(database)
            known = await entries.of(self._saga)
            lacking = [
                stage.id
                for stage in self._plan.stages
                if stage.do.database is database and (stage.id, DO) not in known
            ]
            for step in lacking:
                await entries.forbid(self._saga, step)
            done.update(await entries.of(self._saga) if lacking else known)
        return done

    async def _undo(self, stage: Stage, outputs: Mapping[str, Any]) -> None:
        """Undo a step, if nobody has."""
        assert stage.undo is not None
        values = stage.undo_values(outputs, f"{self._saga}:{stage.id}:undo")
        attempts = Attempts(ATTEMPTS)
        while True:
            try:
                await stage.undo.perform(self._saga, values)
            except DoneAlready:
                return
            except Exception:
                if not await attempts.pause():
                    raise
            else:
                return

    async def _park(self, stage: Stage, error: Exception) -> str:
        """Leave it to a person."""
        problem = f"the compensation of step {stage.id!r} failed: {type(error).__name__}"
        await self._headers.move(self._saga, COMPENSATING, {"state": NEEDS_ATTENTION, "problem": problem})
        return NEEDS_ATTENTION
