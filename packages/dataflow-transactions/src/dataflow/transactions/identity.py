"""Who a database is: a row in it, made once, by which it is known under whatever URL it is reached."""

import os
from secrets import token_hex
from typing import Final
from weakref import WeakKeyDictionary

from dataflow.abc import Connection
from dataflow.errors import QueryError, ScopeLost, UniqueViolation
from dataflow.execution.database import Database
from dataflow.model.declare import declare
from dataflow.model.field import Field
from dataflow.statements import InsertMany, Select, equals
from dataflow.transactions.abilities import called
from dataflow.transactions.borrowing import on_a_connection
from dataflow.transactions.tables import ensure_tables, fitting

__all__ = [
    "IDENTITY",
    "AnotherDatabase",
    "check_identity",
    "forget_identity",
    "identity_of",
    "identity_on",
    "known_identity",
]

DIGITS: Final = 16
THIS: Final = "this"
FIELDS: Final = ("id", "identity")


class DataflowIdentity:
    """Who this database is; its only row."""

    id: str = Field(primary_key=True, max_length=len(THIS))
    identity: str = Field(max_length=DIGITS)
    __dataflow__ = {"table": "dataflow_identity", "timestamps": False}  # noqa: RUF012 - as every model writes it


IDENTITY: Final = declare(DataflowIdentity, implied=True)
_by_database: WeakKeyDictionary[Database, str] = WeakKeyDictionary()
_by_connection: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()
"""A URL may lead to another database the next time that somebody connects; a connection stays where it is."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_by_database.clear)  # what was in memory has stayed with the parent


class AnotherDatabase(ScopeLost):
    """A connection leads to another database than before."""


def known_identity(database: Database) -> str | None:
    """Who a database is, as far as that was asked before."""
    return _by_database.get(database)


def forget_identity(database: Database) -> None:
    """Have a database asked again, as another one answers now in its place."""
    _by_database.pop(database, None)


async def identity_of(database: Database) -> str:
    """Who a database is, in digits at random that stay; they are made where nobody has asked before.

    :raises WorkflowError: where their table is missing and must not be made, with the statement that does.
    """
    known = _by_database.get(database)
    if known is None:
        await ensure_tables(database, IDENTITY)
        known = await on_a_connection(
            database, "the identity of a database", lambda connection: _made(database, connection)
        )
        _by_database[database] = known
    return known


async def identity_on(database: Database, connection: Connection) -> str | None:
    """Who the database is to which a connection leads, on which nothing has begun; None where nobody ever asked."""
    known = _by_connection.get(connection)
    if known is None:
        try:
            known = await _read(database, connection)
        except QueryError:
            return None  # it has no such table
        if known is not None:
            _by_connection[connection] = known
    return known


async def check_identity(database: Database, connection: Connection, identity: str) -> None:
    """See to it that a connection leads to the database of an identity.

    :raises AnotherDatabase: where it does not; then nothing must be done on it.
    """
    if await identity_on(database, connection) != identity:
        forget_identity(database)
        raise AnotherDatabase(f"another database answers as {called(database)} than before; try again")


async def _made(database: Database, connection: Connection) -> str:
    while True:
        found = await identity_on(database, connection)
        if found is not None:
            return found
        row = (THIS, token_hex(DIGITS // 2))
        try:
            await database.executor.insert_many(
                connection, InsertMany(fitting(database, IDENTITY), FIELDS, [row])
            )
        except UniqueViolation:
            continue  # another process was faster


async def _read(database: Database, connection: Connection) -> str | None:
    select = Select(fitting(database, IDENTITY), equals("id", THIS))
    rows = await database.executor.records(connection, select)
    return rows[0]["identity"] if rows else None
