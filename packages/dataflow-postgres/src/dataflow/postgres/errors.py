"""PostgreSQL's error codes as errors of the tree."""

import re
import ssl
from typing import Any

import asyncpg

from dataflow.errors import (
    AccessDenied,
    CheckViolation,
    ConnectionLost,
    DatabaseBusy,
    DatabaseError,
    Deadlock,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    OutOfRange,
    QueryError,
    ScopeLost,
    SerializationFailure,
    ServerFull,
    StatementTimeout,
    StorageFull,
    UniqueViolation,
    UnreadableValue,
)

__all__ = ["DRIVER_ERRORS", "UNREADABLE", "translate", "unreachable"]

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError is one of them
)

UNREADABLE = (ValueError, OverflowError)
"""What the driver raises for a value that Python has none for, by which the connection is none the worse."""

# From the start, as a value may look the same.
KEY = re.compile(r"[^()]*\(([^()]+)\)=\(")
LOST = "the connection to the server broke"

# By the whole code, or by its first two characters, which name its class.
SENTENCES: dict[str, tuple[type[DatabaseError], str]] = {
    "08": (ConnectionLost, LOST),
    "21000": (
        QueryError,
        "two rows of the data mean the same row, by the collation of a column; or a subquery brings several rows",
    ),
    "22": (
        QueryError,
        "a value is none of the type that the statement needs; the server's own words, which may hold it, are in the "
        "__cause__",
    ),
    "22003": (OutOfRange, "the result of a calculation does not fit its type; nothing was changed"),
    "22008": (OutOfRange, "a date, a time or an interval does not fit its type; nothing was changed"),
    "25006": (AccessDenied, "the transaction or the server is read-only: is it a replica?"),
    "25P02": (ScopeLost, "a statement of the transaction has failed before; nothing of it can be kept"),
    "25P03": (ConnectionLost, "the server ended a transaction that was idle for too long"),
    "25P04": (StatementTimeout, "the server ended a transaction that took too long"),
    "26": (QueryError, "a prepared statement is gone; behind a pooler, add statement_cache=0 to the URL"),
    "28": (AccessDenied, "the server refuses the user or the password"),
    "3D000": (AccessDenied, "the server has no such database; create it, or correct the URL"),
    "40001": (SerializationFailure, "a concurrent transaction came in between; run it again"),
    "40P01": (Deadlock, "the server ended the transaction to resolve a deadlock; run it again"),
    "42501": (AccessDenied, "the user may not do this; grant the privilege"),
    "42P05": (
        QueryError,
        "a prepared statement is there already; behind a pooler, add statement_cache=0 to the URL",
    ),
    "53100": (StorageFull, "the server's disk is full; nothing of the transaction was kept"),
    "53200": (StorageFull, "the server is out of memory; nothing of the transaction was kept"),
    "53300": (
        ServerFull,
        "the server takes no more connections; lower pool_size, or raise max_connections of the server",
    ),
    "55P03": (DatabaseBusy, "another transaction holds a lock for longer than this one may wait; try again"),
    "57014": (StatementTimeout, "the statement was cancelled, or took longer than it may"),
    "57": (ConnectionLost, "the server shuts down, or an administrator ended the connection"),
    "58": (StorageFull, "the server failed to read or write a file"),
}
CONSTRAINTS: dict[str, tuple[type[IntegrityError], str]] = {
    "22001": (CheckViolation, "a text is too long for its column"),
    "23001": (ForeignKeyViolation, "a row is still referenced"),
    "23502": (NotNullViolation, "a value is required"),
    "23503": (ForeignKeyViolation, "a referenced row does not exist, or a row is still referenced"),
    "23505": (UniqueViolation, "a row with this value exists"),
    "23514": (CheckViolation, "a check refused the row"),
    "23P01": (IntegrityError, "a row that excludes this one exists"),
}


def unreachable(error: BaseException) -> DatabaseError:
    """The error of the tree for one that kept a connection from being opened."""
    if isinstance(error, TimeoutError):
        return ConnectionLost("the server did not answer in time; see connect_timeout in the URL")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionLost(
            "the server's certificate is not trusted; see sslrootcert in the URL, and whether the host is the one that "
            "the certificate names"
        )
    if isinstance(error, ssl.SSLError):
        return ConnectionLost("the TLS connection failed; see sslmode and the certificates in the URL")
    if type(error) is ConnectionError:  # by the driver itself; those of the system are of its subclasses
        return ConnectionLost("the server offers no TLS; set sslmode=disable in the URL to do without")
    if isinstance(error, OSError):
        return ConnectionLost(
            "the server cannot be reached: is it running, and are host and port of the URL right?"
        )
    return translate(error)


def translate(error: BaseException) -> DatabaseError:
    """The error of the tree for one of the driver's or of the network."""
    if isinstance(error, asyncpg.PostgresError):
        return _from_server(error)
    if isinstance(error, asyncpg.exceptions.ClientCannotConnectError):
        return AccessDenied("the server wants another kind of connection; see sslmode in the URL")
    if isinstance(error, TimeoutError):
        return StatementTimeout("the server did not answer in time; see timeout in the URL")
    if isinstance(error, OSError):
        return ConnectionLost(LOST)
    if isinstance(error, asyncpg.exceptions._base.DataError):
        return QueryError(
            "a value does not have the type that the server expects of it; say the type in the SQL: CAST(:name AS date)"
        )
    if isinstance(error, UNREADABLE):
        return UnreadableValue(
            "a stored date or time is none of Python's, which has the years 1 to 9999 and no 24:00; leave it "
            "out with fields=[...], or read it as a text in a SQLNode: CAST(day AS text)"
        )
    words = str(error)
    if "closed" in words or "cannot switch to state" in words:
        lost = ConnectionLost("the connection is closed")
        lost.may_have_run = False
        return lost
    return QueryError(words)


def _from_server(error: Any) -> DatabaseError:
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return SerializationFailure("a table was changed since its statements were prepared; run it again")
    code = error.sqlstate or ""
    if code in CONSTRAINTS:
        return _constraint(error, *CONSTRAINTS[code])
    known = SENTENCES.get(code) or SENTENCES.get(code[:2])
    if known is not None:
        kind, sentence = known
        translated = kind(sentence)
        if isinstance(translated, ConnectionLost) and code.startswith("57"):
            # With its last words the server refuses the statement.
            translated.may_have_run = False
        return translated
    if code.startswith(("25", "42", "0A")):
        return QueryError(str(error.args[0]) if error.args else "PostgreSQL refused the statement")
    return QueryError(
        "PostgreSQL refused the statement; its own words, which may hold a value, are in the __cause__"
    )


def _constraint(error: Any, kind: type[IntegrityError], sentence: str) -> IntegrityError:
    table, columns = error.table_name, _columns(error)
    place = f"{table}: {', '.join(columns)}" if table and columns else table or "the row"
    named = f" ({error.constraint_name})" if error.constraint_name and not columns else ""
    return kind(f"{place}: {sentence}{named}", table, columns)


def _columns(error: Any) -> tuple[str, ...]:
    """The columns of a constraint: of a key as the detail lists them, in whatever language that is."""
    if error.column_name:
        return (error.column_name,)
    found = KEY.match(error.detail or "")
    if found is None:
        return ()
    return tuple(name.removeprefix('"').removesuffix('"').replace('""', '"') for name in found[1].split(", "))
