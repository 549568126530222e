"""Sagas and two-phase commit for DataFlow."""

from typing import TYPE_CHECKING, Any

from dataflow.transactions.errors import NotDone, SagaFailed

if TYPE_CHECKING:
    from dataflow.transactions.recovery import Recovered, recover

__all__ = ["NotDone", "Recovered", "SagaFailed", "recover"]


def __getattr__(name: str) -> Any:
    # It imports more than a program needs that only declares its models.
    if name in ("Recovered", "recover"):
        from dataflow.transactions import recovery

        return getattr(recovery, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
