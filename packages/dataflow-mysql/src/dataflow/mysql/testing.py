"""Databases for tests, on a MariaDB or MySQL server that is found or started. It imports no driver by itself."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dataflow.testing.provision import NoDatabase
from dataflow.testing.started import Databases, ServerProvision, Started
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from pymysql.connections import Connection

    from dataflow.testing.containers import Image
    from dataflow.testing.local_server import Launch, Site

__all__ = ["MySQL", "MySQLReplica"]

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
WITH_GTIDS = ("loose-gtid-mode=ON", "loose-enforce-gtid-consistency=ON")  # MariaDB has them always
QUICK = ("innodb-flush-log-at-trx-commit=0",)
SESSIONS = "SELECT id, user, host, db FROM information_schema.processlist"


@dataclass(frozen=True)
class MySQL(ServerProvision):
    """Databases on a MariaDB or MySQL server.

    It is the one of ``DATAFLOW_TEST_MYSQL_URL``; else one that is started from this machine's software, which all
    processes of the run share; else one in a container.

    :param own: a server of this process alone, which may be killed and then has what was committed. It is never
        that of the URL.
    :param settings: of a server that is started, such as ``("max-connections=10",)``. It is never that of the URL.
    """

    name = "mysql"
    title = "MariaDB or MySQL"
    always = ALWAYS
    quick = QUICK

    def databases(self, url: str, worker: str, started: Started | None = None) -> Databases:
        return _Databases(url, worker, started, own=self.own)

    def set_up(self, site: "Site") -> "Launch":
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
            (server, "--no-defaults", *self.options(*place)),
            self.url("", "127.0.0.1", site.port),
            stop_signal=signal.SIGKILL,
            shutdown_signal=signal.SIGTERM,
        )

    def image(self, password: str) -> "Image":
        from dataflow.testing.containers import Image

        return Image(IMAGE, 3306, {"MARIADB_ROOT_PASSWORD": password}, ("mariadbd", *self.options()))

    @staticmethod
    def url(password: str, host: str, port: int) -> str:
        return f"mysql://root{password and ':'}{password}@{host}:{port}/mysql"

    @staticmethod
    def answers(url: str) -> bool:
        import pymysql

        try:
            _connect(DatabaseURL.parse(url)).close()
        except pymysql.OperationalError:
            return False
        return True


@dataclass(frozen=True)
class MySQLReplica(MySQL):
    """A server that follows another one by GTIDs, from the beginning of its log.

    It has the databases of the other one, each under the same name, and none of its own.

    :param primary: the URL of a database of that; it was started for these tests, with ``own=True`` and the settings
        ``MySQLReplica.leading``.
    """

    leading: ClassVar[tuple[str, ...]] = ("log-bin=binlog", "server-id=1", *WITH_GTIDS)
    own: bool = True
    settings: tuple[str, ...] = ("server-id=2", "relay-log=relay", "relay-log-recovery=ON", *WITH_GTIDS)
    primary: str = ""

    def databases(self, url: str, worker: str, started: Started | None = None) -> Databases:
        databases = _Databases(url, worker, started, own=self.own)
        databases.follow(DatabaseURL.parse(self.primary))
        return databases

    def image(self, password: str) -> "Image":
        raise NoDatabase("(a replica is started from this machine's software only)")


class _Databases(Databases):
    """Databases of a server; each test gets a new one."""

    def __init__(self, url: str, worker: str, started: Started | None = None, *, own: bool = False) -> None:
        super().__init__(url, worker, started, own=own)
        self._made = 0
        self._connection: Connection[Any] | None = None

    def ask(self) -> None:
        self._run("DO 0")

    def close(self, *, server_goes_on: bool) -> None:
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def database(self) -> Iterator[str]:
        self._made += 1
        name = f"{self.prefix}_{self._made}"
        self._run(f"CREATE DATABASE {name}")
        try:
            yield replace(self.place, database=name).get_connection_url()
        finally:
            # An open transaction would keep its tables from being dropped.
            # MariaDB's SHOW PROCESSLIST cuts a statement off within a letter, which the driver cannot read then; the
            # view of MySQL fails where a statement of anybody has letters beyond U+FFFF.
            for number, _, _, database, *_ in self.command(SESSIONS, mysql="SHOW PROCESSLIST"):
                if database == name:
                    self._kill_connection(number)
            self._run(f"DROP DATABASE {name}")

    def command(self, mariadb: str, mysql: str | None = None) -> tuple[tuple[Any, ...], ...]:
        """Run a statement as an administrator; what it brings.

        :param mysql: how MySQL says it, where that is otherwise.
        """
        self._run("DO 0")
        assert self._connection is not None
        is_mariadb = "MariaDB" in self._connection.get_server_info()
        return self._run(mariadb if mysql is None or is_mariadb else mysql)

    def follow(self, primary: DatabaseURL) -> None:
        """Begin to do what another server has done."""
        place = {
            "HOST": f"'{primary.host}'",
            "PORT": primary.port,
            "USER": f"'{primary.username}'",
            "PASSWORD": f"'{primary.password or ''}'",
        }
        master, source = (
            ", ".join(f"{word}_{name} = {value}" for name, value in place.items())
            for word in ("MASTER", "SOURCE")
        )
        self.command(
            f"CHANGE MASTER TO {master}, MASTER_USE_GTID = slave_pos",
            f"CHANGE REPLICATION SOURCE TO {source}, SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1",
        )
        self.command("START SLAVE", "START REPLICA")

    def _kill_connection(self, number: int) -> None:
        from pymysql.constants.ER import NO_SUCH_THREAD
        from pymysql.err import OperationalError

        try:
            self._run(f"KILL {number}")
        except OperationalError as error:
            if error.args[0] != NO_SUCH_THREAD:  # it went by itself
                raise

    def _run(self, sql: str, *parameters: object) -> tuple[tuple[Any, ...], ...]:
        """Run a statement; after a test that killed the server, on a new connection."""
        import pymysql

        if self._connection is not None:
            try:
                self._connection.ping(reconnect=False)
            except pymysql.Error:
                self._connection = None
        if self._connection is None:
            self._connection = _connect(self.place)
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return tuple(cursor.fetchall())


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
