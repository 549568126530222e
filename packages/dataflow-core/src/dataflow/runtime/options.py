"""What both runtimes check of their callers."""

from typing import Literal, TypeAlias, cast

from dataflow.errors import ConfigurationError, WorkflowError, nearest

__all__ = ["TransactionMode", "check_concurrency", "check_transaction", "not_a_workflow"]

TransactionMode: TypeAlias = Literal["workflow", "node", "none"]
"""What is one transaction: the run, each node, or only what needs one by itself."""

MODES = ("workflow", "node", "none")


def check_concurrency(concurrency: object) -> int:
    """:raises ConfigurationError: where it is not a number of functions."""
    if type(concurrency) is not int or concurrency < 1:
        raise ConfigurationError("concurrency is a whole number of at least 1")
    return concurrency


def check_transaction(mode: object) -> TransactionMode:
    """:raises ConfigurationError: where there is no such mode."""
    if mode not in MODES:
        names = ", ".join(map(repr, MODES))
        hint = nearest(mode, MODES) if isinstance(mode, str) else ""
        raise ConfigurationError(f"transaction is one of {names}{hint}")
    return cast("TransactionMode", mode)


def not_a_workflow(given: object) -> WorkflowError:
    """The error where something else was given, most often a builder."""
    hint = "; call its build()" if hasattr(given, "build") else ""
    return WorkflowError(f"execute takes a built workflow, not a {type(given).__name__}{hint}")
