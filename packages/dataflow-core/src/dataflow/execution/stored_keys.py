"""Rows that are meant by a text which is the same only to the database: ``Ann``, where ``ann`` is stored."""

from collections.abc import Awaitable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

from dataflow.abc import Connection
from dataflow.errors import InvalidValue
from dataflow.statements import Select, UpdateMany, having_one_of

__all__ = ["with_stored_keys"]

Key = tuple[object, ...]
KEYS_AT_ONCE = 200


class Reads(Protocol):
    """What runs the statements: the executor."""

    def records(self, connection: Connection, statement: Any) -> Awaitable[list[dict[str, Any]]]: ...


async def with_stored_keys(reads: Reads, connection: Connection, statement: UpdateMany) -> UpdateMany:
    """The statement with the keys as they are stored, by which a join finds the very rows that a filter does.

    :raises InvalidValue: where two of its rows mean the same row of the table.
    """
    width = len(statement.model.key)
    given = {row[:width] for row in statement.rows}
    meant = {key: key for key in given & await _stored(reads, connection, statement, given)}
    others = given.difference(meant)
    if others and await _stored(reads, connection, statement, others):
        for key in others:
            for there in await _stored(reads, connection, statement, [key]):
                meant[key] = there
    if len({*meant.values()}) < len(meant):
        raise InvalidValue(
            f"{statement.model.name}: two rows of the data have keys that the database takes for the same, by the "
            "collation of a column; make one of them"
        )
    return statement._replace(
        rows=[(*meant.get(row[:width], row[:width]), *row[width:]) for row in statement.rows]
    )


async def _stored(
    reads: Reads, connection: Connection, statement: UpdateMany, keys: Collection[Key]
) -> set[Key]:
    """The keys that are stored and the same as one of these to the database."""
    names = tuple(field.name for field in statement.model.key)
    stored: set[Key] = set()
    for some in _chunks(keys):
        search = Select(statement.model, having_one_of(names, some), fields=names)
        for record in await reads.records(connection, search):
            stored.add(tuple(record[name] for name in names))
    return stored


def _chunks(keys: Collection[Key]) -> Iterator[Sequence[Key]]:
    remaining = iter(keys)
    while chunk := list(islice(remaining, KEYS_AT_ONCE)):
        yield chunk
