"""The servers that tests start: shared, empty for each test, killed and started again, gone with whoever used them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dataflow.mysql import testing as mysql_testing
from dataflow.mysql.testing import MySQL
from dataflow.postgres import testing as postgres_testing
from dataflow.postgres.testing import Postgres
from dataflow.testing import NoDatabase, Provision, Server, Session
from dataflow.testing.waiting import wait_until
from dataflow.url import DatabaseURL

pytest_plugins = ["dataflow.testing.plugin"]

REFUSED = "refused|Connect call failed"
FreshDatabase = Callable[[Provision], str]


def query_postgres(url: str, *statements: str) -> list[Any]:
    import asyncpg

    async def run() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return [[tuple(row) for row in await connection.fetch(sql)] for sql in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


def query_mysql(url: str, *statements: str) -> list[Any]:
    connection = connect_mysql(url)
    try:
        with connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()


def connect_mysql(url: str) -> Any:
    import pymysql

    parts = DatabaseURL.parse(url)
    return pymysql.connect(
        host=parts.host,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.database,
        autocommit=True,
    )


class Kind(NamedTuple):
    """What differs between the servers, for these tests."""

    provision: type[MySQL] | type[Postgres]
    module: Any
    query: Callable[..., list[Any]]
    tables: str
    bad_setting: str


KINDS = [
    pytest.param(
        Kind(
            Postgres,
            postgres_testing,
            query_postgres,
            "SELECT tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)'",
            "max_connections=many",
        ),
        id="postgres",
        marks=pytest.mark.postgres,
    ),
    pytest.param(
        Kind(MySQL, mysql_testing, query_mysql, "SHOW TABLES", "an-option-of=many"),
        id="mysql",
        marks=pytest.mark.mysql,
    ),
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind of server that these tests start, whatever server the other tests are given."""
    kind: Kind = request.param
    monkeypatch.delenv(f"DATAFLOW_TEST_{kind.provision.name.upper()}_URL", raising=False)
    return kind


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session("main", tmp_path, tmp_path)


@pytest.fixture
def start(session: Session) -> Iterator[Callable[[Provision], Server]]:
    started: list[Server] = []

    def start(provision: Provision) -> Server:
        started.append(provision.start(session))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_a_database_is_empty_whatever_was_done_to_the_one_before(
    kind: Kind, fresh_database: FreshDatabase
) -> None:
    first, second = fresh_database(kind.provision()), fresh_database(kind.provision())
    assert first != second
    for url in (first, second):
        assert kind.query(url, kind.tables) == []
        kind.query(url, "CREATE TABLE things (a INTEGER)", "INSERT INTO things VALUES (1)")
        assert kind.query(url, kind.tables) == [("things",)]


