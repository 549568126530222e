"""What the tests against SQLite share: a database in memory, a file, and a way to look at both from outside."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dataflow import DataFlow

Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def db() -> Iterator[DataFlow]:
    """A database in memory."""
    with DataFlow("sqlite:///:memory:") as db:
        yield db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a database can be made."""
    return tmp_path / "shop.db"


@pytest.fixture
def query(file: Path) -> Query:
    """Ask the file, or change it, behind the back of the library."""

    def ask(sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(file)) as raw, raw:
            return raw.execute(sql, values).fetchall()

    return ask


@pytest.fixture
def schema(query: Query) -> Callable[[], list[tuple[Any, ...]]]:
    """A dump of the schema of the file."""
    return lambda: query("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
