"""The end of a database object: no thread, no task, no open file, no word on stderr, however it comes about."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import DataFlowError, WorkflowBuildError

PRELUDE = dedent(
    """
    import asyncio, gc, logging, os, sys, threading
    from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder

    # Its debug mode complains of slow steps, such as imports on a busy machine.
    logging.getLogger("asyncio").setLevel(logging.ERROR)

    def make_db(**options):
        db = DataFlow(sys.argv[1], **options)

        @db.model
        class Item:
            name: str

        return db

    def workflow(db, function=lambda: None):
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "make", {"name": "a"})
        builder.add_node(function, "function")
        builder.add_node("ItemListNode", "all")
        return builder.build()

    async def nothing():
        await asyncio.sleep(0)

    def use_sync(db):
        LocalRuntime().execute(workflow(db))
        LocalRuntime().execute(workflow(db, nothing))
        db.run_sync(db.nodes.ItemCreateNode(name="b"))

    async def use_async(db):
        await AsyncLocalRuntime().execute(workflow(db))
        await asyncio.gather(*(db.nodes.ItemListNode() for _ in range(8)))
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="b")

    def left():
        threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        folder = os.path.dirname(sys.argv[1].removeprefix("sqlite:///"))
        files = []
        if os.path.isdir("/proc/self/fd") and folder:
            for fd in os.listdir("/proc/self/fd"):
                try:
                    target = os.readlink(f"/proc/self/fd/{fd}")
                except OSError:
                    continue
                if target.startswith(folder):
                    files.append(target)
        return threads + files

    def check():
        assert left() == [], left()
    """
)

# Each of these looks at what it leaves, so that one process can try them all.
CLOSING = {
    "close": """
        db = make_db()
        use_sync(db)
        asyncio.run(use_async(db))
        asyncio.run(db.close())
        check()
    """,
    "close within the loop": """
        db = make_db()
        async def main():
            await use_async(db)
            await db.close()
            check()
        asyncio.run(main())
        check()
    """,
    "with": """
        with make_db() as db:
            use_sync(db)
        check()
    """,
    "async with": """
        async def main():
            async with make_db() as db:
                await use_async(db)
                use_sync(db)
            check()
        asyncio.run(main())
        check()
    """,
    "started and closed": """
        async def main():
            db = make_db()
            await db.start()
            await db.close()
            await db.close()
        asyncio.run(main())
        check()
    """,
    "never used": """
        db = make_db()
        workflow(db)
        check()
    """,
    "forget inside the loop": """
        async def main():
            db = make_db()
            await use_async(db)
        asyncio.run(main())
        check()
    """,
    "garbage": """
        gc.disable()
        db = make_db()
        use_sync(db)
        del db
        check()
    """,
    "garbage after asyncio.run": """
        db = make_db()
        asyncio.run(use_async(db))
        del db
        gc.collect()
        for thread in threading.enumerate():
            if thread is not threading.main_thread():
                thread.join(5)
        check()
    """,
    "garbage while a workflow lives on": """
        db = make_db()
        kept = workflow(db)
        LocalRuntime().execute(kept)
        del db
        LocalRuntime().execute(kept)
        del kept
        gc.collect()
        check()
    """,
    "a task is still running when the loop ends": """
        db = make_db()
        async def main():
            began = asyncio.Event()
            async def forever():
                while True:
                    await AsyncLocalRuntime().execute(workflow(db))
                    began.set()
            task = asyncio.create_task(forever())
            await began.wait()
        asyncio.run(main())
        asyncio.run(db.close())
        check()
    """,
    "many loops": """
        db = make_db()
        for _ in range(5):
            asyncio.run(use_async(db))
        asyncio.run(db.close())
        check()
    """,
}

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

# These end with the process.
ENDING = {
    "forget after asyncio.run": """
        db = make_db()
        asyncio.run(use_async(db))
    """,
    "forget several": """
        one, two = make_db(), make_db()
        use_sync(one)
        asyncio.run(use_async(two))
    """,
    "sys.exit in a loop": """
        db = make_db()
        async def main():
            await use_async(db)
            sys.exit(0)
        asyncio.run(main())
    """,
    "a daemon thread is still running": """
        db = make_db()
        use_sync(db)
        def forever():
            while True:
                db.run_sync(db.nodes.ItemListNode())
        threading.Thread(target=forever, daemon=True).start()
    """,
}


def run(case: str, *arguments: str, timeout: float = 30) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + dedent(case), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_a_database_that_is_closed_or_let_go_leaves_nothing(file: Path) -> None:
    driver = """
        import shutil, traceback
        cases, folder = json.loads(sys.argv[2]), sys.argv[1]
        for number, (name, code) in enumerate(cases.items()):
            place = f"{folder}{number}"
            os.mkdir(place)
            sys.argv[1] = f"sqlite:///{place}/shop.db"
            try:
                exec(code, {**globals()})
                gc.collect()
                assert set(os.listdir(place)) <= {"shop.db"}, os.listdir(place)
            except BaseException:
                print(f"--- {name}", file=sys.stderr)
                traceback.print_exc()
    """
    cases = {name: dedent(code) for name, code in CLOSING.items()}
    process = run("import json\n" + dedent(driver), str(file), json.dumps(cases))
    assert process.stderr == ""
    assert process.returncode == 0


CRASHES = {
    "script": """
        db = make_db()
        use_sync(db)
        raise ValueError("the end")
    """,
    "async with": """
        async def main():
            async with make_db() as db:
                await use_async(db)
                raise ValueError("the end")
        asyncio.run(main())
    """,
    "transaction": """
        db = make_db()
        async def main():
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="x")
                raise ValueError("the end")
        asyncio.run(main())
    """,
}

KILLED = """
    db = make_db()
    use_sync(db)
    LocalRuntime().execute(workflow(db, lambda: os._exit(7)))
