"""What bulk nodes are told of how they work: the rows that they send at once, and who hears how far they are."""

import inspect
from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

from dataflow.abc import Dialect
from dataflow.errors import InvalidValue
from dataflow.progress import Progress

__all__ = ["Report", "read_batch_size", "read_report"]

Report: TypeAlias = Callable[[Progress], object]


def read_batch_size(
    parameters: Mapping[str, object], dialect: Dialect, name: str, *, tolerant: bool = False
) -> int:
    """How many rows are sent at once; where nobody says, what is quick on this database.

    :param name: the node's, for messages.
    :param tolerant: whether bad rows are set aside.
    """
    size = parameters.get("batch_size")
    if size is None:
        is_in_memory = isinstance(parameters.get("data"), list | tuple)
        return dialect.list_batch_size if is_in_memory and not tolerant else dialect.batch_size
    if type(size) is not int or size < 1:
        raise InvalidValue(f"{name} batch_size: expected an int of at least 1")
    return size


def read_report(parameters: Mapping[str, object], name: str) -> Report | None:
    """Who is told how far it is."""
    report = parameters.get("progress")
    if report is not None and not callable(report):
        raise InvalidValue(
            f"{name} progress: expected a function of one argument, got {type(report).__name__}"
        )
    if inspect.iscoroutinefunction(report):
        raise InvalidValue(
            f"{name} progress: the function is async, and nobody would await it; give a plain one"
        )
    return cast("Report | None", report)
