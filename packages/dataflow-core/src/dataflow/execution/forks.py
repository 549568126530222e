"""Forks: the parent lets go of what a child must not inherit, and the child begins with nothing."""

import os
import weakref

from dataflow.abc import Connection
from dataflow.execution.crossing import current_call
from dataflow.execution.database import Database
from dataflow.execution.errands import current_errand
from dataflow.execution.scope import current_scope

__all__ = ["watch_forks"]

_databases: "weakref.WeakSet[Database]" = weakref.WeakSet()

# Connections of the parent process stay referenced here, so that no finalizer of the child closes them.
_inherited: list[Connection] = []


def watch_forks(database: Database) -> None:
    """Look after a database when the process forks."""
    _databases.add(database)


def _before() -> None:
    scope = current_scope.get()
    for database in tuple(_databases):
        database.before_fork(is_writing=scope is not None and scope.holds(database))


def _after_in_parent() -> None:
    for database in tuple(_databases):
        database.after_fork_in_parent()


def _after_in_child() -> None:
    scope = current_scope.get()
    if scope is not None:
        _inherited.extend(scope.disown())
    for variable in (current_scope, current_call, current_errand):
        variable.set(None)
    for database in tuple(_databases):
        database.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
