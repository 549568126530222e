"""What goes wrong outside: locks, permissions, disks, damage. The error helps, and the database is as it was."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from datetime import time as datetime_time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from uuid import UUID

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    AccessDenied,
    ConfigurationError,
    DatabaseBusy,
    DataFlowError,
    NotADatabase,
    QueryError,
    SerializationFailure,
    StorageFull,
    WorkflowExecutionError,
)
from dataflow.execution.stepping import step

CANARY = "canary-8c1f"
Rows = list[tuple[Any, ...]]


class Color(Enum):
    RED = "red"


class User:
    name: str
    __dataflow__: ClassVar = {"timestamps": False}


def open_file(file: Path, options: str = "", **settings: Any) -> DataFlow:
    db = DataFlow(f"sqlite:///{file}{options}", **settings)
    db.model(User)
    return db


def contents(file: Path) -> Rows:
    with closing(sqlite3.connect(file)) as raw:
        return raw.execute("SELECT id, name FROM users ORDER BY id").fetchall()


def assert_silent(error: BaseException | None) -> None:
    """Neither the error nor what caused it tells a value."""
    while error is not None:
        assert CANARY not in str(error)
        error = error.__cause__


@pytest.fixture
def stock(file: Path) -> Path:
    """A file with two rows."""
    with open_file(file) as db:
        db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": "a"}, {"name": "b"}]))
    return file


BEFORE: Rows = [(1, "a"), (2, "b")]


def insert(db: DataFlow) -> None:
    db.run_sync(db.nodes.UserCreateNode(name=CANARY))


def insert_many(db: DataFlow) -> None:
    db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": CANARY * 50}] * 3000))


def insert_async(db: DataFlow) -> None:
    async def work() -> None:
        await db.nodes.UserCreateNode(name=CANARY)

    asyncio.run(work())


def run_workflow(db: DataFlow) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node("UserUpdateNode", "rename", {"id": 1, "name": CANARY})
    workflow.add_node("UserCreateNode", "create", {"name": CANARY})
    LocalRuntime().execute(workflow.build())


def run_workflow_async(db: DataFlow) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node("UserUpdateNode", "rename", {"id": 1, "name": CANARY})
    workflow.add_node("UserCreateNode", "create", {"name": CANARY})
    asyncio.run(AsyncLocalRuntime().execute(workflow.build()))


WRITES = [insert, insert_many, insert_async, run_workflow, run_workflow_async]


def failure(act: Callable[[DataFlow], object], db: DataFlow) -> DataFlowError:
    """The error of an act: its cause, where a workflow failed."""
    with pytest.raises(DataFlowError) as caught:
        act(db)
    assert_silent(caught.value)
    error = caught.value
    if isinstance(error, WorkflowExecutionError):
        assert isinstance(error.cause, DataFlowError)
        return error.cause
    return error


# Locks


LOCK = """
import sqlite3, sys
raw = sqlite3.connect(sys.argv[1], isolation_level=None)
raw.execute(sys.argv[2])
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def locked(stock: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file that another process holds locked."""
    command = [sys.executable, "-c", LOCK, str(stock), request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield stock
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("act", WRITES)
def test_a_lock_of_another_process_is_waited_for_no_longer_than_asked(
    locked: Path, act: Callable[[DataFlow], object]
) -> None:
    with open_file(locked, "?timeout=0.1") as db:
        started = time.perf_counter()
        error = failure(act, db)
        assert 0.08 < time.perf_counter() - started < 3
    assert isinstance(error, DatabaseBusy)
    assert "timeout in the URL" in str(error)
    assert isinstance(error.__cause__, sqlite3.OperationalError)
    assert contents(locked) == BEFORE


def test_readers_need_not_wait_for_a_writer_of_another_process(stock: Path) -> None:
    with closing(sqlite3.connect(stock, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM users")
        with open_file(stock, "?timeout=0.2") as db:
            assert db.run_sync(db.nodes.UserListNode())["count"] == 2


def test_a_lock_that_ends_in_time_is_waited_for(stock: Path) -> None:
    with (
        open_file(stock, "?timeout=10") as db,
        closing(sqlite3.connect(stock, isolation_level=None, check_same_thread=False)) as other,
    ):
        db.run_sync(db.nodes.UserListNode())
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.execute, ["COMMIT"])
        timer.start()
        insert(db)
        timer.join()
    assert len(contents(stock)) == 3


def test_a_database_that_was_busy_serves_again_when_it_is_free(stock: Path) -> None:
    with open_file(stock, "?timeout=0.1") as db:
        with closing(sqlite3.connect(stock, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for act in WRITES:
                assert isinstance(failure(act, db), DatabaseBusy)
        insert(db)
    assert len(contents(stock)) == 3


def test_the_schema_is_not_half_made_where_another_process_holds_the_lock(stock: Path) -> None:
    with closing(sqlite3.connect(stock, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_file(stock, "?timeout=0.1") as db:

            @db.model
            class Note:
                text: str

            with pytest.raises(DatabaseBusy):
                db.run_sync(db.nodes.NoteListNode())
            other.execute("ROLLBACK")
            assert db.run_sync(db.nodes.NoteListNode())["count"] == 0


async def read_then_write(db: DataFlow, other: sqlite3.Connection) -> None:
    async with db.transaction():
        await db.nodes.UserReadNode(id=1)
        await asyncio.to_thread(other.execute, "UPDATE users SET name = 'theirs' WHERE id = 1")
        await db.nodes.UserUpdateNode(id=1, name=CANARY)


def test_no_update_of_another_is_lost(stock: Path) -> None:
    """A transaction that may write takes the lock at once, so that what it has read stays true."""
    with (
        open_file(stock, "?timeout=0.2") as db,
        closing(sqlite3.connect(stock, isolation_level=None, timeout=0.1, check_same_thread=False)) as other,
    ):
        with pytest.raises((sqlite3.OperationalError, DatabaseBusy, SerializationFailure)) as caught:
            asyncio.run(read_then_write(db, other))
        assert isinstance(caught.value, sqlite3.OperationalError), "the other one had to wait"
    assert contents(stock) == BEFORE


# Permissions


def test_a_database_opened_read_only_is_read_and_never_written(stock: Path) -> None:
    with open_file(stock, "?mode=ro") as db:
        assert db.run_sync(db.nodes.UserListNode())["count"] == 2
        for act in WRITES:
            error = failure(act, db)
            assert isinstance(error, AccessDenied)
            assert "read-only" in str(error)
        assert db.run_sync(db.nodes.UserListNode())["count"] == 2
    assert contents(stock) == BEFORE


def test_a_schema_that_lacks_something_cannot_be_made_read_only(stock: Path) -> None:
    with open_file(stock, "?mode=ro") as db:

        @db.model
        class Note:
            text: str

        with pytest.raises(AccessDenied, match="read-only"):
            db.run_sync(db.nodes.NoteListNode())


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_file_that_must_exist_is_not_made(file: Path, mode: str) -> None:
    with open_file(file, f"?mode={mode}") as db, pytest.raises(AccessDenied, match="cannot be opened"):
        insert(db)
    assert not file.exists()


UNPRIVILEGED = """
import os, sys
from dataflow import DataFlow
from dataflow.errors import AccessDenied

def define(url):
    db = DataFlow(url)
    @db.model
    class User:
        name: str
        __dataflow__ = {"timestamps": False}
    return db

with define("sqlite:///:memory:") as db:  # everything is imported before the permissions are gone
    db.run_sync(db.nodes.UserListNode())
    db.run_sync(db.nodes.UserCreateNode(name="x"))
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for file in sys.argv[1:]:
    with define("sqlite:///" + file) as db:
        try:
            db.run_sync(db.nodes.UserCreateNode(name="canary-8c1f"))
        except AccessDenied as error:
            print(error)
"""


def test_a_file_without_permission_is_told() -> None:
    """In a process that is not root, as root may everything; and in a folder that it may enter."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / "read.db", folder / "closed.db"]
        for file, mode in zip(files, (0o444, 0o000), strict=True):
            with open_file(file) as db:
                db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": "a"}, {"name": "b"}]))
            file.chmod(mode)
        folder.chmod(0o555)
        command = [sys.executable, "-c", UNPRIVILEGED, *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
        folder.chmod(0o755)
        for file in files:
            file.chmod(0o644)
            assert contents(file) == BEFORE
    read_only, closed = done.stdout.splitlines()
    assert "read-only" in read_only
    assert "cannot be opened" in closed
    for message in (read_only, closed):
        assert "permissions" in message or "may be written" in message
    assert CANARY not in done.stdout + done.stderr


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with open_file(tmp_path) as db, pytest.raises(AccessDenied, match="cannot be opened"):
        insert(db)


# Disks


SMALL_DISK = """
import resource, sys
from dataflow import DataFlow
from dataflow.errors import StorageFull

with DataFlow("sqlite:///" + sys.argv[1]) as db:
    @db.model
    class User:
        name: str
        __dataflow__ = {"timestamps": False}

    db.run_sync(db.nodes.UserCreateNode(name="c"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": "canary-8c1f" * 50}] * 3000))
    except StorageFull as error:
        print(error)
    print(db.run_sync(db.nodes.UserListNode())["count"])
"""


def test_a_file_that_may_not_grow_fails_the_write_and_keeps_what_was(stock: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(stock)], capture_output=True, text=True, check=True
    )
    message, count = done.stdout.splitlines()
    assert "nothing of the transaction was kept" in message
    assert count == "3"
    assert CANARY not in done.stdout + done.stderr
    assert contents(stock) == [*BEFORE, (3, "c")]


def test_a_full_database_fails_the_write_and_goes_on(stock: Path) -> None:
    with open_file(stock, pool_size=1) as db:
        db.run_sync(db.nodes.UserListNode())
        pool = db.databases()["primary"].pool
        connection = pool.take("the test")
        assert connection is not None
        step(connection.execute("PRAGMA max_page_count = 16"))
        assert pool.put(connection)
        error = failure(insert_many, db)
        assert isinstance(error, StorageFull)
        assert "the disk is full" in str(error)
        assert contents(stock) == BEFORE
        insert(db)
    assert len(contents(stock)) == 3


# Damage


def test_a_file_that_is_no_database_is_told_and_left_alone(file: Path) -> None:
    for content in (b"hello", b"This is a letter, not a database. " * 200, b"\0" * 512 + b"x"):
        file.write_bytes(content)
        with open_file(file) as db:
            for act in WRITES:
                error = failure(act, db)
                assert isinstance(error, NotADatabase)
                assert "not an SQLite database" in str(error)
        assert file.read_bytes() == content


def test_an_empty_file_becomes_a_database(file: Path) -> None:
    file.touch()
    with open_file(file) as db:
        insert(db)
    assert contents(file) == [(1, CANARY)]


def test_a_damaged_file_is_told(stock: Path) -> None:
    with open_file(stock) as db:
        insert_many(db)
    with stock.open("r+b") as handle:
        handle.seek(4096 * 2)
        handle.write(b"\xff" * (stock.stat().st_size - 4096 * 2))
    with open_file(stock) as db:
        for act in (lambda db: db.run_sync(db.nodes.UserListNode()), insert_many):
            error = failure(act, db)
            assert isinstance(error, NotADatabase)
            assert "restore it from a backup" in str(error)


def test_a_file_cut_short_is_told(stock: Path) -> None:
    with open_file(stock) as db:
        insert_many(db)
    with stock.open("r+b") as handle:
        handle.truncate(4096 * 3 + 5)
    with open_file(stock) as db:
        assert isinstance(failure(lambda db: db.run_sync(db.nodes.UserListNode()), db), NotADatabase)


def test_a_table_that_somebody_dropped_is_told(stock: Path) -> None:
    with open_file(stock) as db:
        insert(db)
        with closing(sqlite3.connect(stock)) as other:
            other.execute("DROP TABLE users")
        error = failure(insert, db)
        assert isinstance(error, QueryError)
        assert "no such table: users" in str(error)


def test_a_column_that_somebody_added_does_no_harm(stock: Path) -> None:
    with open_file(stock) as db:
        insert(db)
        with closing(sqlite3.connect(stock)) as other:
            other.execute("ALTER TABLE users ADD COLUMN extra INTEGER DEFAULT 5")
        assert db.run_sync(db.nodes.UserReadNode(id=1))["record"] == {"id": 1, "name": "a"}
        assert db.run_sync(db.nodes.UserCreateNode(name="z"))["record"] == {"id": 4, "name": "z"}


def test_a_file_that_was_moved_away_is_found_by_the_next_object(stock: Path, tmp_path: Path) -> None:
    with open_file(stock) as db:
        insert(db)
    shutil.move(stock, tmp_path / "moved.db")
    with open_file(tmp_path / "moved.db") as db:
        assert db.run_sync(db.nodes.UserListNode())["count"] == 3


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("amount", CANARY),
        ("amount", b"\xff"),
        ("moment", CANARY),
        ("moment", 1_700_000_000),
        ("day", CANARY),
        ("clock", CANARY),
        ("uuid", CANARY),
        ("document", CANARY),
        ("color", CANARY),
    ],
)
def test_a_stored_value_that_its_type_cannot_read_is_told(file: Path, name: str, stored: object) -> None:
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute(
            "CREATE TABLE cells (id INTEGER PRIMARY KEY, amount, moment, day, clock, uuid, document, color)"
        )
        raw.execute(f"INSERT INTO cells ({name}) VALUES (?)", [stored])
    with DataFlow(f"sqlite:///{file}", existing_schema_mode=True) as db:

        @db.model
        class Cell:
            id: int
            amount: Decimal | None
            moment: datetime | None
            day: date | None
            clock: datetime_time | None
            uuid: UUID | None
            document: dict[str, int] | None
            color: Color | None

        error = failure(lambda db: db.run_sync(db.nodes.CellReadNode(id=1)), db)
        assert f"Cell.{name}" in str(error)
        rows = db.run_sync(db.nodes.CellListNode(fields=["id"]))["records"]
        assert rows == [{"id": 1}]