"""
IN_MEMORY = CLOSING["with"] + CLOSING["garbage"] + ENDING["forget several"]
PROGRAMS = {**ENDING, **CRASHES, "killed": KILLED, "in memory": IN_MEMORY}


class Ended(NamedTuple):
    """How a program ended, and its database."""

    status: int
    stderr: str
    file: Path


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Every program, run to its end in a process of its own: a fork of one that has imported all they need."""
    driver = """
        import importlib.metadata, json, signal, sqlglot, sqlite3
        cases, folder, statuses = json.loads(sys.argv[2]), sys.argv[1], {}
        sys.argv[1] = "sqlite:///:memory:"
        for name, case in cases.items():
            pid = os.fork()
            if pid == 0:
                signal.alarm(15)  # no program takes nearly as long, unless it hangs
                place = os.path.join(folder, name)
                os.dup2(os.open(f"{place}.stderr", os.O_CREAT | os.O_WRONLY), 2)
                if name != "in memory":
                    sys.argv[1] = f"sqlite:///{place}/shop.db"
                break
            statuses[name] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        else:
            case = "print(json.dumps(statuses))"
        exec(case)
    """
    folder = tmp_path_factory.mktemp("ended")
    for name in PROGRAMS:
        (folder / name).mkdir()
    cases = {name: dedent(code) for name, code in PROGRAMS.items()}
    process = run(driver, str(folder), json.dumps(cases), timeout=90)
    assert process.stderr == ""
    statuses = json.loads(process.stdout)
    return {
        name: Ended(statuses[name], (folder / f"{name}.stderr").read_text(), folder / name / "shop.db")
        for name in PROGRAMS
    }


@needs_fork
@pytest.mark.parametrize("case", [*ENDING, "in memory"])
def test_a_program_ends_without_a_word(case: str, ended: dict[str, Ended]) -> None:
    status, stderr, file = ended[case]
    assert stderr == ""
    assert status == 0
    if case not in ("a daemon thread is still running", "in memory"):
        assert [path.name for path in file.parent.iterdir()] == [file.name]


@needs_fork
@pytest.mark.parametrize("case", CRASHES)
def test_a_program_that_crashes_says_only_why(case: str, ended: dict[str, Ended]) -> None:
    status, stderr, _ = ended[case]
    assert status == 1
    assert stderr.startswith("Traceback")
    assert stderr.endswith("ValueError: the end\n")
    assert stderr.count("Traceback") == 1
    assert "Warning" not in stderr


@needs_fork
def test_a_program_that_is_killed_loses_nothing_that_was_committed(ended: dict[str, Ended]) -> None:
    status, stderr, file = ended["killed"]
    assert status == 7
    assert stderr == ""
    with DataFlow(f"sqlite:///{file}") as db:
        found = db.run_sync(db.nodes.SQLNode(sql="SELECT name FROM items ORDER BY id"))
    assert [row["name"] for row in found["records"]] == ["a", "a", "b"]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


# In this process


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dataflow")]


def open_files(file: Path) -> list[str]:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not tell which files are open")
    names = []
    for descriptor in folder.iterdir():
        try:
            names.append(os.readlink(descriptor))
        except OSError:
            continue
    return [name for name in names if name.startswith(str(file))]


