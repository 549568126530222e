"""Databases for tests, on a PostgreSQL server that is found or started. It imports no driver before a test asks."""

import asyncio
import hashlib
import secrets
import shutil
import signal
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from dataflow.testing.provision import (
    NoDatabase,
    Provision,
    Server,
    Session,
    first_available,
    url_from_environment,
)
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from asyncpg import Connection

    from dataflow.testing.containers import Container
    from dataflow.testing.local_server import Launch, LocalServer, Site

__all__ = ["Postgres"]

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
class Postgres(Provision):
    """Databases on a PostgreSQL server.

    It is the one of ``DATAFLOW_TEST_POSTGRES_URL``; else one that is started from this machine's software, which all
    processes of the run share; else one in a container.

    :param own: a server of this process alone, which may be killed and then has what was committed. It is never
        that of the URL.
    :param settings: of a server that is started, such as ``("max_connections=10",)``. It is never that of the URL.
    """

    name = "postgres"
    own: bool = False
    settings: tuple[str, ...] = ()

    def start(self, session: Session) -> Server:
        ways: list[Callable[[], _Databases]] = [
            lambda: self._local(session),
            lambda: self._contained(session),
        ]
        if not self.own and not self.settings:
            ways.insert(0, lambda: _Databases(url_from_environment("postgres"), session.worker))
        server = first_available("PostgreSQL", *ways)
        server.check()  # one that was named and is not there is a mistake, and not replaced by another
        return server

    def _local(self, session: Session) -> "_Databases":
        try:
            from dataflow.testing.local_server import LocalServer
        except ModuleNotFoundError as error:
            raise NoDatabase(f"(none can be started here: Python has no module {error.name})") from None
        name = "postgres-" + hashlib.sha256(repr(self).encode()).hexdigest()[:8]
        where = session.folder if self.own else session.shared
        local = LocalServer.share(where, name, "postgres", self._set_up, _answers)
        return _StartedDatabases(local, session.worker, self.own)

    def _set_up(self, site: "Site") -> "Launch":
        from dataflow.testing.local_server import Launch, find_program

        try:
            server, initdb = (find_program(name, folders=FOLDERS) for name in ("postgres", "initdb"))
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
        place = ("listen_addresses=127.0.0.1", "unix_socket_directories=", f"port={site.port}")
        return Launch(
            (server, "-D", data, *self._options(*place)),
            _url(password, "127.0.0.1", site.port),
            stop_signal=signal.SIGQUIT,
            shutdown_signal=signal.SIGINT,
        )

    def _contained(self, session: Session) -> "_Databases":
        from dataflow.testing.containers import Container, Image

        password = secrets.token_hex()
        image = Image(IMAGE, 5432, {"POSTGRES_PASSWORD": password}, ("postgres", *self._options()))
        container = Container.run(image, lambda host, port: _url(password, host, port), _answers)
        return _StartedDatabases(container, session.worker, self.own)

    def _options(self, *place: str) -> list[str]:
        settings = (*ALWAYS, *(() if self.own else QUICK), *self.settings)
        return [f"--{setting}" for setting in (*place, *settings)]


class _Databases(Server):
    """Databases of a server. Those that a test has done with are emptied for the next."""

    def __init__(self, url: str, worker: str) -> None:
        self._url = DatabaseURL.parse(url)
        self._prefix = f"dataflow_test_{secrets.token_hex(3)}_{worker}"
        self._made = 0
        self._empty: list[str] = []
        self._console = _Console(self._url)

    def check(self) -> None:
        """:raises NoDatabase: where the server does not answer."""
        try:
            self._console.run("SELECT 1")
        except Exception as error:
            self.stop()
            raise NoDatabase(f"{self._url} cannot be reached: {error}") from error

    @contextmanager
    def database(self) -> Iterator[str]:
        name = self._empty.pop() if self._empty else self._new()
        yield replace(self._url, database=name).get_connection_url()
        self._console.run(EMPTY, name)
        self._empty.append(name)

    def _new(self) -> str:
        self._made += 1
        name = f"{self._prefix}_{self._made}"
        self._console.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return name

    def stop(self) -> None:
        for number in range(1, self._made + 1):
            self._console.run(f"DROP DATABASE IF EXISTS {self._prefix}_{number} WITH (FORCE)")
        self._console.close()


class _StartedDatabases(_Databases):
    """Databases of a server that was started for these tests."""

    def __init__(self, server: "LocalServer | Container", worker: str, own: bool) -> None:
        super().__init__(server.url, worker)
        self._server = server
        self._own = own

    def stop(self) -> None:
        self._console.close()
        self._server.stop()

    def kill(self) -> None:
        self._refuse_what_others_would_notice()
        self._server.kill()

    def shut_down(self) -> None:
        self._refuse_what_others_would_notice()
        self._server.shut_down()

    def restart(self) -> None:
        self._refuse_what_others_would_notice()
        self._server.restart()

    def _refuse_what_others_would_notice(self) -> None:
        if not self._own:
            raise NoDatabase(
                "this server serves other tests too; one that may be killed is Postgres(own=True)"
            )


class _Console:
    """Runs SQL beside DataFlow, for callers inside and outside of event loops.

    The loop stands still between the calls, and a thread is there for a call only: tests that look for what is left
    behind find nothing.
    """

    def __init__(self, url: DatabaseURL) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._connections: dict[str | None, Connection[Any]] = {}

    def run(self, sql: str, database: str | None = None) -> None:
        """Run a statement, in another database than that of the URL if need be."""
        self._await(self._run(sql, database))

    def close(self) -> None:
        self._await(self._close())
        self._loop.close()

    def _await(self, work: Coroutine[Any, Any, None]) -> None:
        with ThreadPoolExecutor(1, "dataflow-postgres-testing") as thread:
            thread.submit(self._loop.run_until_complete, work).result()

    async def _run(self, sql: str, database: str | None) -> None:
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
                await kept.execute(sql)
                self._connections[database] = kept
                return
            except disconnected:  # as after a test that killed the server
                kept.terminate()
        new = self._connections[database] = await _connect(self._url, database)
        await new.execute(sql)

    async def _close(self) -> None:
        for connection in self._connections.values():
            try:
                await connection.close(timeout=5)
            except Exception:
                connection.terminate()


async def _connect(url: DatabaseURL, database: str | None = None) -> "Connection[Any]":
    import asyncpg

    return await asyncpg.connect(
        host=url.host or url.options.get("host"),
        port=url.port,
        user=url.username,
        password=url.password,
        database=database or url.database,
        ssl=url.options.get("sslmode"),
    )


def _url(password: str, host: str, port: int) -> str:
    return f"postgresql://postgres:{password}@{host}:{port}/postgres"


def _answers(url: str) -> bool:
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
