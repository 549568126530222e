"""``sqlite3`` in the calling thread."""

from collections.abc import Mapping

from benchmarks.contestants.contract import InThread, Operation
from benchmarks.contestants.sqlite_by_hand import connect, decoded, operations_of, undecoded
from benchmarks.contestants.sqlite_in_bulk import executemany_operations, many_rows_operations
from benchmarks.databases.sqlite import SQLiteStore

__all__ = ["ExecutemanySQLite", "PlainSQLite", "UndecodedSQLite"]


class PlainSQLite(InThread):
    """Rows decoded: the work that DataFlow does too. In bulk, texts for many rows at once."""

    def __init__(self, store: SQLiteStore) -> None:
        self._raw = connect(store)
        self._operations = self._offered()

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    def close(self) -> None:
        self._raw.close()

    def _offered(self) -> Mapping[str, Operation]:
        return {**operations_of(self._raw, decoded), **many_rows_operations(self._raw)}


class ExecutemanySQLite(PlainSQLite):
    """The other way to work in bulk."""

    def _offered(self) -> Mapping[str, Operation]:
        return executemany_operations(self._raw)


class UndecodedSQLite(PlainSQLite):
    """Times and JSON left as the texts that SQLite stores."""

    def _offered(self) -> Mapping[str, Operation]:
        return operations_of(self._raw, undecoded)
