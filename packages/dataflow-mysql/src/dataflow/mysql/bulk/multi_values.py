"""Many rows in one INSERT, their values as literals."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from dataflow.abc import BatchInsert, Rows
from dataflow.errors import QueryError
from dataflow.mysql.bulk.rows import row_writer
from dataflow.mysql.literals import literal
from dataflow.mysql.names import quoted

__all__ = ["Sends", "insert_rows", "statements", "within"]

ROWS_PER_STATEMENT = 1000
BYTES_PER_STATEMENT = 1 << 20
LONGEST_LETTER = 4
"""The most bytes that a letter has in UTF-8."""

RETURNING = re.compile(r"((?:`(?:[^`]|``)*`|[^`])*?) RETURNING (.*)", re.S)
"""The word where it stands in no name."""


class Sends(Protocol):
    """What sends the text of statements: the connection."""

    settings: Any

    def key_of(self, table: str) -> tuple[str, ...]: ...

    async def send(self, text: str) -> Any: ...

    async def send_all(self, *texts: str) -> Sequence[Any]: ...


async def insert_rows(connection: Sends, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> Rows | int:
    """Insert rows; they come back as stored where ``batch.returning``, in their order, else their number."""
    if batch.returning and not connection.settings.flavor.returning:
        return await insert_and_read(connection, batch, rows)
    returned: Rows = []
    for text, _ in statements(batch, rows):
        result = await connection.send(text)
        if batch.returning:
            returned += result.rows or ()
    return returned if batch.returning else len(rows)


async def insert_and_read(connection: Sends, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> Rows:
    """Insert rows where the server brings none back, and read them by their keys, in the order of the rows."""
    head, of_head = _without_returning(batch.head % ())
    tail, of_tail = _without_returning(batch.tail % ())
    columns = of_tail or of_head
    table, key = quoted(batch.table), connection.key_of(batch.table)
    names = [field.column for field in batch.fields]
    plain = batch._replace(head=_verbatim(head), tail=_verbatim(tail))
    positions = [names.index(column) for column in key if column in names]
    returned: Rows = []
    done = 0
    for text, number in statements(plain, rows):
        some = rows[done : done + number]
        done += number
        if len(positions) == len(key):
            read = _by_given_keys(
                table, key, columns, [[row[position] for position in positions] for row in some]
            )
        else:
            read = _by_made_keys(table, key, columns, number, connection.settings.increment)
        _, result = await connection.send_all(text, read)
        if len(result.rows) != number:
            raise QueryError(
                f"{batch.table}: the server made keys that do not follow each other: the new rows cannot be told "
                "from others; give batch_size=1, or do without return_rows"
            )
        returned += result.rows
    return returned


def _without_returning(text: str) -> tuple[str, str]:
    """A part of a statement up to RETURNING, and the columns that stand behind it."""
    found = RETURNING.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def _by_made_keys(table: str, key: Sequence[str], columns: str, number: int, step: int) -> str:
    """The rows of one INSERT, whose number the server knows beforehand: it makes their keys all at once."""
    made = f"{table}.{quoted(key[0])}"
    return (
        f"SELECT {columns} FROM {table} WHERE {made} >= LAST_INSERT_ID() "
        f"AND {made} < LAST_INSERT_ID() + {number * step} AND ({made} - LAST_INSERT_ID()) % {step} = 0 ORDER BY {made}"
    )


def _by_given_keys(table: str, key: Sequence[str], columns: str, keys: Sequence[Sequence[object]]) -> str:
    listed = ", ".join(
        f"ROW({', '.join(map(literal, (position, *values)))})" for position, values in enumerate(keys)
    )
    names = ", ".join(f"key_{number}" for number in range(len(key)))
    same = " AND ".join(f"{table}.{quoted(column)} = given.key_{number}" for number, column in enumerate(key))
    return (
        f"SELECT {columns} FROM (VALUES {listed}) AS given (position, {names}) JOIN {table} ON {same} "
        "ORDER BY given.position"
    )


def _verbatim(text: str) -> str:
    return text.replace("%", "%%")


def statements(batch: BatchInsert, rows: Sequence[Sequence[object]]) -> Iterator[tuple[str, int]]:
    """The statements for the rows of a batch, and how many rows each has."""
    head, tail = batch.head % (), batch.tail % ()
    if batch.width == 0:
        # Rows of nothing but defaults have no VALUES to repeat.
        for _ in rows:
            yield head, 1
        return
    size, write = ROWS_PER_STATEMENT, row_writer(batch)
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        for texts in within(write(some)):
            yield f"{head}{','.join(texts)}{tail}", len(texts)


def within(texts: list[str]) -> Iterator[list[str]]:
    """The rows in as many parts as the length of a statement asks for."""
    if LONGEST_LETTER * sum(map(len, texts)) <= BYTES_PER_STATEMENT:
        yield texts
        return
    part: list[str] = []
    length = 0
    for text in texts:
        size = len(text) if text.isascii() else len(text.encode())
        if part and length + size > BYTES_PER_STATEMENT:
            yield part
            part, length = [], 0
        part.append(text)
        length += size
    yield part
