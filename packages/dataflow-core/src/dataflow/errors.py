"""Every error that DataFlow raises, in one tree.

    DataFlowError
    ├── ConfigurationError
    │   ├── InvalidURL
    │   ├── UnknownOption
    │   └── PluginError
    │       └── MissingPlugin
    ├── ModelError
    ├── ValidationError
    │   ├── UnknownName          (field, parameter, operator)
    │   │   └── UnknownNode
    │   ├── MissingValue
    │   └── InvalidValue
    ├── WorkflowError
    │   ├── WorkflowBuildError
    │   └── WorkflowExecutionError
    ├── RecordNotFound
    ├── StaleRecord
    ├── MultipleRecords
    ├── SchemaMismatch
    ├── TransactionClosed
    ├── PoolTimeout
    └── DatabaseError
        ├── IntegrityError
        │   ├── UniqueViolation
        │   ├── ForeignKeyViolation
        │   ├── NotNullViolation
        │   └── CheckViolation
        ├── QueryError
        ├── OutOfRange
        ├── UnreadableValue
        ├── AccessDenied
        ├── StorageFull
        ├── NotADatabase
        └── ScopeLost            (no savepoint can survive these)
            ├── ConnectionLost
            │   └── CommitUnknown
            ├── ServerFull
            ├── DatabaseBusy
            ├── SerializationFailure
            ├── Deadlock
            ├── StatementTimeout
            └── TransactionTimeout

A message says what to do next and never holds the value of a parameter or a password.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = [
    "AccessDenied",
    "CheckViolation",
    "CommitUnknown",
    "ConfigurationError",
    "ConnectionLost",
    "DataFlowError",
    "DatabaseBusy",
    "DatabaseError",
    "Deadlock",
    "ForeignKeyViolation",
    "IntegrityError",
    "InvalidURL",
    "InvalidValue",
    "MissingPlugin",
    "MissingValue",
    "ModelError",
    "MultipleRecords",
    "NotADatabase",
    "NotNullViolation",
    "OutOfRange",
    "PluginError",
    "PoolTimeout",
    "QueryError",
    "RecordNotFound",
    "SchemaMismatch",
    "ScopeLost",
    "SerializationFailure",
    "ServerFull",
    "StaleRecord",
    "StatementTimeout",
    "StorageFull",
    "TransactionClosed",
    "TransactionTimeout",
    "UniqueViolation",
    "UnknownName",
    "UnknownNode",
    "UnknownOption",
    "UnreadableValue",
    "ValidationError",
    "WorkflowBuildError",
    "WorkflowError",
    "WorkflowExecutionError",
    "nearest",
]


def nearest(name: object, candidates: Iterable[str]) -> str:
    """Say what was probably meant: ``"; did you mean 'email'?"``, or nothing where no candidate is near.

    >>> nearest("emial", ["name", "email"])
    "; did you mean 'email'?"
    >>> nearest("xyz", ["name"])
    ''
    """
    from difflib import get_close_matches

    if not isinstance(name, str):
        return "; names are texts"
    names = {candidate.casefold(): candidate for candidate in candidates}
    close = get_close_matches(name.casefold(), names, n=1, cutoff=0.6)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


class DataFlowError(Exception):
    """The root of the tree: ``except DataFlowError`` catches whatever DataFlow raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By its state, as those of the tree are made of other things than their message.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[DataFlowError], args: tuple[Any, ...], state: dict[str, Any]) -> DataFlowError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(DataFlowError):
    """The engine was set up wrongly."""


class InvalidURL(ConfigurationError):
    """A database URL that cannot be understood. The message never shows the password."""


class UnknownOption(ConfigurationError):
    """An option that does not exist.

    :param name: the option as it was given.
    :param options: the options that exist.
    """

    def __init__(self, name: str, options: Iterable[str]) -> None:
        super().__init__(f"unknown option {name!r}{nearest(name, options)}")
        self.name = name


class PluginError(ConfigurationError):
    """A plugin that cannot be used: it does not load, or it contradicts another one."""


class MissingPlugin(PluginError):
    """Something was asked for whose package is not installed.

    :param wanted: what was asked for, in words.
    :param distribution: the package that provides it, where one is known.
    :param reason: what else is known, such as a plugin that failed to load.
    """

    def __init__(self, wanted: str, distribution: str | None = None, reason: str = "") -> None:
        hint = f"; try: pip install {distribution}" if distribution else ""
        super().__init__(f"{wanted} needs a plugin that is not installed{hint}{reason}")
        self.distribution = distribution


class ModelError(DataFlowError):
    """A model that cannot become a table."""


class ValidationError(DataFlowError):
    """Input that was refused before any SQL was sent."""


class UnknownName(ValidationError):
    """A field, parameter or operator that does not exist.

    :param kind: what the name should have been: "field", "parameter", "operator".
    :param name: the name as it was given.
    :param where: whose it should have been: a model or a node.
    :param candidates: the names that exist.
    """

    def __init__(self, kind: str, name: object, where: str, candidates: Iterable[str]) -> None:
        super().__init__(f"{where} has no {kind} {name!r}{nearest(name, candidates)}")
        self.kind = kind
        self.name: str = str(name)


