"""The database object: what it decides, what it tells, and that it leaves nothing behind."""

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, DataFlowConfig, LocalRuntime, WorkflowBuilder
from dataflow.errors import ConfigurationError, MissingPlugin, WorkflowBuildError


class User:
    name: str


def open_file(file: Path, **options: Any) -> DataFlow:
    db = DataFlow(f"sqlite:///{file}", **options)
    db.model(User)
    return db


def handles(file: Path) -> int:
    """How many handles this process has on a database."""
    count = 0
    for handle in Path("/proc/self/fd").iterdir():
        try:
            count += os.readlink(handle).startswith(str(file))
        except OSError:  # the handle that lists the handles
            continue
    return count


def workers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dataflow")]


def use(db: DataFlow) -> None:
    """By both doors: from this thread, and from a loop."""
    db.run_sync(db.nodes.UserCreateNode(name="a"))
    workflow = WorkflowBuilder(db)
    workflow.add_node("UserListNode", "list", {})
    workflow.add_node("UserCreateNode", "create", {"name": "b"})
    LocalRuntime().execute(workflow.build())
    asyncio.run(AsyncLocalRuntime().execute(workflow.build()))

    async def call() -> None:
        await asyncio.gather(*(db.nodes.UserReadNode(id=1) for _ in range(5)))
        async with db.transaction():
            await db.nodes.UserCreateNode(name="c")

    asyncio.run(call())


def close_by_with(file: Path) -> None:
    with open_file(file) as db:
        use(db)


def close_by_async_with(file: Path) -> None:
    async def work() -> None:
        async with open_file(file) as db:
            await db.nodes.UserCreateNode(name="a")

    asyncio.run(work())
    with open_file(file) as db:
        use(db)


def close_by_hand(file: Path) -> None:
    db = open_file(file)
    use(db)
    asyncio.run(db.close())
    asyncio.run(db.close())


def close_by_forgetting(file: Path) -> None:
    db = open_file(file)
    use(db)
    forgotten = weakref.ref(db)
    del db
    gc.collect()
    assert forgotten() is None


def close_after_a_failure(file: Path) -> None:
    def fail() -> None:
        with open_file(file) as db:
            use(db)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux lists its handles there")
@pytest.mark.parametrize(
    "way", [close_by_with, close_by_async_with, close_by_hand, close_by_forgetting, close_after_a_failure]
)
def test_nothing_is_left_behind(file: Path, way: Callable[[Path], None]) -> None:
    before = workers()
    way(file)
    gc.collect()
    assert handles(file) == 0
    assert workers() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name], "the journal is gone as well"


def test_making_one_opens_nothing(file: Path) -> None:
    threads = threading.active_count()
    db = open_file(file)
    assert not file.exists()
    assert threading.active_count() == threads
    db.create_workflow()
    assert not file.exists()
    with db:
        assert not file.exists()


