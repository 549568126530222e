"""The error numbers of MySQL and MariaDB as errors of the tree."""

import re
import ssl
from collections.abc import Mapping
from typing import NamedTuple

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
)

__all__ = ["IndexNames", "refused", "translate"]


class Place(NamedTuple):
    """What an index is about."""

    table: str
    columns: tuple[str, ...]


IndexNames = Mapping[tuple[str, str], tuple[str, ...]]
"""The columns of unique indexes, by table and name; the key is called ``PRIMARY``."""

LOST = ConnectionLost, "the server has closed the connection"
NO_TLS = "the TLS connection failed: check ssl_mode and the certificates"
UNREACHABLE = "the server cannot be reached: check the host, the port, and that it runs"
SENTENCES: Mapping[int, tuple[type[DatabaseError], str]] = {
    **dict.fromkeys((1053, 1077, 1152, 1927, 2006, 2013, 2055, 4031), LOST),
    **dict.fromkeys((2002, 2003, 2005), (ConnectionLost, UNREACHABLE)),
    1020: (
        SerializationFailure,
        "another transaction has changed a row since this one read it; run it again",
    ),
    1021: (StorageFull, "the disk of the server is full; nothing of the statement was kept"),
    1040: (
        ServerFull,
        "the server has no connection left (max_connections); lower pool_size, or raise its limit",
    ),
    1041: (StorageFull, "the server is out of memory"),
    1043: (ConnectionLost, "the server and the driver could not agree on how to connect"),
    1044: (AccessDenied, "the user may not use this database; grant it the rights"),
    1045: (AccessDenied, "the server knows no such user, or the password is wrong"),
    1049: (AccessDenied, "the server has no such database; create it first"),
    1104: (QueryError, "the statement would look at more rows than the server allows (max_join_size)"),
    1114: (StorageFull, "the table is full; nothing of the statement was kept"),
    1129: (AccessDenied, "the server blocks this host after many broken connections (FLUSH HOSTS)"),
    1130: (AccessDenied, "the server accepts no connections from this host"),
    1142: (AccessDenied, "the user may not do this with the table; grant it the rights"),
    1143: (AccessDenied, "the user may not do this with the column; grant it the rights"),
    1153: (QueryError, "the statement is longer than the server takes (max_allowed_packet)"),
    1180: (ScopeLost, "the server could not commit; nothing of the transaction was kept"),
    1203: (ServerFull, "the user has no connection left (max_user_connections)"),
    1205: (DatabaseBusy, "another transaction holds a lock; try again, or raise innodb_lock_wait_timeout"),
    1206: (StorageFull, "the transaction has more locks than the server has room for"),
    1213: (Deadlock, "the server ended this transaction to resolve a deadlock; run all of it again"),
    1226: (DatabaseBusy, "the user has used up what the server allows"),
    1227: (AccessDenied, "the statement needs a right that the user has not"),
    1290: (AccessDenied, "the server runs with an option that forbids the statement, such as read_only"),
    1292: (QueryError, "a text is no date, time or number as its column has them"),
    1317: (ScopeLost, "the statement was interrupted"),
    1366: (CheckViolation, "a value is not what its column holds"),
    1397: (
        QueryError,
        "no transaction was prepared under this name, or the session that did it has not ended",
    ),
    1399: (QueryError, "within a transaction that may be prepared this statement is not allowed"),
    1401: (AccessDenied, "the user may not see what was prepared; grant it XA_RECOVER_ADMIN"),
    **dict.fromkeys((1402, 1613), (ScopeLost, "the server has rolled the transaction back")),
    1614: (Deadlock, "the server ended this transaction to resolve a deadlock; run all of it again"),
    1690: (OutOfRange, "the result of a calculation does not fit its type; nothing was changed"),
    1698: (AccessDenied, "the server does not let this user in, or not from here"),
    1792: (QueryError, "the transaction was begun to read only"),
    1836: (AccessDenied, "the server is read-only"),
    1969: (StatementTimeout, "the statement ran longer than the server allows"),
    2026: (ConnectionLost, NO_TLS),
    2059: (AccessDenied, "the server asks for a way to log in that the driver does not know"),
    2061: (AccessDenied, "the server asks for a way to log in that the driver does not know"),
    3024: (StatementTimeout, "the statement ran longer than the server allows"),
    3159: (AccessDenied, "the server accepts connections with TLS only; set ssl_mode=required"),
    3572: (DatabaseBusy, "another transaction holds a lock"),
    3692: (QueryError, "the regular expression is too complicated for the server"),
    3699: (StatementTimeout, "the regular expression takes the server too long"),
    **dict.fromkeys((1148, 3948, 4166), (QueryError, "LOAD DATA LOCAL is not allowed; use a bulk node")),
}
# These quote names of the schema, and no values.
NAMING = frozenset(
    {
        1022, 1046, 1050, 1051, 1052, 1054, 1059, 1061, 1065, 1066, 1067, 1068, 1069, 1070, 1071, 1072, 1075,
        1089, 1091, 1101, 1103, 1111, 1113, 1117, 1118, 1120, 1121, 1146, 1170, 1171, 1176, 1215, 1221, 1222, 1235,
        1241, 1242, 1247, 1248, 1305, 1328, 1356, 1364, 1406, 1415, 1553, 1813, 1822, 1824, 1826, 3140, 3780,
    }
)  # fmt: skip
CHECKS = frozenset({3819, 4025})
IN_QUOTES = re.compile(r"'([^']*)'|`([^`]*)`")
# The value that is there already stands before, and may look the same.
KEY = re.compile(r".*for key '(?:(.*)\.)?([^']*)'$", re.S)
FOREIGN = re.compile(
    r"\(`(?:[^`]|``)*`\.`((?:[^`]|``)*)`, CONSTRAINT .* FOREIGN KEY \((.*?)\) REFERENCES", re.S
)
TABLE = re.compile(r"`((?:[^`]|``)*)`")
FIRST_TABLE = re.compile(
    r"""(?:[^`'"]|'(?:[^'\\]|\\.|'')*+'|"(?:[^"\\]|\\.|"")*+")*?`((?:[^`]|``)*)`""", re.S
)
"""The first name that stands in no text."""