class UnknownNode(UnknownName, AttributeError):  # type: ignore[misc] # both have a name, which is a str
    """A type of node that does not exist; an AttributeError too, as types are attributes of ``db.nodes``."""


class MissingValue(ValidationError):
    """A value that is required and was not given."""


class InvalidValue(ValidationError):
    """A value of the wrong type or out of range. The message names the place, not the value."""


class WorkflowError(DataFlowError):
    """A workflow that is wrong, or that failed."""


class WorkflowBuildError(WorkflowError):
    """Everything that is wrong with a workflow, at once.

    :param problems: one sentence each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"the workflow has {count}:{lines}")
        self.problems = tuple(problems)


class WorkflowExecutionError(WorkflowError):
    """A run that failed; nothing of it stayed in the database, save what ``committed`` and ``kept`` name.

    :param node: the id of the node that failed, or None where the run itself did (at its commit, say).
    :param cause: why.
    :param results: the outputs of the nodes that ran before.
    :param rolled_back: the ids of the nodes whose writes were undone; those of functions are not listed.
    :param committed: of several databases, those that had committed before another one refused to.
    :param kept: the ids of the nodes whose writes stay, as they were transactions by themselves; what functions wrote
        is not listed.
    :param is_partial: whether there may be something that stays.
    """

    def __init__(
        self,
        node: str | None,
        cause: BaseException,
        results: Mapping[str, Any],
        rolled_back: Sequence[str],
        committed: Sequence[str] = (),
        kept: Sequence[str] = (),
        is_partial: bool = False,
    ) -> None:
        where = f"node {node!r}" if node is not None else "the run"
        whole = "" if committed or kept or is_partial else "; nothing of it was kept"
        undone = f"; rolled back: {', '.join(rolled_back)}" if rolled_back else whole
        if isinstance(cause, CommitUnknown):
            rolled_back, undone = (), ""
        if kept:
            undone += f"; kept: {', '.join(kept)}, as that was committed before"
        if committed:
            undone += (
                f"; already committed on {', '.join(committed)}, as each database has its own transaction; a "
                "TransactionManagerNode of dataflow-transactions has them commit together"
            )
        super().__init__(f"{where} failed: {type(cause).__name__}: {cause}{undone}")
        self.node = node
        self.cause = cause
        self.results = results
        self.rolled_back = tuple(rolled_back)
        self.committed = tuple(committed)
        self.kept = tuple(kept)


class RecordNotFound(DataFlowError):
    """A row that had to be there is not."""


class StaleRecord(DataFlowError):
    """A row has another version than the one that was expected: somebody changed it meanwhile. Nothing was changed."""


class MultipleRecords(DataFlowError):
    """A node for one row would have touched several; nothing was changed."""


class SchemaMismatch(DataFlowError):
    """The database has another schema than the models, and an additive change cannot repair it."""


class TransactionClosed(DataFlowError):
    """A statement came after its transaction had ended."""


class PoolTimeout(DataFlowError):
    """No connection became free in time. The message says who holds them."""


class DatabaseError(DataFlowError):
    """The database refused; the driver's own error is the ``__cause__``."""


class IntegrityError(DatabaseError):
    """A constraint was violated.

    :param table: the table, where the database tells it.
    :param columns: the columns, where the database tells them.
    """

    def __init__(self, message: str, table: str | None = None, columns: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.table = table
        self.columns = tuple(columns)


class UniqueViolation(IntegrityError):
    """A row with the same value in a unique column exists."""


class ForeignKeyViolation(IntegrityError):
    """A referenced row does not exist, or a row is still referenced."""


class NotNullViolation(IntegrityError):
    """A column that must have a value got none."""


class CheckViolation(IntegrityError):
    """A CHECK constraint refused the row."""


class QueryError(DatabaseError):
    """The database did not understand the statement: a table, a column or the syntax."""


class OutOfRange(DatabaseError):
    """A number that the database computed does not fit its type: a sum of more than 64 bits, a product too great."""


class UnreadableValue(DatabaseError):
    """A stored value is none of its field's type; somebody else wrote it. The message names the field only."""


class AccessDenied(DatabaseError):
    """The database, or its file, may not be opened or written."""


class StorageFull(DatabaseError):
    """There is no room left to write."""


class NotADatabase(DatabaseError):
    """The file is no database, or it is damaged."""


class ScopeLost(DatabaseError):
    """The transaction is over, whatever a workflow would like to do about it."""


class ConnectionLost(ScopeLost):
    """The connection broke, and what was not committed is gone."""

    may_have_run = True
    """Whether the server may have done what the statement asks for; a driver that knows better says so."""


class CommitUnknown(ConnectionLost):
    """The connection broke while it was being committed: look whether that happened before you try again."""


class ServerFull(ScopeLost):
    """The server takes no further connection; lower ``pool_size``, or raise the server's own limit."""


class DatabaseBusy(ScopeLost):
    """Another connection held a lock for longer than this one may wait."""


class SerializationFailure(ScopeLost):
    """A concurrent transaction came in between; run the whole scope again."""


class Deadlock(ScopeLost):
    """The database ended this transaction to resolve a deadlock; run the whole scope again."""


class StatementTimeout(ScopeLost):
    """A statement ran longer than it may."""


class TransactionTimeout(ScopeLost):
    """A transaction took longer than its ``timeout``; nothing of it was kept."""
