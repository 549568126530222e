"""The driver's errors as those of DataFlow. No message shows a value, and DuckDB's own often do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from dataflow.errors import (
    AccessDenied,
    CheckViolation,
    ConnectionLost,
    DatabaseBusy,
    DatabaseError,
    ForeignKeyViolation,
    NotADatabase,
    NotNullViolation,
    OutOfRange,
    QueryError,
    ScopeLost,
    SerializationFailure,
    StorageFull,
    UniqueViolation,
)

from dataflow_duckdb.keys import Keys, table_of
from dataflow_duckdb.names import unquoted

__all__ = ["translated"]

DUPLICATE = re.compile(r'Duplicate key "(.*)" violates', re.DOTALL)
NOT_NULL = re.compile(r"NOT NULL constraint failed: (.+)\.([^.\n]+)")
OVERFLOW = "dataflow: out of range"  # as expressions.py makes DuckDB say it
TOO_LONG = re.compile(r"out of range|Could not cast value .* to DECIMAL")
OUT_OF_RANGE = "the result of a calculation does not fit its type; nothing was changed"
NO_VALUE = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)


@contextmanager
def translated(keys: Keys, sql: str = "") -> Iterator[None]:
    """Raise DataFlow's error in the place of the driver's, which becomes its cause.

    :param sql: the statement, which names its table where the error does not.
    """
    try:
        yield
    except duckdb.Error as error:
        raise _error_for(error, keys, sql) from error


def _error_for(error: duckdb.Error, keys: Keys, sql: str) -> DatabaseError:
    message = str(error)
    match error:
        case duckdb.ConstraintException():
            return _violation(message, keys, sql)
        case duckdb.OutOfRangeException():
            return OutOfRange(OUT_OF_RANGE)
        case duckdb.ConversionException() if TOO_LONG.search(message) is not None:
            return OutOfRange(OUT_OF_RANGE)
        case duckdb.InvalidInputException() if OVERFLOW in message:
            return OutOfRange(OUT_OF_RANGE)
        case duckdb.InterruptException():
            return ScopeLost("the statement was interrupted")
        case duckdb.TransactionException():
            return _of_transaction(message, keys, sql)
        case duckdb.IOException():
            return _of_file(message)
        case duckdb.OutOfMemoryException():
            return StorageFull("DuckDB needs more memory than it may take; see memory_limit in the URL")
        case duckdb.ConnectionException():
            return ConnectionLost("the connection is closed")
        case duckdb.FatalException() | duckdb.InternalException():
            return ConnectionLost("DuckDB gave the database up; its own words are in the __cause__")
        case duckdb.DependencyException():
            return QueryError("something else, such as a foreign key, depends on what was to be changed")
    if isinstance(error, NO_VALUE):
        return QueryError(message.partition("\n")[0])
    return QueryError(
        "DuckDB refused the statement; the driver's words, which may hold a value, are in the __cause__"
    )


def _violation(message: str, keys: Keys, sql: str) -> DatabaseError:
    table = table_of(sql)
    if "foreign key" in message:
        return ForeignKeyViolation(
            f"{table or 'the row'}: a referenced row does not exist, or a row is still referenced", table
        )
    if "CHECK constraint" in message:
        return CheckViolation(f"{table or 'the row'}: a check refused the row", table)
    if (found := NOT_NULL.search(message)) is not None:
        table, column = unquoted(found[1]), unquoted(found[2])
        return NotNullViolation(f"{table}: {column}: a value is required", table, (column,))
    duplicate = DUPLICATE.search(message)
    if duplicate is None:
        columns = keys.written(table, sql)
    else:
        columns = keys.described(table, duplicate[1])
    place = f"{table}: {', '.join(columns)}" if table and columns else table or "the row"
    return UniqueViolation(f"{place}: a row with this value exists", table, columns)


def _of_transaction(message: str, keys: Keys, sql: str) -> DatabaseError:
    # What others have committed meanwhile is found out at the COMMIT, and told with the values of the row.
    if "onstraint" in message:
        return _violation(message, keys, sql)
    if "onflict" in message:
        return SerializationFailure("another transaction has changed the same rows; run it again")
    if "aborted" in message:
        return ScopeLost("a statement of the transaction has failed before; nothing of it can be kept")
    return QueryError(
        "DuckDB refused this in the transaction; its own words, which may hold a value, are in the __cause__"
    )


def _of_file(message: str) -> DatabaseError:
    if "lock" in message:
        return DatabaseBusy(
            "another process has the file open, and DuckDB lets one process have it at a time"
        )
    if "not a valid DuckDB" in message or "orrupt" in message:
        return NotADatabase("the file is not a DuckDB database, or it is damaged")
    if "space" in message:
        return StorageFull("the disk is full; nothing of the transaction was kept")
    return AccessDenied("the file cannot be opened: check that its folder exists and may be written")
