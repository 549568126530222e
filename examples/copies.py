"""Copies of Chinook to work on: in a file of SQLite, or on a server of PostgreSQL, MySQL or MariaDB.

A copy can be asked through the driver alone, which knows nothing of DataFlow.
"""

import asyncio
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from published import CHINOOK, Row, ask_file, contents, statements_for, tables

from dataflow.url import DatabaseURL

SCHEMA = (
    "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
    "WHERE table_schema = {schema} ORDER BY table_name, ordinal_position",
    "SELECT table_name, constraint_name, constraint_type FROM information_schema.table_constraints "
    "WHERE table_schema = {schema} ORDER BY table_name, constraint_name",
)


class Refused(Exception):
    """Why there can be no copy, for whoever wants one."""


@contextmanager
def a_copy_of_chinook(server: str | None, keep: str | None) -> "Iterator[Copy]":
    """A copy that may be changed; unless it is to be kept, it is gone at the end.

    :param server: the URL of a server where databases may be made; without one the copy is a file.
    :param keep: the path of the file or the name of the database that stays.
    :raises Refused: where there is something of that name, or no database may be made.
    """
    copy = File() if server is None else on_server(DatabaseURL.parse(server))
    with copy.made(keep):
        yield copy


def on_server(url: DatabaseURL) -> "Server":
    kinds: dict[str, type[Server]] = {
        "postgresql": Postgres,
        "postgres": Postgres,
        "mysql": MySQL,
        "mariadb": MySQL,
    }
    if url.scheme not in kinds:
        raise Refused("name a server by postgresql:// or mysql://; for SQLite leave the URL out")
    return kinds[url.scheme](url)


class Copy(ABC):
    """A database of the record shop; ``url`` is how DataFlow reaches it."""

    url: str

    @abstractmethod
    def made(self, keep: str | None) -> AbstractContextManager[None]:
        """Make the copy, and remove it at the end."""

    @abstractmethod
    def ask(self, sql: str) -> list[Row]:
        """Ask the driver, in standard SQL."""

    @abstractmethod
    def schema(self) -> list[Row]:
        """What would be another one if the schema changed."""


class File(Copy):
    """A file beside the one that was published."""

    @contextmanager
    def made(self, keep: str | None) -> Iterator[None]:
        if keep is not None and Path(keep).exists():
            raise Refused(f"{keep} exists; name a file that does not, or delete it")
        with TemporaryDirectory(prefix="dataflow-demo-") as folder:
            self._path = Path(keep).resolve() if keep else Path(folder) / "shop.sqlite"
            shutil.copyfile(CHINOOK, self._path)
            self.url = f"sqlite:///{quote(str(self._path))}"
            yield

    def ask(self, sql: str) -> list[Row]:
        return ask_file(self._path, sql)

    def schema(self) -> list[Row]:
        return self.ask("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid")


class Server(Copy):
    """A database of its own on a server, which nobody else's tables are in."""

    dialect: str
    quote: str
    database_in_use: str
    of_all_languages: str

    def __init__(self, url: DatabaseURL) -> None:
        self._server = url

    @contextmanager
    def made(self, keep: str | None) -> Iterator[None]:
        name = keep or f"dataflow_demo_{secrets.token_hex(4)}"
        try:
            self.run(self._server, f"CREATE DATABASE {self._quoted(name)} {self.of_all_languages}")
        except Exception as error:
            raise Refused(f"no database {name} can be made at {self._server}: {error}") from error
        self._database = replace(self._server, database=name)
        self.url = self._database.get_connection_url()
        try:
            self.run(self._database, *statements_for(self.dialect))
            for table in tables():
                self.fill(table, *contents(table))
            yield
        finally:
            if keep is None:
                self.remove(name)

    def remove(self, name: str) -> None:
        self.run(self._server, f"DROP DATABASE {self._quoted(name)}")

    def ask(self, sql: str) -> list[Row]:
        return self.run(self._database, sql)

    def schema(self) -> list[Row]:
        return [row for sql in SCHEMA for row in self.ask(sql.format(schema=self.database_in_use))]

    def _quoted(self, name: str) -> str:
        return self.quote + name.replace(self.quote, 2 * self.quote) + self.quote

    @abstractmethod
    def run(self, url: DatabaseURL, *statements: str) -> list[Row]:
        """Run statements and tell what the last one gives."""

    @abstractmethod
    def fill(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None: ...


class Postgres(Server):
    """On PostgreSQL, asked through asyncpg."""

    dialect = "postgres"
    quote = '"'
    database_in_use = "current_schema()"
    of_all_languages = "ENCODING 'UTF8' TEMPLATE template0"

    def run(self, url: DatabaseURL, *statements: str) -> list[Row]:
        async def run() -> list[Row]:
            async with connected(url) as connection:
                answers = [await connection.fetch(sql) for sql in statements]
                return [tuple(row) for row in answers[-1]]

        return asyncio.run(run())

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        async def fill() -> None:
            async with connected(self._database) as connection:
                await connection.copy_records_to_table(table, columns=columns, records=rows)
                sequence = f"pg_get_serial_sequence('{self._quoted(table)}', '{columns[0]}')"
                await connection.fetch(f"SELECT setval({sequence}, {rows[-1][0]})")

        asyncio.run(fill())


@asynccontextmanager
async def connected(url: DatabaseURL) -> AsyncIterator[Any]:
    import asyncpg

    from dataflow.postgres.options import PostgresOptions

    connection = await asyncpg.connect(**PostgresOptions.of(url).arguments())
    try:
        yield connection
    finally:
        await connection.close()


class MySQL(Server):
    """On MySQL or MariaDB, asked through PyMySQL, on which aiomysql stands."""

    dialect = "mysql"
    quote = "`"
    database_in_use = "database()"
    of_all_languages = "CHARACTER SET utf8mb4"

    def run(self, url: DatabaseURL, *statements: str) -> list[Row]:
        with closing(self._connected(url)) as connection, connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)
            return list(cursor.fetchall())

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names = ", ".join(map(self._quoted, columns))
        values = ", ".join(["%s"] * len(columns))
        with closing(self._connected(self._database)) as connection, connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {self._quoted(table)} ({names}) VALUES ({values})", rows)

    def _connected(self, url: DatabaseURL) -> Any:
        import pymysql

        return pymysql.connect(
            host=url.host,
            port=url.port or 3306,
            user=url.username,
            password=url.password or "",
            database=url.database,
            autocommit=True,
            charset="utf8mb4",
            init_command="SET sql_mode = 'ANSI_QUOTES,STRICT_TRANS_TABLES'",
        )
