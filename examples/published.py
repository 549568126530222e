"""What the file of Chinook holds, for other databases: its tables by the statements that made them, and its rows."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

CHINOOK = Path(__file__).resolve().parent / "chinook" / "Chinook_Sqlite.sqlite"
Row = tuple[Any, ...]


def ask_file(path: Path, sql: str) -> list[Row]:
    """Ask Python's own sqlite3."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def tables() -> list[str]:
    """The tables, those first that others refer to."""
    names = [name for (name,) in ask_file(CHINOOK, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    referred = {
        name: {table for _, _, table, *_ in ask_file(CHINOOK, f'PRAGMA foreign_key_list("{name}")')} - {name}
        for name in names
    }
    return list(TopologicalSorter(referred).static_order())


def statements_for(dialect: str) -> list[str]:
    """The statements that make the tables, in another dialect of SQL."""
    made: dict[str, str] = dict(ask_file(CHINOOK, "SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    return [translated(made[name], dialect) for name in tables()]


def translated(sql: str, dialect: str) -> str:
    statement = sqlglot.parse_one(sql, read="sqlite")
    columns = {column.name: column for column in statement.find_all(exp.ColumnDef)}
    for key in statement.find_all(exp.PrimaryKey):
        if len(key.expressions) == 1:  # SQLite numbers such rows by itself
            numbered = exp.ColumnConstraint(kind=exp.AutoIncrementColumnConstraint())
            columns[key.expressions[0].name].append("constraints", numbered)
    return statement.sql(dialect, identify=True).replace(
        "DATETIME", "DATETIME(6)"
    )  # SQLite keeps microseconds


def contents(table: str) -> tuple[list[str], list[Row]]:
    """The names of the columns, and the rows, as drivers want them that know more types than SQLite does."""
    columns = ask_file(CHINOOK, f'PRAGMA table_info("{table}")')
    readers = [READERS.get(kind.partition("(")[0], unchanged) for _, _, kind, *_ in columns]
    rows = ask_file(CHINOOK, f'SELECT * FROM "{table}"')
    return [name for _, name, *_ in columns], [
        tuple(None if value is None else read(value) for read, value in zip(readers, row, strict=True))
        for row in rows
    ]


def unchanged(value: Any) -> Any:
    return value


READERS: dict[str, Callable[[Any], Any]] = {
    "DATETIME": datetime.fromisoformat,
    "NUMERIC": lambda number: Decimal(str(number)),
}
