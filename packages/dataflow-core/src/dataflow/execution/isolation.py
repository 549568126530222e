"""Asking a database for no more than it can guarantee."""

from dataflow.abc import Dialect
from dataflow.errors import WorkflowError
from dataflow.terms import Isolation, Terms

__all__ = ["check_isolation"]


def check_isolation(terms: Terms, dialect: Dialect) -> None:
    """Refuse an isolation level that a database does not have.

    :raises WorkflowError: naming those that it has.
    """
    if terms.isolation is None or terms.isolation in dialect.isolations:
        return
    levels = ", ".join(level.value for level in Isolation if level in dialect.isolations) or "none"
    raise WorkflowError(
        f"{dialect.name} cannot guarantee {terms.isolation.value}; the levels that it can: {levels}"
    )
