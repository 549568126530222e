"""SQLite's error codes as errors of the tree."""

import re
import sqlite3

from dataflow.errors import (
    AccessDenied,
    CheckViolation,
    ConnectionLost,
    DatabaseBusy,
    DatabaseError,
    ForeignKeyViolation,
    IntegrityError,
    NotADatabase,
    NotNullViolation,
    OutOfRange,
    QueryError,
    ScopeLost,
    SerializationFailure,
    StorageFull,
    UniqueViolation,
)

__all__ = ["translate"]

UNIQUE_CODES = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
}
QUOTING_NO_VALUE = (
    "no such ", "near ", "incomplete input", "unrecognized token", "ambiguous column", "table ", "index ", "view ",
    "trigger ", "there is already", "duplicate column", "too many ", "wrong number of arguments", "misuse of",
    "sub-select returns", "row value", "SELECTs to the left", "ORDER BY", "GROUP BY", "HAVING", "LIMIT", "datatype",
    "Expression tree", "string or blob too big", "parser stack", "foreign key mismatch", "cannot ", "Cannot ",
    "Incorrect number of bindings", "all VALUES must", "default value of column", "AUTOINCREMENT", "generated column",
    "unknown ", "a JOIN", "no tables", "interrupted", "library routine", "out of memory", "malformed JSON",
)  # fmt: skip
NAMED_COLUMNS = re.compile(r"constraint failed: (.+)")

SENTENCES: dict[int, tuple[type[DatabaseError], str]] = {
    sqlite3.SQLITE_BUSY: (
        DatabaseBusy,
        "another connection holds the database locked; try again, or raise the option timeout in the URL",
    ),
    sqlite3.SQLITE_LOCKED: (DatabaseBusy, "another statement holds a table locked; try again"),
    sqlite3.SQLITE_READONLY: (
        AccessDenied,
        "the database is read-only: check the permissions of the file and of its folder",
    ),
    sqlite3.SQLITE_PERM: (AccessDenied, "the file may not be opened: check its permissions"),
    sqlite3.SQLITE_AUTH: (AccessDenied, "the statement is not allowed"),
    sqlite3.SQLITE_CANTOPEN: (
        AccessDenied,
        "the file cannot be opened: check that it is there, or that its folder exists and may be written",
    ),
    sqlite3.SQLITE_FULL: (StorageFull, "the disk is full; nothing of the transaction was kept"),
    sqlite3.SQLITE_IOERR: (
        StorageFull,
        "the disk failed to read or write; nothing of the transaction was kept",
    ),
    sqlite3.SQLITE_NOTADB: (NotADatabase, "the file is not an SQLite database"),
    sqlite3.SQLITE_CORRUPT: (NotADatabase, "the file is damaged; restore it from a backup"),
    sqlite3.SQLITE_INTERRUPT: (ScopeLost, "the statement was interrupted"),
}


def translate(error: sqlite3.Error) -> DatabaseError:
    """The error of the tree for one of SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        closed = "closed" in str(error)
        return (
            ConnectionLost("the connection is closed") if closed else QueryError(_without_values(str(error)))
        )
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return _constraint(code, str(error))
    if code == sqlite3.SQLITE_BUSY_SNAPSHOT:
        return SerializationFailure(
            "another transaction has written since this one began to read; run it again"
        )
    if str(error) == "integer overflow":
        return OutOfRange("the result of a calculation does not fit its type; nothing was changed")
    if primary in SENTENCES:
        kind, sentence = SENTENCES[primary]
        return kind(sentence)
    return QueryError(_without_values(str(error)))


def _without_values(message: str) -> str:
    """SQLite's own words where they name the schema or the statement; others may quote a value."""
    if message.startswith(QUOTING_NO_VALUE):
        return message
    if message.startswith("Could not decode to UTF-8"):
        return (
            "a stored text is not valid UTF-8; read the column as a blob, in a SQLNode with CAST(... AS BLOB)"
        )
    if message == "user-defined function raised exception":
        return "a stored value is no JSON or no number, as its column promises; mend it, in a SQLNode"
    return "SQLite refused the statement; its own words, which may hold a value, are in the __cause__"


def _constraint(code: int, message: str) -> IntegrityError:
    table, columns = _named(message)
    place = f"{table}: {', '.join(columns)}" if columns else table or "the row"
    if code in UNIQUE_CODES:
        return UniqueViolation(f"{place}: a row with this value exists", table, columns)
    if code == sqlite3.SQLITE_CONSTRAINT_NOTNULL:
        return NotNullViolation(f"{place}: a value is required", table, columns)
    # RESTRICT acts like a trigger, and only the message tells.
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY or message == "FOREIGN KEY constraint failed":
        return ForeignKeyViolation("a referenced row does not exist, or a row is still referenced")
    if code == sqlite3.SQLITE_CONSTRAINT_CHECK:
        return CheckViolation(f"a check refused the row: {message}")
    return IntegrityError(message)


def _named(message: str) -> tuple[str | None, tuple[str, ...]]:
    """Read ``"UNIQUE constraint failed: users.email, users.name"``; SQLite does not quote, so a dot may mislead."""
    found = NAMED_COLUMNS.search(message)
    if found is None or found[1].startswith("index "):
        return None, ()
    parts = [part.rpartition(".") for part in found[1].split(", ")]
    return parts[0][0] or None, tuple(column for _, _, column in parts)