# Processes


KILLED = """
import os, sys
from dataflow import DataFlow, LocalRuntime, WorkflowBuilder

db = DataFlow("sqlite:///" + sys.argv[1])
@db.model
class User:
    name: str
    __dataflow__ = {"timestamps": False}

db.run_sync(db.nodes.UserCreateNode(name="committed"))
workflow = WorkflowBuilder(db)
workflow.add_node("UserBulkCreateNode", "many", {"data": [{"name": "lost"}] * 5000})
workflow.add_node(lambda: os.kill(os.getpid(), 9), "kill")
workflow.add_connection("many", "kill")
LocalRuntime().execute(workflow.build())
"""


def test_a_process_that_is_killed_keeps_what_was_committed_and_nothing_else(stock: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(stock)], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert contents(stock) == [*BEFORE, (3, "committed")]
    with open_file(stock) as db:
        insert(db)
    assert len(contents(stock)) == 4


def test_a_closed_database_says_so(stock: Path) -> None:
    db = open_file(stock)
    insert(db)
    asyncio.run(db.close())
    for act in WRITES:
        error = failure(act, db)
        assert isinstance(error, ConfigurationError)
        assert "was closed" in str(error)
    assert len(contents(stock)) == 3


def test_a_transaction_whose_event_loop_was_closed_under_it_is_undone_and_the_database_in_memory_stays(
    db: DataFlow, caplog: pytest.LogCaptureFixture
) -> None:
    db.model(User)
    insert(db)

    async def begin() -> None:
        async with db.transaction():
            await db.nodes.UserCreateNode(name="lost")
            begun.set_result(None)
            await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    begun = loop.create_future()
    unfinished = begin()
    task = loop.create_task(unfinished)
    loop.run_until_complete(begun)
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    # As it would be when it is collected.
    unfinished.close()
    assert len(db.run_sync(db.nodes.UserListNode())["records"]) == 1
    assert [record.name for record in caplog.records if record.name.startswith("dataflow")] == []