def test_a_program_that_forgets_to_close_still_ends(file: Path) -> None:
    program = (
        "import sys, asyncio\n"
        "from dataflow import DataFlow\n"
        "db = DataFlow('sqlite:///' + sys.argv[1])\n"
        "@db.model\n"
        "class User:\n"
        "    name: str\n"
        "async def work():\n"
        "    print((await db.nodes.UserCreateNode(name='a'))['id'])\n"
        "asyncio.run(work())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(file)], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


def test_start_makes_the_tables(file: Path) -> None:
    async def work() -> None:
        db = open_file(file)
        await db.start()
        assert file.exists()
        pool = db.databases()["primary"].pool
        assert (pool.in_use, pool.idle) == (0, 1)
        await db.close()

    asyncio.run(work())


def test_a_closed_one_says_so_and_is_not_found_any_more(file: Path) -> None:
    with open_file(file) as db:
        use(db)
    with pytest.raises(ConfigurationError, match="was closed; make a new DataFlow"):
        db.run_sync(db.nodes.UserListNode())
    workflow = WorkflowBuilder()
    workflow.add_node("UserListNode", "list", {})
    with pytest.raises(WorkflowBuildError, match="UserListNode"):
        workflow.build()


def test_a_builder_of_a_forgotten_database_says_so(file: Path) -> None:
    db = DataFlow(f"sqlite:///{file}")

    @db.model
    class Order:
        total: int

    assert Order.create_workflow is not None  # type: ignore[attr-defined]
    del db
    gc.collect()
    with pytest.raises(ConfigurationError, match="keep a reference"):
        Order.create_workflow()  # type: ignore[attr-defined]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("DATAFLOW_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    return monkeypatch


def test_without_a_url_it_is_in_memory_or_where_the_environment_says(
    clean: pytest.MonkeyPatch, file: Path
) -> None:
    assert str(DataFlow().config.database) == "sqlite:///:memory:"
    clean.setenv("DATABASE_URL", "sqlite:///second.db")
    assert DataFlow().config.database.database == "second.db"
    clean.setenv("DATAFLOW_DATABASE_URL", f"sqlite:///{file}")
    assert DataFlow().config.database.database == str(file)
    assert DataFlow("sqlite:///first.db").config.database.database == "first.db"
    assert DataFlow(DataFlowConfig("sqlite:///first.db")).config.database.database == "first.db"


def test_what_was_decided_is_logged_once_without_secrets(
    clean: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clean.setenv("DATAFLOW_POOL_SIZE", "3")
    with caplog.at_level(logging.INFO, "dataflow"), DataFlow() as db:
        db.model(User)
    messages = [record.getMessage() for record in caplog.records if record.name == "dataflow.engine"]
    assert any("in-memory SQLite" in message for message in messages)
    assert any("pool_size is 3" in message for message in messages)
    assert len(messages) == len(set(messages))


def test_its_options_reach_the_pool(file: Path) -> None:
    with open_file(file, pool_size=2, pool_max_overflow=1, pool_timeout=0.05) as db:
        pool = db.databases()["primary"].pool
        use(db)
        assert pool.idle <= 2


def test_databases_in_memory_are_apart() -> None:
    with DataFlow("sqlite:///:memory:") as one, DataFlow("sqlite:///:memory:") as other:
        for db in (one, other):
            db.model(User)
        one.run_sync(one.nodes.UserCreateNode(name="a"))
        assert other.run_sync(other.nodes.UserListNode())["count"] == 0
        assert one.run_sync(one.nodes.UserListNode())["count"] == 1


def test_a_database_in_memory_is_one_however_many_threads_use_it(db: DataFlow) -> None:
    db.model(User)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: db.run_sync(db.nodes.UserCreateNode(name=str(n))), range(40)))
    assert db.run_sync(db.nodes.UserListNode())["count"] == 40


def test_models_choose_their_database(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/main.db", analytics_db=f"sqlite:///{tmp_path}/facts.db") as db:
        db.model(User)

        @db.model
        class Event:
            name: str
            __dataflow__: ClassVar = {"database": "analytics"}

        db.run_sync(db.nodes.UserCreateNode(name="a"))
        db.run_sync(db.nodes.EventCreateNode(name="b"))
        assert db.list_models() == ["User", "Event"]
    with DataFlow(f"sqlite:///{tmp_path}/facts.db", existing_schema_mode=True) as facts:
        names = facts.run_sync(facts.nodes.SQLNode(sql="SELECT name FROM sqlite_master WHERE type = 'table'"))
        assert {row["name"] for row in names["records"]} == {"events", "sqlite_sequence"}


def test_it_shows_itself_without_its_secrets() -> None:
    with DataFlow("sqlite:///:memory:") as db:
        assert repr(db) == "DataFlow('sqlite:///:memory:')"


def test_the_nodes_of_its_models_can_be_listed_and_completed(db: DataFlow) -> None:
    db.model(User)
    assert "UserCreateNode" in dir(db.nodes)
    assert "SQLNode" in dir(db.nodes)
    assert repr(db.nodes.UserCreateNode) == "<UserCreateNode>"
    assert db.nodes.UserCreateNode.__name__ == "UserCreateNode"
    assert not hasattr(db.nodes, "UserExplodeNode")
    assert not hasattr(db.nodes, "__wrapped__")


def test_without_the_plugin_the_error_names_the_command(file: Path) -> None:
    program = (
        "from dataflow import DataFlow\n"
        "from dataflow.errors import MissingPlugin\n"
        "try:\n"
        "    DataFlow('sqlite:///x.db')\n"
        "except MissingPlugin as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "DATAFLOW_DISABLE_PLUGINS": "sqlite"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert "pip install dataflow-sqlite" in done.stdout
    assert "disabled: sqlite" in done.stdout
    assert issubclass(MissingPlugin, ConfigurationError)


def test_importing_it_imports_no_driver_and_nothing_slow() -> None:
    program = (
        "import sys, dataflow\n"
        "slow = {'sqlite3', 'aiosqlite', 'sqlglot', 'pluggy', 'asyncio', 'asyncpg', 'aiomysql'}\n"
        "print(sorted(slow & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_library_prints_nothing(capfd: pytest.CaptureFixture[str], file: Path) -> None:
    with open_file(file) as db:
        use(db)
    assert capfd.readouterr() == ("", "")
