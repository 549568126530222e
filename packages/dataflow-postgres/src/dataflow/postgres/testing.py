"""Databases for tests, on a PostgreSQL server that is found or started. It imports no driver before a test asks."""

import asyncio
import secrets
import shutil
import signal
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.testing.provision import NoDatabase
from dataflow.testing.started import Databases, ServerProvision, Started
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from asyncpg import Connection

    from dataflow.testing.containers import Image
    from dataflow.testing.local_server import Launch, Site

__all__ = ["Postgres", "PostgresReplica"]

T = TypeVar("T")

IMAGE = "postgres:18"
FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
ALWAYS = (
    "max_connections=300",
    "fsync=off",  # which a machine that loses its power needs, and a process that is killed does not
    "full_page_writes=off",
    "max_prepared_transactions=100",
    "timezone=Asia/Kolkata",  # what works only on a server that lives in UTC is noticed
)
# Sorting as people do, so that what relies on the order of code points without asking for it is noticed.
LINGUISTIC = ("--locale-provider=icu", "--icu-locale=en-US")
QUICK = ("synchronous_commit=off", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off")
# To drop and make a database again takes 50 ms; to empty one takes 2.
PREPARED = """
SELECT 'ROLLBACK PREPARED ' || quote_literal(gid) FROM pg_prepared_xacts WHERE database = current_database()
"""
EMPTY = """
DO $$
DECLARE it record;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR it IN SELECT nspname AS name FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', it.name);
    END LOOP;
    EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
    CREATE SCHEMA public;
    GRANT ALL ON SCHEMA public TO public;
END $$
"""


@dataclass(frozen=True)
class Postgres(ServerProvision):
    """Databases on a PostgreSQL server.

    It is the one of ``DATAFLOW_TEST_POSTGRES_URL``; else one that is started from this machine's software, which all
    processes of the run share; else one in a container.

    :param own: a server of this process alone, which may be killed and then has what was committed. It is never
        that of the URL.
    :param settings: of a server that is started, such as ``("max_connections=10",)``. It is never that of the URL.
    """

    name = "postgres"
    title = "PostgreSQL"
    always = ALWAYS
    quick = QUICK

    def databases(self, url: str, worker: str, started: Started | None = None) -> Databases:
        return _Databases(url, worker, started, own=self.own)

    def set_up(self, site: "Site") -> "Launch":
        from dataflow.testing.local_server import find_program

        try:
            _, initdb = (find_program(name, folders=FOLDERS) for name in ("postgres", "initdb"))
        except NoDatabase as error:
            raise NoDatabase(f"install PostgreSQL 13 or newer ({error})") from None
        data, secret, password = site.folder / "data", site.folder / "password", secrets.token_hex()
        secret.write_text(password)
        secret.chmod(0o644)  # its folder lets nobody else in
        initialise = (
            *(initdb, "--pgdata", data, "--username=postgres", "--auth=md5", "--pwfile", secret),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )
        try:
            site.run(*initialise, *LINGUISTIC)
        except NoDatabase:  # before PostgreSQL 15, or built without ICU
            shutil.rmtree(data, ignore_errors=True)
            site.run(*initialise)
        return self.launch(site, password)

    def launch(self, site: "Site", password: str) -> "Launch":
        """How a server is started whose data is in the folder ``data`` of a site."""
        from dataflow.testing.local_server import Launch, find_program

        place = ("listen_addresses=127.0.0.1", "unix_socket_directories=", f"port={site.port}")
        return Launch(
            (find_program("postgres", folders=FOLDERS), "-D", site.folder / "data", *self.options(*place)),
            self.url(password, "127.0.0.1", site.port),
            stop_signal=signal.SIGQUIT,
            shutdown_signal=signal.SIGINT,
        )

    def image(self, password: str) -> "Image":
        from dataflow.testing.containers import Image

        return Image(IMAGE, 5432, {"POSTGRES_PASSWORD": password}, ("postgres", *self.options()))

    @staticmethod
    def url(password: str, host: str, port: int) -> str:
        return f"postgresql://postgres:{password}@{host}:{port}/postgres"

    @staticmethod
    def answers(url: str) -> bool:
        import asyncpg

        async def connect() -> None:
            connection = await _connect(DatabaseURL.parse(url))
            await connection.close()

        with ThreadPoolExecutor(1) as thread:
            try:
                thread.submit(asyncio.run, connect()).result()
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
                return False
        return True


@dataclass(frozen=True)
class PostgresReplica(Postgres):
    """A server that follows another one by streaming replication, made of this machine's software.

    It has the databases of the other one, each under the same name, and none of its own.

    :param primary: the URL of a database of that; it was started for these tests, with ``own=True``, and with
        ``settings=("wal_keep_size=1GB",)`` where a replica may be away for a while and is to find what it missed.
    """

    own: bool = True
    primary: str = ""

    def set_up(self, site: "Site") -> "Launch":
        from dataflow.testing.local_server import find_program

        # That of the server's own version; what is in the PATH may be a wrapper.
        copier = find_program("postgres", folders=FOLDERS).with_name("pg_basebackup")
        data = site.folder / "data"
        site.run(
            *(copier, "--pgdata", data, "--dbname", self.primary, "--write-recovery-conf"),
            *("--checkpoint=fast", "--wal-method=stream", "--no-sync"),
        )
        password = DatabaseURL.parse(self.primary).password or ""
        return self.launch(site, password)

    def image(self, password: str) -> "Image":
        raise NoDatabase("(a replica is started from this machine's software only)")


class _Databases(Databases):
    """Databases of a server. Those that a test has done with are emptied for the next."""

    def __init__(self, url: str, worker: str, started: Started | None = None, *, own: bool = False) -> None:
        super().__init__(url, worker, started, own=own)
        self._made = 0
        self._empty: list[str] = []
        self._console = _Console(self.place)

    def ask(self) -> None:
        self._console.run("SELECT 1")

    def close(self, *, server_goes_on: bool) -> None:
        for number in range(1, self._made + 1) if server_goes_on else ():
            self._console.run(f"DROP DATABASE IF EXISTS {self.prefix}_{number} WITH (FORCE)")
        self._console.close()

    @contextmanager
    def database(self) -> Iterator[str]:
        name = self._empty.pop() if self._empty else self._new()
        yield replace(self.place, database=name).get_connection_url()
        # What a test has prepared and not ended would hold its locks for ever.
        for statement in self._console.run(PREPARED, name):
            self._console.run(statement, name)
        self._console.run(EMPTY, name)
        self._empty.append(name)

    def _new(self) -> str:
        self._made += 1
        name = f"{self.prefix}_{self._made}"
        self._console.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return name


class _Console:
    """Runs SQL beside DataFlow, for callers inside and outside of event loops.

    The loop stands still between the calls, and a thread is there for a call only: tests that look for what is left
    behind find nothing.
    """

    def __init__(self, url: DatabaseURL) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._connections: dict[str | None, Connection[Any]] = {}

    def run(self, sql: str, database: str | None = None) -> list[Any]:
        """Run a statement, in another database than that of the URL if need be; the first column that it brings."""
        return self._await(self._run(sql, database))

    def close(self) -> None:
        self._await(self._close())
        self._loop.close()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        with ThreadPoolExecutor(1, "dataflow-postgres-testing") as thread:
            return thread.submit(self._loop.run_until_complete, work).result()

    async def _run(self, sql: str, database: str | None) -> list[Any]:
        import asyncpg

        disconnected = (
            OSError,
            asyncpg.InterfaceError,
            asyncpg.PostgresConnectionError,
            asyncpg.AdminShutdownError,
        )
        kept = self._connections.pop(database, None)
        if kept is not None:
            try:
                rows = await kept.fetch(sql)
                self._connections[database] = kept
                return [row[0] for row in rows]
            except disconnected:  # as after a test that killed the server
                kept.terminate()
        new = self._connections[database] = await _connect(self._url, database)
        return [row[0] for row in await new.fetch(sql)]

    async def _close(self) -> None:
        for connection in self._connections.values():
            try:
                await connection.close(timeout=5)
            except Exception:
                connection.terminate()


async def _connect(url: DatabaseURL, database: str | None = None) -> "Connection[Any]":
    import asyncpg

    from dataflow.postgres.unfinished import end_unfinished

    try:
        return await asyncpg.connect(
            host=url.host or url.options.get("host"),
            port=url.port,
            user=url.username,
            password=url.password,
            database=database or url.database,
            ssl=url.options.get("sslmode"),
        )
    except BaseException as error:
        end_unfinished(error)
        raise