def translate(error: BaseException, sql: str, indexes: IndexNames) -> DatabaseError:
    """The error of the tree for one of the driver's.

    :param sql: the statement that was sent, in which the first name is that of its table.
    :param indexes: for the columns of an index that an error names.
    """
    number, message = _read(error)
    if number is None:
        return ConnectionLost(f"{LOST[1]} ({type(error).__name__})")
    integrity = _integrity(number, message, sql, indexes)
    if integrity is not None:
        return integrity
    if number == 1264:
        return OutOfRange(f"{_place(_table(sql), _named(message))}: a number does not fit its column")
    if number in SENTENCES:
        kind, sentence = SENTENCES[number]
        return kind(sentence)
    if number in NAMING:
        return QueryError(message)
    if number == 1064:
        # Its message quotes the statement from where it stopped to understand it, with the values.
        return QueryError(
            "the server does not understand the statement (1064); its own words are in the __cause__"
        )
    return QueryError(
        f"the server refused the statement ({number}); its own words, which may hold a value, are in the __cause__"
    )


def refused(error: BaseException) -> DatabaseError | None:
    """Why no connection came about, where the driver's own error would tell something else, or nothing."""
    if any(isinstance(one, ssl.SSLError) for one in (error, error.__cause__, error.__context__)):
        return ConnectionLost(NO_TLS)
    if isinstance(error, RuntimeError) and "cryptography" in str(error):
        return AccessDenied(
            "the server wants to have the password through TLS: set ssl_mode=required, or have the package "
            "cryptography installed"
        )
    return None


def _read(error: BaseException) -> tuple[int | None, str]:
    arguments = error.args
    if isinstance(error, OSError):
        # Its number is one of the operating system.
        return None, ""
    if arguments and isinstance(arguments[0], int):
        number = arguments[0]
        return number or None, str(arguments[1]) if len(arguments) > 1 else ""
    return None, ""


def _integrity(number: int, message: str, sql: str, indexes: IndexNames) -> IntegrityError | None:
    table = _table(sql)
    if number in (1062, 1586):
        named = KEY.match(message)
        table = (named[1] if named and named[1] else table) or None
        key = named[2] if named else ""
        columns = indexes.get((table or "", key), ())
        place = _place(table, columns) if columns or not key else f"{table}: {key}"
        return UniqueViolation(f"{place}: a row with this value exists", table, columns)
    if number in (1048, 1364, 1263):
        columns = _named(message)
        return NotNullViolation(f"{_place(table, columns)}: a value is required", table, columns)
    if number in (1216, 1217, 1451, 1452, 1557, 1761, 1762):
        foreign = FOREIGN.search(message)
        columns = tuple(_unquoted(name) for name in TABLE.findall(foreign[2])) if foreign else ()
        return ForeignKeyViolation(
            "a referenced row does not exist, or a row is still referenced",
            _unquoted(foreign[1]) if foreign else table,
            columns,
        )
    if number in CHECKS:
        return CheckViolation(f"{_place(table, ())}: a check refused the row", table)
    if number in (1406, 1265):
        columns = _named(message)
        return CheckViolation(f"{_place(table, columns)}: a value is longer than its column", table, columns)
    return None


def _named(message: str) -> tuple[str, ...]:
    """The column of a message such as ``Column 'name' cannot be null``."""
    found = IN_QUOTES.search(message)
    return (found[1] or found[2],) if found else ()


def _table(sql: str) -> str | None:
    found = FIRST_TABLE.match(sql, 0, 400)
    return _unquoted(found[1]) if found else None


def _unquoted(name: str) -> str:
    return name.replace("``", "`")


def _place(table: str | None, columns: tuple[str, ...]) -> str:
    return f"{table}: {', '.join(columns)}" if columns else table or "the row"