def test_close_ends_threads_and_files_at_once(make_db: Any, file: Path) -> None:
    db = make_db()

    async def main() -> None:
        await asyncio.gather(*(db.nodes.ItemListNode() for _ in range(10)))
        assert threads()
        assert open_files(file)
        await db.close()
        assert not threads()
        assert not open_files(file)

    asyncio.run(main())
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]


def test_what_runs_when_it_is_closed_ends_well_and_then_all_is_gone(make_db: Any, file: Path) -> None:
    db = make_db()

    async def main() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            begun.set()
            await go_on.wait()

        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "before", {"name": "a"})
        builder.add_node(hold, "hold")
        builder.add_node("ItemCreateNode", "after", {"name": "b"})
        builder.add_connection("before", "hold")
        builder.add_connection("hold", "after")
        run = asyncio.create_task(AsyncLocalRuntime().execute(builder.build()))
        await begun.wait()
        await db.close()
        with pytest.raises(DataFlowError, match="closed"):
            await db.nodes.ItemListNode()
        go_on.set()
        results, _ = await run
        assert results["after"]["name"] == "b"
        assert not threads()
        assert not open_files(file)

    asyncio.run(main())


def test_a_function_of_a_run_may_close_the_database(make_db: Any, file: Path) -> None:
    """Odd, but it must neither hang nor leave a thread."""
    db = make_db()

    def close() -> None:
        with db:
            pass

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "make", {"name": "a"})
    builder.add_node(close, "close")
    workflow = builder.build()
    asyncio.run(AsyncLocalRuntime().execute(workflow))
    assert not threads()
    assert not open_files(file)


def test_closing_twice_and_in_every_way_is_fine(make_db: Any) -> None:
    db = make_db()
    db.run_sync(db.nodes.ItemListNode())
    with db, db:
        pass
    asyncio.run(db.close())
    asyncio.run(db.close())


def test_a_close_that_comes_before_the_first_use(make_db: Any, file: Path) -> None:
    db = make_db()
    asyncio.run(db.close())
    with pytest.raises(DataFlowError, match="closed"):
        db.run_sync(db.nodes.ItemListNode())
    with pytest.raises(DataFlowError, match="closed"):
        asyncio.run(db.start())
    assert not file.exists()


USES: dict[str, Callable[[DataFlow], object]] = {
    "run_sync": lambda db: db.run_sync(db.nodes.ItemListNode()),
    "await": lambda db: asyncio.run(_await(db)),
    "start": lambda db: asyncio.run(db.start()),
    "transaction": lambda db: asyncio.run(_transaction(db)),
    "run": lambda db: LocalRuntime().execute(_workflow(db)),
    "run on a loop": lambda db: asyncio.run(AsyncLocalRuntime().execute(_workflow(db))),
    "async with": lambda db: asyncio.run(_enter(db)),
}


@pytest.mark.parametrize("use", USES)
def test_use_after_close_says_what_happened_and_what_to_do(use: str, make_db: Any) -> None:
    db = make_db()
    db.run_sync(db.nodes.ItemListNode())
    with db:
        pass
    with pytest.raises(DataFlowError, match=r"closed.*DataFlow"):
        USES[use](db)
    assert not threads()


async def _await(db: DataFlow) -> None:
    await db.nodes.ItemListNode()


async def _transaction(db: DataFlow) -> None:
    async with db.transaction():
        await db.nodes.ItemListNode()


async def _enter(db: DataFlow) -> None:
    async with db:
        pass


def _workflow(db: DataFlow) -> Any:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemListNode", "all")
    return builder.build()


def test_a_closed_database_is_not_looked_into_for_nodes(make_db: Any) -> None:
    db = make_db()
    with db:
        pass
    builder = WorkflowBuilder()
    builder.add_node("ItemListNode", "all")
    with pytest.raises(WorkflowBuildError, match="ItemListNode"):
        builder.build()


def test_an_error_inside_the_block_arrives_as_itself(make_db: Any) -> None:
    with pytest.raises(KeyError, match="mine"), make_db():
        raise KeyError("mine")

    async def main() -> None:
        async with make_db():
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(main())


def test_start_connects_and_makes_the_tables(make_db: Any, file: Path) -> None:
    db = make_db()
    assert not file.exists()

    async def main() -> None:
        async with db:
            assert file.exists()
            await db.nodes.ItemListNode()

    asyncio.run(main())
    assert not open_files(file)
