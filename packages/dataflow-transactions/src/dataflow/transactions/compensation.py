"""The way back of a saga: nothing more is done, and what was done is undone, the last step first."""

from collections.abc import Mapping
from typing import Any

from dataflow.transactions.crash import crash_point
from dataflow.transactions.entries import DoneAlready
from dataflow.transactions.headers import COMPENSATED, COMPENSATING, NEEDS_ATTENTION, NOBODY
from dataflow.transactions.ledger import DO, UNDO
from dataflow.transactions.owners import me
from dataflow.transactions.pauses import PASSING, Attempts
from dataflow.transactions.plan import Plan, Stage
from dataflow.transactions.tasks import Failed, Task

__all__ = ["Compensation"]

ATTEMPTS = 3
"""How often a compensation is tried."""

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
        self._headers = plan.headers
        self._problem = "it could not be undone"

    async def run(self, not_done: Stage | None = None) -> str:
        """Undo what was done.

        :param not_done: a step of which this process knows that it was not done.
        :returns: the state in which the saga is then.
        """
        try:
            if not_done is not None:
                await self._plan.entries(not_done.do.database).forbid(self._saga, not_done.id)
            done = await self._settled()
            while left := self._left(done):
                await self._undo(left, _outputs(done))
                done = {**done, (left.id, UNDO): {}}
        except PASSING:
            await self._headers.move(self._saga, COMPENSATING, {"owner": NOBODY})
            return COMPENSATING
        except Exception as error:
            return await self._park(error)
        return await self._end()

    async def admit(self, stage: Stage, output: str) -> None:
        """Take note that a step was done that must not have been, so that it is undone, too.

        :param output: its output, as a document.
        """
        await self._plan.entries(stage.do.database).admit(self._saga, stage.id, output)
        problem = f"step {stage.id!r} was done when all was undone"
        again = {"state": COMPENSATING, "owner": me(), "problem": problem}
        await self._headers.move(self._saga, COMPENSATED, again)

    async def _settled(self) -> Done:
        """What was done, now that no step will be done any more: one that is under way elsewhere meets our entry."""
        known = await self._known()
        for stage in self._plan.stages:
            if stage.is_vague and (stage.id, DO) not in known:
                self._problem = f"whether step {stage.id!r} was done is not known"
                await self._settle(stage)
                known = await self._known()
        lacking = [stage for stage in self._plan.stages if (stage.id, DO) not in known]
        for stage in lacking:
            await self._plan.entries(stage.do.database).forbid(self._saga, stage.id)
        return await self._known() if lacking else known

    async def _settle(self, stage: Stage) -> None:
        """Find out whether a step was done that may have begun: do it again, by the same key, as then it is known."""
        entries = self._plan.entries(stage.do.database)
        if await entries.forbid_to_begin(self._saga, stage.id):
            return
        known = await self._known()
        if (stage.id, DO) in known:
            return
        values = stage.values(_outputs(known), self._given.get(stage.id, {}), f"{self._saga}:{stage.id}")
        try:
            late = await self._once(stage.do, values, PATIENCE)
        except Failed as failed:
            if not failed.proves_nothing_done(at_first=False):
                raise failed.cause from failed.cause.__cause__
            await entries.forbid(self._saga, stage.id)
        else:
            if late is not None and (await self._known())[stage.id, DO] is None:
                await self.admit(stage, late)

    def _left(self, done: Done) -> Stage | None:
        """The last step that was done and must be undone."""
        outputs = _outputs(done)
        for stage in reversed(self._plan.stages):
            is_undone = stage.undo is None or (stage.id, UNDO) in done
            if not is_undone and stage.id in outputs and not stage.changed_nothing(outputs[stage.id]):
                return stage
        return None

    async def _undo(self, stage: Stage, outputs: Mapping[str, Any]) -> None:
        """Undo a step, if nobody has."""
        assert stage.undo is not None
        self._problem = f"step {stage.id!r} could not be undone"
        await self._once(stage.undo, stage.undo_values(outputs, f"{self._saga}:{stage.id}:undo"))

    async def _once(
        self, task: Task, values: Mapping[str, object], seconds: float | None = None
    ) -> str | None:
        """Do something; it is tried several times.

        :returns: where somebody has entered it before, the output as a document.
        """
        attempts = Attempts(ATTEMPTS)
        while True:
            try:
                await self._plan.perform(task, self._saga, values, seconds)
            except DoneAlready as late:
                return late.output
            except Exception as error:
                is_sure = isinstance(error, Failed) and error.proves_nothing_done(at_first=False)
                if is_sure or not await attempts.pause():
                    raise
            else:
                return None

    async def _end(self) -> str:
        """Keep that all is undone.

        :returns: the state in which the saga is then.
        """
        crash_point("saga.compensated.before_state")
        if not await self._headers.move(self._saga, COMPENSATING, {"state": COMPENSATED}):
            # Somebody else has undone it, too, and came to an end before.
            return await self._headers.state(self._saga)
        crash_point("saga.compensated.after_state")
        if any(stage.is_vague for stage in self._plan.stages) and self._left(await self._known()):
            # Who came late with it has looked at the state before we have changed it.
            await self._headers.move(self._saga, COMPENSATED, {"state": COMPENSATING})
            return await self.run()
        return COMPENSATED

    async def _known(self) -> Done:
        known: dict[tuple[str, str], Any] = {}
        for database in self._plan.databases:
            known.update(await self._plan.entries(database).of(self._saga))
        return known

    async def _park(self, error: Exception) -> str:
        """Leave it to a person."""
        problem = f"{self._problem}: {type(error).__name__}"
        await self._headers.move(self._saga, COMPENSATING, {"state": NEEDS_ATTENTION, "problem": problem})
        return NEEDS_ATTENTION


def _outputs(done: Done) -> dict[str, Any]:
    """Those of the steps that were done."""
    return {
        step: output for (step, direction), output in done.items() if direction == DO and output is not None
    }
