"""The results of a run."""

from typing import Any

__all__ = ["Results"]


class Results(dict[str, Any]):
    """The output of each node that ran, by its id.

    ``results["execution_time"]``, in seconds, and ``results["retries"]``, how often it was run again, can be read like
    items without being any, so that a loop over the results meets nodes only.
    """

    __slots__ = ("execution_time", "retries")
    execution_time: float
    retries: int

    def __missing__(self, name: str) -> float:
        if name in ("execution_time", "retries"):
            value: float = getattr(self, name)
            return value
        raise KeyError(f"{name!r}: there is no such node, or it did not run")
