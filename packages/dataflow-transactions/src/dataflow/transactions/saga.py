"""A saga under way: forward step by step, each of which happens once, wherever this was tried before."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import time
from typing import Any

from dataflow.errors import ConnectionLost, DataFlowError, TransactionTimeout
from dataflow.transactions.compensation import Compensation
from dataflow.transactions.crash import crash_point
from dataflow.transactions.entries import DoneAlready, Entries
from dataflow.transactions.errors import SagaFailed
from dataflow.transactions.headers import COMPENSATING, DONE, NOBODY, RUNNING, Headers
from dataflow.transactions.ledger import DO
from dataflow.transactions.pauses import Attempts
from dataflow.transactions.plan import Plan, Stage
from dataflow.transactions.tasks import NotDone

__all__ = ["Saga"]

ATTEMPTS = 3
"""How often a step is tried whose connection was lost."""

LAST_WORDS = 5.0
"""Seconds that a saga has to say that it was cancelled."""


class Stopped(DataFlowError):
    """Another process has begun to undo the saga."""


class Saga:
    """One saga that this process has in hand.

    :param given: what came from outside, by step.
    :param deadline: the time after which it must not go forward, in seconds since 1970.
    """

    def __init__(
        self, id: str, plan: Plan, given: Mapping[str, Mapping[str, object]], deadline: float | None
    ) -> None:
        self.id = id
        self._plan = plan
        self._given = given
        self._deadline = deadline
        self._headers = Headers(plan.home)
        self._outputs: dict[str, Any] = {}

    async def run(self) -> Mapping[str, Any]:
        """Take its steps.

        :returns: their outputs.
        :raises SagaFailed: where one of them fails; then what was done is undone.
        """
        try:
            return await self._run()
        except asyncio.CancelledError:
            await self._let_go()
            raise

    async def _run(self) -> Mapping[str, Any]:
        step = ""
        try:
            for stage in self._plan.stages:
                step = stage.id
                if step not in self._outputs:
                    self._outputs[step] = await self._done(stage)
            await self._finish()
        except Exception as caught:
            error = caught.cause if isinstance(caught, NotDone) else caught
            state = await self._back(step, caught)
            if state != DONE:
                raise SagaFailed(self.id, step, error, state) from error
            await self.look()
        return self._outputs

    async def look(self) -> None:
        """Take up the outputs of the steps that were done."""
        for database in self._plan.databases:
            for (step, direction), output in (await Entries(database).of(self.id)).items():
                if direction == DO and output is not None:
                    self._outputs[step] = output

    async def back(self, problem: str) -> str:
        """Undo what was done.

        :param problem: why, without any value.
        :returns: the state in which it is then; ``done`` where somebody else was faster.
        """
        crash_point("saga.failure.before_state")
        if not await self._headers.move(self.id, RUNNING, {"state": COMPENSATING, "problem": problem}):
            state = await self._headers.state(self.id)
            if state != COMPENSATING:
                return state
        crash_point("saga.failure.after_state")
        return await Compensation(self.id, self._plan, self._given).run()

    # ------------------------------------------------------------------ forward

    async def _done(self, stage: Stage) -> Any:
        """The output of a step that is done now, or was before."""
        values = stage.values(self._outputs, self._given.get(stage.id, {}), f"{self.id}:{stage.id}")
        attempts = Attempts(ATTEMPTS)
        seconds = self._seconds_left()
        if stage.is_vague:
            await Entries(stage.do.database).announce(self.id, stage.id)
        while True:
            try:
                return await stage.do.perform(self.id, values, seconds)
            except DoneAlready:
                return await self._recorded(stage)
            except ConnectionLost:
                # Perhaps it was committed, of which only the answer was lost.
                if not await attempts.pause():
                    raise
                done = await Entries(stage.do.database).of(self.id)
                if done.get((stage.id, DO)) is not None:
                    return done[stage.id, DO]
                if not stage.do.node.repeatable(values):
                    raise

    async def _recorded(self, stage: Stage) -> Any:
        output = (await Entries(stage.do.database).of(self.id))[stage.id, DO]
        if output is None:
            raise Stopped("another process has begun to undo this saga")
        return output

    def _seconds_left(self) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - time()
        if left <= 0:
            raise TransactionTimeout("the time of the saga was over (timeout)")
        return left

    async def _finish(self) -> None:
        crash_point("saga.done.before_state")
        is_ours = await self._headers.move(self.id, RUNNING, {"state": DONE})
        if not is_ours and await self._headers.state(self.id) != DONE:
            raise Stopped("another process has begun to undo this saga")
        crash_point("saga.done.after_state")

    def _stage(self, step: str) -> Stage:
        return next(stage for stage in self._plan.stages if stage.id == step)

    # ------------------------------------------------------------------ back

    async def _back(self, step: str, error: Exception) -> str:
        try:
            if isinstance(error, NotDone):
                await Entries(self._stage(step).do.database).forbid(self.id, step)
                error = error.cause
            return await self.back(f"step {step!r} failed: {type(error).__name__}")
        except Exception as trouble:
            error.add_note(f"It could not be undone, either: {type(trouble).__name__}: {trouble}.")
            return RUNNING

    async def _let_go(self) -> None:
        """Leave it to recovery to undo what was done, as whoever wanted it does not any more."""
        undo = {"state": COMPENSATING, "owner": NOBODY, "problem": "it was cancelled"}
        with suppress(Exception):
            async with asyncio.timeout(LAST_WORDS):
                if not await self._headers.move(self.id, RUNNING, undo):
                    await self._headers.move(self.id, COMPENSATING, {"owner": NOBODY})
