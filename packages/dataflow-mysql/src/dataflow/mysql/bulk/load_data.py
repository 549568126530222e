"""Many rows by LOAD DATA LOCAL, which is the fastest way into a table; no row comes back.

The server asks for a file and gets the rows instead, as they are written. No file is opened, whatever it asks for.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from dataflow.abc import BatchInsert
from dataflow.errors import IntegrityError, QueryError, ValidationError
from dataflow.mysql.bulk.rows import UNDECODED, WriteRows, line_writer
from dataflow.mysql.literals import literal
from dataflow.mysql.names import quoted
from dataflow.mysql.types import HELD

__all__ = ["Loads", "Looks", "Stored", "load_rows", "takes_load"]

FEWEST_ROWS = 1000
"""From so many rows on it is worth its round trips."""

ROWS_AT_ONCE = 500

BYTES_PER_STATEMENT = 1 << 20
"""After so many no rows are added to a statement: until it ends, nobody else can have the table make a key."""

POINT = "dataflow_load"
LOAD = "LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table} CHARACTER SET binary ({columns})"

MEANS_ANOTHER = frozenset({"bit", "enum", "json", "set", "timestamp", "uuid", "year"})
"""Types of columns to which a text means something else than the value that is written so.

And to a timestamp that must be there, no value is the present moment.
"""

# Another engine may not take back what is found to be wrong; a view or a temporary table hides which one it is. Of the
# keys that a server makes for a file up to half are left out, of which a small integer has not enough. And where a
# column must be given and is not, MySQL makes up a value for the rows of a file.
COLUMNS = """
SELECT (
        SELECT MIN(TABLE_TYPE = 'BASE TABLE' AND ENGINE = 'InnoDB') FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {table}
    )
    AND SUM(COALESCE(CHARACTER_SET_NAME, 'utf8mb4') = 'utf8mb4' AND ({columns})) = {number}
    AND SUM(EXTRA LIKE '%auto_increment%' AND DATA_TYPE <> 'bigint') = 0
    AND SUM(IS_NULLABLE = 'NO' AND COLUMN_DEFAULT IS NULL AND EXTRA NOT LIKE '%auto_increment%'
        AND EXTRA NOT LIKE '%GENERATED%' AND NOT ({columns})) = 0
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {table}
"""
SPLITTING = "SHOW GLOBAL VARIABLES LIKE 'wsrep_load_data_splitting'"
"""A server of a Galera cluster may commit after each 10,000 rows of a file, whatever they belong to."""

ABOUT_THE_STATEMENT = (IntegrityError, QueryError, ValidationError)


class Stored(NamedTuple):
    """What the server says of rows that it was given.

    :param rows: how many are stored.
    :param warnings: how many values it stored otherwise, or did not like.
    """

    rows: int
    warnings: int


class Looks(Protocol):
    """What can tell of its server: the connection."""

    settings: Any

    @property
    def in_transaction(self) -> bool: ...

    async def send_all(self, *texts: str) -> Sequence[Any]: ...


class Loads(Protocol):
    """What sends statements, and rows as files: the connection."""

    @property
    def in_transaction(self) -> bool: ...

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int: ...

    async def upload(self, text: str, blocks: Iterator[bytes]) -> Stored: ...


async def takes_load(connection: Looks, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> bool:
    """Whether LOAD DATA LOCAL is allowed, is worth it, and stores the very rows that an INSERT would."""
    if batch.returning or batch.width == 0 or len(rows) < FEWEST_ROWS:
        return False
    if not (connection.settings.takes_files and connection.in_transaction):
        return False
    columns = " OR ".join(
        f"(COLUMN_NAME = {literal(field.column)} AND DATA_TYPE IN ({_list(HELD[field.type.kind] - MEANS_ANOTHER)}))"
        for field in batch.fields
    )
    table, number = literal(batch.table), len(batch.fields)
    looks = COLUMNS.format(table=table, columns=columns, number=number), SPLITTING
    ((is_alike,),), splitting = [found.rows for found in await connection.send_all(*looks)]
    return bool(is_alike) and not any(value == "ON" for _, value in splitting)


def _list(names: frozenset[str]) -> str:
    return ", ".join(map(literal, sorted(names)))


async def load_rows(connection: Loads, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> bool:
    """Store rows.

    Of a file, the server takes a row that it refuses, or a value that does not fit, for no more than a warning.

    :returns: False where there was any; then nothing is stored, and an INSERT tells what it is.
    """
    await connection.execute(f"SAVEPOINT {POINT}")
    try:
        stored = await _load(connection, batch, rows)
    except ABOUT_THE_STATEMENT:
        if not connection.in_transaction:
            raise
        stored = False
    if not stored:
        await connection.execute(f"ROLLBACK TO SAVEPOINT {POINT}")
    await connection.execute(f"RELEASE SAVEPOINT {POINT}")
    return stored


async def _load(connection: Loads, batch: BatchInsert, rows: Sequence[Sequence[object]]) -> bool:
    columns = ", ".join(quoted(field.column) for field in batch.fields)
    statement = LOAD.format(table=quoted(batch.table), columns=columns)
    lines = Lines(line_writer(batch), rows)
    while lines.done < len(rows):
        before = lines.done
        stored = await connection.upload(statement, lines.of_a_statement())
        if lines.done == before or stored != (lines.done - before, 0):
            return False
    return True


class Lines:
    """Rows as blocks of lines, so that the server works on one while the next is written.

    :ivar done: how many rows are written.
    """

    def __init__(self, write: WriteRows, rows: Sequence[Sequence[object]]) -> None:
        self._write = write
        self._rows = rows
        self.done = 0

    def of_a_statement(self) -> Iterator[bytes]:
        """The next rows, as many as one statement is to have."""
        length = 0
        while self.done < len(self._rows) and length < BYTES_PER_STATEMENT:
            some = self._rows[self.done : self.done + ROWS_AT_ONCE]
            block = "".join(f"{line}\n" for line in self._write(some)).encode(errors=UNDECODED)
            self.done += len(some)
            length += len(block)
            yield block
