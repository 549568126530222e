"""Databases for tests, on a MariaDB or MySQL server that is found or started. It imports no driver by itself."""

import hashlib
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from pymysql.connections import Connection

    from dataflow.testing.containers import Container
    from dataflow.testing.local_server import Launch, LocalServer, Site

__all__ = ["MySQL"]

IMAGE = "mariadb:11.8"
FOLDERS = ("/usr/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/opt/homebrew/bin")
ALWAYS = (
    "max-connections=300",
    "local-infile=ON",
    "skip-log-bin",
    "innodb-flush-log-at-trx-commit=2",  # a process that is killed loses nothing, a machine without power would
    "innodb-doublewrite=OFF",
    "loose-innodb-flush-method=nosync",
    "loose-innodb-log-file-size=64M",
    "loose-mysqlx=OFF",
    "performance-schema=OFF",
    # What works only on a server that is strict and lives in UTC is noticed.
    "sql-mode=NO_ENGINE_SUBSTITUTION",
    "default-time-zone=+05:30",
)
QUICK = ("innodb-flush-log-at-trx-commit=0",)


@dataclass(frozen=True)
class MySQL(Provision):
    """Databases on a MariaDB or MySQL server.

    It is the one of ``DATAFLOW_TEST_MYSQL_URL``; else one that is started from this machine's software, which all
    processes of the run share; else one in a container.

    :param own: a server of this process alone, which may be killed and then has what was committed. It is never
        that of the URL.
    :param settings: of a server that is started, such as ``("max-connections=10",)``. It is never that of the URL.
    """

    name = "mysql"
    own: bool = False
    settings: tuple[str, ...] = ()

    def start(self, session: Session) -> Server:
        ways: list[Callable[[], _Databases]] = [
            lambda: self._local(session),
            lambda: self._contained(session),
        ]
        if not self.own and not self.settings:
            ways.insert(0, lambda: _Databases(url_from_environment("mysql"), session.worker))
        server = first_available("MariaDB or MySQL", *ways)
        server.check()  # one that was named and is not there is a mistake, and not replaced by another
        return server

    def _local(self, session: Session) -> "_Databases":
        try:
            from dataflow.testing.local_server import LocalServer
        except ModuleNotFoundError as error:
            raise NoDatabase(f"(none can be started here: Python has no module {error.name})") from None
        name = "mysql-" + hashlib.sha256(repr(self).encode()).hexdigest()[:8]
        where = session.folder if self.own else session.shared
        local = LocalServer.share(where, name, "mysql", self._set_up, _answers)
        return _StartedDatabases(local, session.worker, self.own)

    def _set_up(self, site: "Site") -> "Launch":
        from dataflow.testing.local_server import Launch

        server, data = _find_server(), site.folder / "data"
        if _is_mariadb(server):
            site.run(*_install_mariadb(), f"--datadir={data}", f"--tmpdir={site.folder}")
        else:
            site.run(server, "--no-defaults", "--initialize-insecure", f"--datadir={data}")
        place = (
            *("bind-address=127.0.0.1", f"port={site.port}", f"socket={site.folder}/socket"),
            *(f"datadir={data}", f"tmpdir={site.folder}", f"pid-file={site.folder}/pid"),
            f"secure-file-priv={site.folder}",
        )
        return Launch(
            (server, "--no-defaults", *self._options(*place)),
            _url("", "127.0.0.1", site.port),
            stop_signal=signal.SIGKILL,
            shutdown_signal=signal.SIGTERM,
        )

    def _contained(self, session: Session) -> "_Databases":
        from dataflow.testing.containers import Container, Image

        password = secrets.token_hex()
        image = Image(IMAGE, 3306, {"MARIADB_ROOT_PASSWORD": password}, ("mariadbd", *self._options()))
        container = Container.run(image, lambda host, port: _url(f":{password}", host, port), _answers)
        return _StartedDatabases(container, session.worker, self.own)

    def _options(self, *place: str) -> list[str]:
        settings = (*ALWAYS, *(() if self.own else QUICK), *self.settings)
        return [f"--{setting}" for setting in (*place, *settings)]


class _Databases(Server):
    """Databases of a server; each test gets a new one."""

    def __init__(self, url: str, worker: str) -> None:
        self._url = DatabaseURL.parse(url)
        self._prefix = f"dataflow_test_{secrets.token_hex(3)}_{worker}"
        self._made = 0
        self._connection: Connection[Any] | None = None

    def check(self) -> None:
        """:raises NoDatabase: where the server does not answer."""
        try:
            self._run("DO 0")
        except Exception as error:
            self.stop()
            raise NoDatabase(f"{self._url} cannot be reached: {error}") from error

    @contextmanager
    def database(self) -> Iterator[str]:
        self._made += 1
        name = f"{self._prefix}_{self._made}"
        self._run(f"CREATE DATABASE {name}")
        try:
            yield replace(self._url, database=name).get_connection_url()
        finally:
            # An open transaction would keep its tables from being dropped.
            for (connection,) in self._run(
                "SELECT id FROM information_schema.processlist WHERE db = %s", name
            ):
                self._kill_connection(connection)
            self._run(f"DROP DATABASE {name}")

    def _kill_connection(self, number: int) -> None:
        from pymysql.constants.ER import NO_SUCH_THREAD
        from pymysql.err import OperationalError

        try:
            self._run(f"KILL {number}")
        except OperationalError as error:
            if error.args[0] != NO_SUCH_THREAD:  # it went by itself
                raise

    def stop(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _run(self, sql: str, *parameters: object) -> tuple[tuple[Any, ...], ...]:
        """Run a statement; after a test that killed the server, on a new connection."""
        import pymysql

        if self._connection is not None:
            try:
                self._connection.ping(reconnect=False)
            except pymysql.Error:
                self._connection = None
        if self._connection is None:
            self._connection = _connect(self._url)
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return tuple(cursor.fetchall())


class _StartedDatabases(_Databases):
    """Databases of a server that was started for these tests."""

    def __init__(self, server: "LocalServer | Container", worker: str, own: bool) -> None:
        super().__init__(server.url, worker)
        self._server = server
        self._own = own

    def stop(self) -> None:
        super().stop()
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
            raise NoDatabase("this server serves other tests too; one that may be killed is MySQL(own=True)")


def _connect(url: DatabaseURL) -> "Connection[Any]":
    import pymysql

    return pymysql.connect(
        host=url.host,
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        database=url.database,
        unix_socket=url.options.get("unix_socket"),
        charset="utf8mb4",
        autocommit=True,
        init_command="SET lock_wait_timeout = 60",
    )


def _answers(url: str) -> bool:
    import pymysql

    try:
        _connect(DatabaseURL.parse(url)).close()
    except pymysql.OperationalError:
        return False
    return True


def _url(password: str, host: str, port: int) -> str:
    return f"mysql://root{password}@{host}:{port}/mysql"


def _find_server() -> Path:
    from dataflow.testing.local_server import find_program

    try:
        return find_program("mariadbd", "mysqld", folders=FOLDERS)
    except NoDatabase as error:
        raise NoDatabase(f"install MariaDB 10.6, MySQL 8, or newer ({error})") from None


def _is_mariadb(server: Path) -> bool:
    version = subprocess.run([server, "--version"], capture_output=True, text=True, check=True)
    return "MariaDB" in version.stdout


def _install_mariadb() -> list[str | Path]:
    from dataflow.testing.local_server import find_program

    return [
        find_program("mariadb-install-db"),
        *("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"),
        "--innodb-log-file-size=64M",
    ]
