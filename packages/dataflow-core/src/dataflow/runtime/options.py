"""What both runtimes check of their callers."""

from dataflow.errors import ConfigurationError, WorkflowError
from dataflow.workflow.graph import Workflow

__all__ = ["check_concurrency", "check_workflow"]


def check_concurrency(concurrency: object) -> int:
    """:raises ConfigurationError: where it is not a number of functions."""
    if type(concurrency) is not int or concurrency < 1:
        raise ConfigurationError("concurrency is a whole number of at least 1")
    return concurrency


def check_workflow(workflow: object) -> None:
    """:raises WorkflowError: where it is something else, most often a builder."""
    if not isinstance(workflow, Workflow):
        hint = "; call its build()" if hasattr(workflow, "build") else ""
        raise WorkflowError(f"execute takes a built workflow, not a {type(workflow).__name__}{hint}")
