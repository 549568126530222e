"""Databases that somebody else made: empty ones of each kind, their drivers, and Chinook in all of them."""

import asyncio
import gzip
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing.suite import server_of
from dataflow.url import DatabaseURL

__all__ = ["KINDS", "MYSQL", "POSTGRES", "SQLITE", "Existing", "Kind", "chinook", "empty"]

CHINOOK = Path(__file__).parent / "chinook"


class Kind(NamedTuple):
    """A kind of database.

    :param quote: what stands around a name.
    :param ask: runs statements with the driver alone, and gives the rows of each.
    """

    name: str
    quote: str
    ask: Callable[..., list[list[tuple[Any, ...]]]]


class Existing(NamedTuple):
    """A database, by its URL."""

    kind: Kind
    url: str

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements behind the back of the library; the rows of the last one."""
        return self.kind.ask(self.url, *statements)[-1]

    def ask_all(self, *statements: str) -> list[list[tuple[Any, ...]]]:
        """Run statements behind the back of the library; the rows of each."""
        return self.kind.ask(self.url, *statements)

    def quoted(self, name: str) -> str:
        """A name as a statement has it."""
        mark = self.kind.quote
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"

    def rows(self, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """All rows of a table, as the driver gives them."""
        named = ", ".join(map(self.quoted, columns))
        return self.ask(f"SELECT {named} FROM {self.quoted(table)}")


def ask_sqlite(url: str, *statements: str) -> list[list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw, raw:
        return [raw.execute(statement).fetchall() for statement in statements]


def ask_postgres(url: str, *statements: str) -> list[list[tuple[Any, ...]]]:
    import asyncpg

    async def run() -> list[list[tuple[Any, ...]]]:
        connection = await asyncpg.connect(url)
        try:
            return [[tuple(row) for row in await connection.fetch(statement)] for statement in statements]
        finally:
            await connection.close()

    return asyncio.run(run())


def ask_mysql(url: str, *statements: str) -> list[list[tuple[Any, ...]]]:
    import pymysql

    parts = DatabaseURL.parse(url)
    connection = pymysql.connect(
        host=parts.host,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.database,
        autocommit=True,
        charset="utf8mb4",
    )
    with closing(connection), connection.cursor() as cursor:
        found = []
        for statement in statements:
            cursor.execute(statement)
            found.append(list(cursor.fetchall()))
        return found


SQLITE = Kind("sqlite", '"', ask_sqlite)
POSTGRES = Kind("postgres", '"', ask_postgres)
MYSQL = Kind("mysql", "`", ask_mysql)
KINDS = [
    pytest.param(SQLITE, id="sqlite"),
    pytest.param(POSTGRES, id="postgres", marks=pytest.mark.postgres),
    pytest.param(MYSQL, id="mysql", marks=pytest.mark.mysql),
]


@contextmanager
def empty(kind: Kind, request: pytest.FixtureRequest) -> Iterator[Existing]:
    """An empty database."""
    if kind is SQLITE:
        folder = request.getfixturevalue("tmp_path_factory").mktemp("existing")
        yield Existing(kind, f"sqlite:///{folder}/existing.db")
        return
    provision = Postgres() if kind is POSTGRES else MySQL()
    with server_of(provision, request).database() as url:
        yield Existing(kind, url)


@contextmanager
def chinook(kind: Kind, request: pytest.FixtureRequest) -> Iterator[Existing]:
    """Chinook, a shop for music: eleven tables, with a key of two columns and a table that refers to itself."""
    with empty(kind, request) as database:
        if kind is SQLITE:
            file = Path(database.url.removeprefix("sqlite:///"))
            file.write_bytes(gzip.decompress((CHINOOK / "chinook_sqlite.sqlite.gz").read_bytes()))
        else:
            name = "chinook_postgresql.sql.gz" if kind is POSTGRES else "chinook_mysql.sql.gz"
            database.ask(*_statements(gzip.decompress((CHINOOK / name).read_bytes()).decode()), "SELECT 1")
        yield database


def _statements(script: str) -> list[str]:
    """The statements of a script, without those that make the database itself."""
    plain = re.sub(r"/\*.*?\*/", "", script, flags=re.DOTALL)
    statements = (statement.strip() for statement in re.split(r";\s*$", plain, flags=re.MULTILINE))
    return [one for one in statements if one and not re.match(r"\\c|USE |(CREATE|DROP) DATABASE", one)]
