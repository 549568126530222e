"""Places in the code at which a test can have the process die, as a power cut would have it.

``DATAFLOW_CRASH_AT=saga.after_commit`` kills the process when it comes there, ``saga.after_commit:3`` when it comes
there for the third time. Without the variable a place costs the comparison of two names.
"""

import os
import signal
from typing import Final

__all__ = ["POINTS", "crash_point"]

POINTS: Final[tuple[str, ...]] = (
    "saga.begin.before_header",
    "saga.begin.after_header",
    "saga.step.before_work",
    "saga.step.before_ledger",
    "saga.step.after_ledger",
    "saga.step.after_commit",
    "saga.done.before_state",
    "saga.done.after_state",
    "saga.failure.before_state",
    "saga.failure.after_state",
    "saga.fence.before_ledger",
    "saga.fence.after_commit",
    "saga.compensation.before_work",
    "saga.compensation.before_ledger",
    "saga.compensation.after_ledger",
    "saga.compensation.after_commit",
    "saga.compensated.before_state",
    "saga.compensated.after_state",
    "two_phase.prepare.before_branch",
    "two_phase.prepare.after_branch",
    "two_phase.decision.before_row",
    "two_phase.decision.after_row",
    "two_phase.decision.before_commit",
    "two_phase.decision.after_commit",
    "two_phase.commit.before_branch",
    "two_phase.commit.after_branch",
    "two_phase.forget.before_row",
    "two_phase.forget.after_row",
    "two_phase.abort.before_branch",
    "two_phase.abort.after_branch",
    "two_phase.fence.before_row",
    "two_phase.fence.after_row",
    "two_phase.recovery.before_branch",
    "two_phase.recovery.after_branch",
)
"""All places, in the order in which they are passed."""

_place, _, _count = os.environ.get("DATAFLOW_CRASH_AT", "").partition(":")
_passes_left = int(_count or 1)


def crash_point(name: str) -> None:
    """Die here, without any clearing up, if the environment says so."""
    if name == _place:
        _die_at_last_pass()


def _die_at_last_pass() -> None:
    global _passes_left
    _passes_left -= 1
    if _passes_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