@pytest.mark.postgres
def test_a_database_of_postgres_is_emptied_although_others_hold_on_to_it(session: Session) -> None:
    import asyncpg

    async def leave_behind(url: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE SCHEMA other; CREATE TABLE other.things (a int)")
        await connection.execute("CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE people (mood mood)")
        await connection.execute(f"ALTER DATABASE {DatabaseURL.parse(url).database} SET work_mem = '1MB'")
        await connection.execute("BEGIN; LOCK TABLE people")
        server_side.__exit__(None, None, None)
        with pytest.raises((asyncpg.AdminShutdownError, asyncpg.ConnectionDoesNotExistError)):
            await connection.execute("COMMIT")

    server = Postgres().start(session)
    try:
        server_side = server.database()
        before = server_side.__enter__()
        asyncio.run(leave_behind(before))
        with server.database() as url:
            assert url == before
            assert query_postgres(url, "SELECT nspname FROM pg_namespace WHERE nspname IN ('other')") == []
            assert query_postgres(url, "SELECT 1 FROM pg_type WHERE typname = 'mood'") == []
            assert query_postgres(url, "SHOW work_mem") != [("1MB",)]
    finally:
        server.stop()


@pytest.mark.mysql
def test_a_database_of_mysql_is_dropped_although_others_hold_on_to_it(session: Session) -> None:
    import pymysql

    server = MySQL().start(session)
    try:
        with server.database() as url:
            query_mysql(url, "CREATE TABLE things (a INTEGER)")
            connection = connect_mysql(url)
            connection.begin()
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM things")
        with pytest.raises(pymysql.OperationalError, match="Unknown database"):
            query_mysql(url, "SELECT 1")
        with pytest.raises(pymysql.OperationalError, match=r"gone away|killed|Lost"):
            connection.ping(reconnect=False)
    finally:
        server.stop()


def test_processes_share_a_server_that_ends_with_the_last_of_them_even_if_it_is_killed(
    kind: Kind, session: Session
) -> None:
    program = f"""
import sys
from pathlib import Path
from {kind.provision.__module__} import {kind.provision.__name__} as Kind
from dataflow.testing import Session

folder = Path(sys.argv[1])
with Kind().start(Session("other", folder, folder)).database() as url:
    print(url, flush=True)
    sys.stdin.read()
"""
    server = kind.provision().start(session)
    with server.database() as ours:
        port = DatabaseURL.parse(ours).port
    process = subprocess.Popen(
        [sys.executable, "-c", program, session.shared],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        theirs = process.stdout.readline().strip()
        server.stop()
        assert DatabaseURL.parse(theirs).port == port
        assert kind.query(theirs, "SELECT 1") == [(1,)]
        process.kill()
    (note,) = session.shared.glob("*.json")
    folder = Path(json.loads(note.read_text())[0])
    wait_until(lambda: not folder.exists(), lambda: AssertionError(f"{folder} is still there"))
    with pytest.raises(Exception, match=REFUSED):
        kind.query(theirs, "SELECT 1")


def test_who_is_killed_while_a_server_is_set_up_leaves_nothing(kind: Kind, session: Session) -> None:
    program = f"""
import os, signal, sys
from pathlib import Path
from {kind.provision.__module__} import {kind.provision.__name__} as Kind
from dataflow.testing import Session
from dataflow.testing.local_server import Site

def die(site, *command):
    (site.folder / "made").touch()
    print(site.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

Site.run = die
folder = Path(sys.argv[1])
Kind(own=True).start(Session("other", folder, folder))
"""
    done = subprocess.run([sys.executable, "-c", program, session.shared], stdout=subprocess.PIPE, text=True)
    folder = Path(done.stdout.strip())
    assert folder.name.startswith(f"dataflow-{kind.provision.name}-")
    wait_until(lambda: not folder.exists(), lambda: AssertionError(f"{folder} is still there"))


@pytest.mark.parametrize("ending", ["kill", "shut_down"])
def test_a_server_of_ones_own_can_be_ended_and_has_what_was_committed(
    kind: Kind, start: Callable[[Provision], Server], ending: str
) -> None:
    server = start(kind.provision(own=True))
    with server.database() as url:
        kind.query(url, "CREATE TABLE things (a INTEGER)", "INSERT INTO things VALUES (1)")
        getattr(server, ending)()
        with pytest.raises(Exception, match=REFUSED):
            kind.query(url, "SELECT 1")
        server.restart()
        assert kind.query(url, "SELECT a FROM things") == [(1,)]
    with server.database() as url:
        assert kind.query(url, kind.tables) == []


def test_a_server_that_others_use_is_not_killed(kind: Kind, session: Session) -> None:
    server = kind.provision().start(session)
    try:
        for act in (server.kill, server.shut_down, server.restart):
            with pytest.raises(NoDatabase, match=r"\(own=True\)"):
                act()
    finally:
        server.stop()


def test_the_server_of_the_environment_is_taken(
    kind: Kind, session: Session, fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = fresh_database(kind.provision())
    monkeypatch.setenv(f"DATAFLOW_TEST_{kind.provision.name.upper()}_URL", known)
    server = kind.provision().start(session)
    with server.database() as url:
        assert url != known
        assert DatabaseURL.parse(url).port == DatabaseURL.parse(known).port
    server.stop()
    with pytest.raises(Exception, match=r"does not exist|Unknown database"):
        kind.query(url, "SELECT 1")


def test_a_server_of_the_environment_that_is_not_there_is_not_replaced(
    kind: Kind, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = kind.provision.name
    scheme = {"postgres": "postgresql"}.get(name, name)
    monkeypatch.setenv(f"DATAFLOW_TEST_{name.upper()}_URL", f"{scheme}://ann:secret@127.0.0.1:1/app")
    with pytest.raises(NoDatabase, match=r"ann:\*\*\*@127\.0\.0\.1:1/app cannot be reached"):
        kind.provision().start(session)


def test_without_any_server_all_the_ways_to_get_one_are_told(
    kind: Kind, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(kind.module, "FOLDERS", ())
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(NoDatabase) as caught:
        kind.provision().start(session)
    environment, install, docker = str(caught.value).split("\n  - ")[1:]
    assert environment.startswith("set DATAFLOW_TEST_")
    assert install.startswith("install ")
    assert "Docker" in docker


def test_a_server_that_does_not_start_says_why(kind: Kind, session: Session) -> None:
    with pytest.raises(NoDatabase, match=r"the server ended at once:\n(.*\n)*.*many"):
        kind.provision(settings=(kind.bad_setting,)).start(session)


def test_what_is_left_out_is_said() -> None:
    arguments = ["--collect-only", "-q", "-n0", "-p", "no:cacheprovider", "--without-postgres", __file__]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert "--without-postgres: its tests did not run" in done.stdout
    assert "[postgres]" not in done.stdout
    assert "[mysql]" in done.stdout
