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
from dataflow.transactions.headers import COMPENSATING, DONE, NOBODY, RUNNING
from dataflow.transactions.ledger import DO
from dataflow.transactions.pauses import PASSING, Attempts
from dataflow.transactions.plan import Plan, Stage
from dataflow.transactions.tasks import Failed

__all__ = ["Saga"]

ATTEMPTS = 3
"""How often a step is tried whose connection was lost."""

ATTEMPTS_AT_THE_END = 6
"""How often it is tried to keep that all is done, as nothing but that is missing."""

LAST_WORDS = 5.0
"""Seconds that a saga has to say that nobody has it in hand any more."""


class Stopped(DataFlowError):
    """Another process has begun to undo the saga."""


class _Wrapped(DataFlowError):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Refused(_Wrapped):
    """A step that is outside of any transaction has failed, and has done nothing."""


class Unkept(_Wrapped):
    """All steps are done, but that could not be kept."""


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
        self._headers = plan.headers
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
        stage = self._plan.stages[0]
        try:
            for stage in self._plan.stages:
                if stage.id not in self._outputs:
                    self._outputs[stage.id] = await self._done(stage)
            await self._finish()
        except Unkept as unkept:
            raise SagaFailed(self.id, None, unkept.cause, RUNNING) from unkept.cause
        except Exception as caught:
            error = caught.cause if isinstance(caught, Refused) else caught
            not_done = stage if isinstance(caught, Refused) else None
            state = await self._back(stage.id, error, not_done)
            if state != DONE:
                raise SagaFailed(self.id, stage.id, error, state) from error
            await self.look()
        return self._outputs

    async def look(self) -> None:
        """Take up the outputs of the steps that were done."""
        for database in self._plan.databases:
            for (step, direction), output in (await self._plan.entries(database).of(self.id)).items():
                if direction == DO and output is not None:
                    self._outputs[step] = output

    async def back(self, problem: str, not_done: Stage | None = None) -> str:
        """Undo what was done.

        :param problem: why, without any value.
        :param not_done: a step of which this process knows that it was not done.
        :returns: the state in which it is then; ``done`` where somebody else was faster.
        """
        crash_point("saga.failure.before_state")
        if not await self._headers.move(self.id, RUNNING, {"state": COMPENSATING, "problem": problem}):
            state = await self._headers.state(self.id)
            if state != COMPENSATING:
                return state
        crash_point("saga.failure.after_state")
        return await self._compensation().run(not_done)

    def _compensation(self) -> Compensation:
        return Compensation(self.id, self._plan, self._given)

    # ------------------------------------------------------------------ forward

    async def _done(self, stage: Stage) -> Any:
        """The output of a step that is done now, or was before.

        :raises Refused: where it is known that it was not done, and why.
        """
        attempts = Attempts(ATTEMPTS)
        values = stage.values(self._outputs, self._given.get(stage.id, {}), f"{self.id}:{stage.id}")
        seconds = self._seconds_left()
        is_first = not stage.is_vague or await self._entries(stage).announce(self.id, stage.id)
        if not is_first and (stage.id, DO) in await self._entries(stage).of(self.id):
            return await self._recorded(stage)
        while True:
            try:
                return await self._plan.perform(stage.do, self.id, values, seconds)
            except DoneAlready as late:
                return await self._recorded(stage, late.output)
            except Failed as failed:
                if failed.proves_nothing_done(at_first=is_first):
                    raise Refused(failed.cause) from None
                raise failed.cause from failed.cause.__cause__
            except ConnectionLost:
                # Perhaps it was committed, of which only the answer was lost.
                if not await attempts.pause():
                    raise
                done = await self._entries(stage).of(self.id)
                if done.get((stage.id, DO)) is not None:
                    return done[stage.id, DO]
                if not stage.do.node.repeatable(values):
                    raise
                seconds = self._seconds_left()

    async def _recorded(self, stage: Stage, late: str | None = None) -> Any:
        """What the ledger tells of a step that it has an entry of.

        :param late: the output of our own call, which came after that.
        :raises Stopped: where it must not be done.
        """
        output = (await self._entries(stage).of(self.id))[stage.id, DO]
        if output is not None:
            return output
        if late is not None and stage.is_vague:
            await self._compensation().admit(stage, late)
        raise Stopped("another process has begun to undo this saga")

    def _entries(self, stage: Stage) -> Entries:
        return self._plan.entries(stage.do.database)

    def _seconds_left(self) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - time()
        if left <= 0:
            raise TransactionTimeout("the time of the saga was over (timeout)")
        return left

    async def _finish(self) -> None:
        """Keep that all is done.

        :raises Unkept: where that cannot be done now; recovery does so.
        :raises Stopped: where it must not be done any more.
        """
        attempts = Attempts(ATTEMPTS_AT_THE_END)
        while True:
            crash_point("saga.done.before_state")
            try:
                is_ours = await self._headers.move(self.id, RUNNING, {"state": DONE})
                state = DONE if is_ours else await self._headers.state(self.id)
                break
            except Exception as error:
                if isinstance(error, PASSING) and await attempts.pause():
                    continue
                await self._leave((RUNNING, {}))
                raise Unkept(error) from None
        if state != DONE:
            raise Stopped("another process has begun to undo this saga")
        crash_point("saga.done.after_state")

    # ------------------------------------------------------------------ back

    async def _back(self, step: str, error: Exception, not_done: Stage | None) -> str:
        try:
            return await self.back(f"step {step!r} failed: {type(error).__name__}", not_done)
        except Exception as trouble:
            error.add_note(f"It could not be undone, either: {type(trouble).__name__}: {trouble}.")
            return RUNNING

    async def _let_go(self) -> None:
        """Leave it to recovery to undo what was done, as whoever wanted it does not any more."""
        undo = {"state": COMPENSATING, "problem": "it was cancelled"}
        await self._leave((RUNNING, undo), (COMPENSATING, {}))

    async def _leave(self, *moves: tuple[str, Mapping[str, object]]) -> None:
        """Say that nobody has the saga in hand any more, if that can be said.

        :param moves: states in which it may be, and what is to be changed there.
        """
        with suppress(Exception):
            async with asyncio.timeout(LAST_WORDS):
                for old, changes in moves:
                    if await self._headers.move(self.id, old, {"owner": NOBODY, **changes}):
                        break
