"""The results of a run."""

from typing import Any

__all__ = ["Results"]


class Results(dict[str, Any]):
    """The output of each node that ran, by its id.

    ``results["execution_time"]``, in seconds, can be read like an item without being one, so that a loop over the
    results meets nodes only.
    """

    __slots__ = ("execution_time",)
    execution_time: float

    def __missing__(self, name: str) -> float:
        if name == "execution_time":
            return self.execution_time
        raise KeyError(f"{name!r}: there is no such node, or it did not run")
