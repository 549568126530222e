"""Many at once: threads, tasks, processes and loops on one database."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import DatabaseBusy, DataFlowError, PoolTimeout, WorkflowExecutionError
from dataflow.workflow.graph import Workflow

from .conftest import ON_SQLITE, on

Names = Callable[[], list[str]]


def increment(db: DataFlow) -> Workflow:
    """Reads a number, adds one outside the database and writes it back: the classic lost update."""
    builder = WorkflowBuilder(db)
    builder.add_node("ItemReadNode", "read", {"id": 1})
    builder.add_node(lambda amount: amount + 1, "add")
    builder.add_node("ItemUpdateNode", "write", {"id": 1})
    builder.add_connection("read", "amount", "add", "amount")
    builder.add_connection("add", "result", "write", "amount")
    return builder.build()


@on(*ON_SQLITE)  # others let writers overlap, and each may read before the other writes
def test_eight_threads_lose_no_update(db: DataFlow) -> None:
    db.run_sync(db.nodes.ItemCreateNode(name="counter"))
    workflow, runtime = increment(db), LocalRuntime()

    def work(_: int) -> None:
        for _ in range(60):
            runtime.execute(workflow)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert db.run_sync(db.nodes.ItemReadNode(id=1))["amount"] == 480


def test_five_hundred_tasks_lose_no_update_and_all_end(make_db: Any) -> None:
    db = make_db(pool_size=2, pool_max_overflow=1)
    db.run_sync(db.nodes.ItemCreateNode(name="counter"))
    workflow, runtime = increment(db), AsyncLocalRuntime()
    listing = WorkflowBuilder(db)
    listing.add_node("ItemListNode", "all")
    reading = listing.build()

    async def main() -> None:
        runs = [runtime.execute(workflow if number % 2 else reading) for number in range(500)]
        await asyncio.gather(*runs)

    asyncio.run(main())
    assert db.run_sync(db.nodes.ItemReadNode(id=1))["amount"] == 250


def test_threads_and_tasks_take_turns(make_db: Any) -> None:
    db = make_db(pool_size=1, pool_max_overflow=0)
    db.run_sync(db.nodes.ItemCreateNode(name="counter"))
    workflow = increment(db)

    async def tasks() -> None:
        await asyncio.gather(*(AsyncLocalRuntime().execute(workflow) for _ in range(25)))

    def thread(number: int) -> None:
        if number % 2:
            asyncio.run(tasks())
        else:
            for _ in range(25):
                LocalRuntime().execute(workflow)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(thread, range(4)))
    assert db.run_sync(db.nodes.ItemReadNode(id=1))["amount"] == 100


def test_runs_in_memory_queue() -> None:
    """One connection: a run that begins while another holds it waits for its end, and then sees all of it."""
    with DataFlow("sqlite:///:memory:") as db:
        _define(db)
        begun, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            begun.set()
            assert go_on.wait(5)

        writing = WorkflowBuilder(db)
        writing.add_node("ItemCreateNode", "one", {"name": "a"})
        writing.add_node(hold, "hold")
        writing.add_node("ItemCreateNode", "two", {"name": "b"})
        first = writing.build()
        with ThreadPoolExecutor(2) as threads:
            run = threads.submit(LocalRuntime().execute, first)
            assert begun.wait(5)
            count = threads.submit(db.run_sync, db.nodes.ItemListNode(count_only=True))
            time.sleep(0.05)
            assert not count.done()
            go_on.set()
            run.result(5)
            assert count.result(5)["count"] == 2


def _define(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        amount: int = 0


def test_readers_go_on_while_a_writer_holds_its_transaction(file_db: DataFlow) -> None:
    file_db.run_sync(file_db.nodes.ItemCreateNode(name="a"))
    seen: list[int] = []

    def read_elsewhere() -> None:
        with ThreadPoolExecutor(1) as thread:
            for _ in range(3):
                call = thread.submit(file_db.run_sync, file_db.nodes.ItemListNode(count_only=True))
                seen.append(call.result(2)["count"])

    builder = WorkflowBuilder(file_db)
    builder.add_node("ItemCreateNode", "write", {"name": "b"})
    builder.add_node(read_elsewhere, "read")
    LocalRuntime().execute(builder.build())
    assert seen == [1, 1, 1]
    assert file_db.run_sync(file_db.nodes.ItemListNode(count_only=True))["count"] == 2


def test_a_reading_run_sees_one_state_from_its_first_statement_to_its_last(file_db: DataFlow) -> None:
    """Two lists of one run agree, though somebody else commits between them."""
    file_db.run_sync(file_db.nodes.ItemCreateNode(name="a"))
    slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT max(i) AS i FROM n"
    builder = WorkflowBuilder(file_db)
    builder.add_node("ItemListNode", "before", {"count_only": True})
    builder.add_node("SQLNode", "slow", {"sql": slow})
    builder.add_node("ItemListNode", "after", {"count_only": True})
    workflow = builder.build()
    assert not workflow.writes
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            file_db.run_sync(file_db.nodes.ItemCreateNode(name="b"))
            time.sleep(0.002)

    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write)
        counts = []
        for _ in range(3):
            results, _ = LocalRuntime().execute(workflow)
            counts.append(results["before"]["count"])
            assert results["before"]["count"] == results["after"]["count"]
        over.set()
        writing.result(5)
    assert counts[-1] > 1


def test_a_writer_that_waits_too_long_is_told_so(file_db: DataFlow, make_db: Any) -> None:
    db = make_db(pool_timeout=0.1)
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        db.run_sync(db.nodes.ItemCreateNode(name="a"))
        begun.set()
        assert go_on.wait(5)

    builder = WorkflowBuilder(db)
    builder.add_node(hold, "hold")
    workflow = builder.build()
    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(LocalRuntime().execute, workflow)
        assert begun.wait(5)
        with pytest.raises((PoolTimeout, DatabaseBusy), match=r"0\.1 s"):
            db.run_sync(db.nodes.ItemCreateNode(name="b"))

        async def awaited() -> None:
            await db.nodes.ItemCreateNode(name="b")

        with pytest.raises((PoolTimeout, DatabaseBusy), match=r"0\.1 s"):
            asyncio.run(awaited())
        go_on.set()
        run.result(5)
    assert db.run_sync(db.nodes.ItemCreateNode(name="c"))["id"] == 2


@pytest.mark.parametrize("url", [None, "sqlite:///:memory:"])
def test_a_pool_timeout_says_who_holds_the_connections(url: str | None, make_db: Any) -> None:
    db = make_db(url, pool_size=1, pool_max_overflow=0, pool_timeout=0.2)

    async def main() -> None:
        holding, go_on = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            await db.nodes.ItemListNode()
            holding.set()
            await go_on.wait()

        builder = WorkflowBuilder(db)
        builder.add_node(hold, "hold")
        run = asyncio.create_task(AsyncLocalRuntime().execute(builder.build()))
        await holding.wait()
        started = time.perf_counter()
        with pytest.raises(PoolTimeout) as caught:
            await db.nodes.ItemListNode()
        assert 0.1 < time.perf_counter() - started < 2
        go_on.set()
        _, run_id = await run
        assert run_id in str(caught.value)
        assert "pool_timeout" in str(caught.value)
        async with db.transaction():
            await db.nodes.ItemListNode()
            with pytest.raises(PoolTimeout, match="a transaction for 0"):
                await asyncio.to_thread(_fresh_thread, lambda: db.run_sync(db.nodes.ItemListNode()))
        await db.nodes.ItemListNode()

    asyncio.run(main())


def _fresh_thread(work: Callable[[], object]) -> None:
    """In a thread without the context of this one, and so in no transaction."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result(5)


def test_who_waits_is_served_in_turn(make_db: Any) -> None:
    db = make_db(pool_size=1, pool_max_overflow=0)
    db.run_sync(db.nodes.ItemCreateNode(name="a"))
    order: list[int] = []

    async def main() -> None:
        holding, go_on = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with db.transaction():
                await db.nodes.ItemListNode()
                holding.set()
                await go_on.wait()

        async def wait(number: int) -> None:
            await db.nodes.ItemListNode()
            order.append(number)

        first = asyncio.create_task(hold())
        await holding.wait()
        waiting = [asyncio.create_task(wait(number)) for number in range(20)]
        await asyncio.sleep(0.02)
        go_on.set()
        await asyncio.gather(first, *waiting)

    asyncio.run(main())
    assert order == list(range(20))


def test_a_failed_run_gives_its_connection_and_its_turn_back(make_db: Any) -> None:
    db = make_db(pool_size=1, pool_max_overflow=0, pool_timeout=1)
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "make", {"name": "a"})
    builder.add_node(lambda: 1 / 0, "boom")
    workflow = builder.build()
    for _ in range(20):
        with pytest.raises(WorkflowExecutionError):
            LocalRuntime().execute(workflow)
        with pytest.raises(WorkflowExecutionError):
            asyncio.run(AsyncLocalRuntime().execute(workflow))
    assert db.run_sync(db.nodes.ItemListNode())["count"] == 0


@pytest.mark.parametrize("url", [None, "sqlite:///:memory:"])
def test_the_first_use_by_many_at_once_prepares_once(url: str | None, make_db: Any) -> None:
    db = make_db(url)
    ready = threading.Barrier(8)

    def first_use(number: int) -> None:
        ready.wait(5)
        db.run_sync(db.nodes.ItemCreateNode(name=f"n{number}"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(first_use, range(8)))
    assert db.run_sync(db.nodes.ItemListNode())["count"] == 8


def test_two_database_objects_write_the_same_file(make_db: Any) -> None:
    one, two = make_db(), make_db()
    one.run_sync(one.nodes.ItemCreateNode(name="counter"))
    workflows = [increment(db) for db in (one, two)]

    def work(number: int) -> None:
        for _ in range(50):
            LocalRuntime().execute(workflows[number % 2])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert two.run_sync(two.nodes.ItemReadNode(id=1))["amount"] == 200


PROCESS = dedent(
    """
    import sys
    from dataflow import DataFlow, LocalRuntime, WorkflowBuilder

    with DataFlow(sys.argv[1]) as db:
        @db.model
        class Item:
            name: str
            amount: int = 0
            code: str | None = None
            __dataflow__ = {"timestamps": False}

        builder = WorkflowBuilder(db)
        builder.add_node("ItemReadNode", "read", {"id": 1})
        builder.add_node(lambda amount: amount + 1, "add")
        builder.add_node("ItemUpdateNode", "write", {"id": 1})
        builder.add_connection("read", "amount", "add", "amount")
        builder.add_connection("add", "result", "write", "amount")
        workflow = builder.build()
        for _ in range(100):
            LocalRuntime().execute(workflow)
            db.run_sync(db.nodes.ItemCreateNode(name=sys.argv[2]))
    """
)


def test_two_processes_write_the_same_file(file_db: DataFlow, file: Path) -> None:
    file_db.run_sync(file_db.nodes.ItemCreateNode(name="counter"))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, f"sqlite:///{file}", name], stderr=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    assert file_db.run_sync(file_db.nodes.ItemReadNode(id=1))["amount"] == 200
    assert file_db.run_sync(file_db.nodes.ItemListNode(count_only=True))["count"] == 201


FORK = dedent(
    """
    import os, sys, traceback
    from dataflow import DataFlow, LocalRuntime, WorkflowBuilder

    db = DataFlow(sys.argv[1], pool_timeout=3)

    @db.model
    class Item:
        name: str

    def make(name):
        return db.run_sync(db.nodes.ItemCreateNode(name=name))

    def names():
        return [row["name"] for row in db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]]

    def child(work):
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def wait(pid):
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    """
)


def run_script(script: str, *arguments: object) -> str:
    process = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.stderr == ""
    assert process.returncode == 0
    return process.stdout


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@needs_fork
def test_a_forked_child_gets_connections_of_its_own(file: Path) -> None:
    script = FORK + dedent(
        """
        make("parent")
        def work():
            assert names() == ["parent"]
            make("child")
            assert names() == ["parent", "child"]
        wait(child(work))
        make("parent again")
        wait(child(lambda: make("second child")))
        assert names() == ["parent", "child", "parent again", "second child"], names()
        db.run_sync(db.nodes.SQLNode(sql="SELECT 1 AS one"))
        with db:
            pass
        """
    )
    run_script(script, f"sqlite:///{file}")


@needs_fork
def test_a_child_that_was_forked_while_a_run_was_open_is_not_in_that_run(file: Path) -> None:
    """The child neither waits for a turn that only the parent holds, nor ends the parent's transaction."""
    script = FORK + dedent(
        """
        make("first")
        pids = []
        def fork_inside():
            make("in the run")
            def work():
                import contextvars
                assert contextvars.Context().run(names) == ["first"], contextvars.Context().run(names)
            pids.append(child(work))
            wait(pids[0])
        builder = WorkflowBuilder(db)
        builder.add_node(fork_inside, "fork")
        LocalRuntime().execute(builder.build())
        assert names() == ["first", "in the run"]
        def later():
            make("child")
        wait(child(later))
        assert names() == ["first", "in the run", "child"]
        with db:
            pass
        """
    )
    run_script(script, f"sqlite:///{file}")


@needs_fork
def test_a_child_that_was_forked_while_another_thread_wrote_can_write(file: Path) -> None:
    """The writer's turn that a thread of the parent held does not exist in the child."""
    script = FORK + dedent(
        """
        import threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        make("first")
        begun, go_on = threading.Event(), threading.Event()
        def hold():
            begun.set()
            go_on.wait(10)
        builder = WorkflowBuilder(db)
        builder.add_node(hold, "hold")
        builder.add_node("ItemCreateNode", "make", {"name": "thread"})
        workflow = builder.build()
        thread = threading.Thread(target=LocalRuntime().execute, args=(workflow,))
        thread.start()
        begun.wait(10)
        wait(child(lambda: make("child")))
        go_on.set()
        thread.join()
        assert sorted(names()) == ["child", "first", "thread"], names()
        with db:
            pass
        """
    )
    run_script(script, f"sqlite:///{file}")


@needs_fork
def test_what_a_child_writes_survives_the_parent_closing_first(file: Path) -> None:
    """SQLite deletes the log when it believes that nobody else has the file open; the child must count."""
    script = FORK + dedent(
        """
        make("parent")
        read, write = os.pipe()
        closed_read, closed_write = os.pipe()
        def work():
            make("child before")
            os.write(write, b"x")
            os.read(closed_read, 1)
            make("child after")
            assert names() == ["parent", "child before", "child after"], names()
        pid = child(work)
        os.read(read, 1)
        with db:
            pass
        os.write(closed_write, b"x")
        wait(pid)
        """
    )
    run_script(script, f"sqlite:///{file}")
    with DataFlow(f"sqlite:///{file}") as db:

        @db.model
        class Item:
            name: str

        rows = db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]
        assert [row["name"] for row in rows] == ["parent", "child before", "child after"]


def test_a_closed_database_says_so(db: DataFlow) -> None:
    call = db.nodes.ItemListNode()
    builder = WorkflowBuilder(db)
    builder.add_node("ItemListNode", "all")
    workflow = builder.build()
    db.run_sync(call)
    with db:
        pass
    with pytest.raises(DataFlowError, match="closed"):
        db.run_sync(call)
    with pytest.raises(DataFlowError, match="closed"):
        LocalRuntime().execute(workflow)

    async def main() -> None:
        with pytest.raises(DataFlowError, match="closed"):
            await call
        with pytest.raises(DataFlowError, match="closed"):
            await AsyncLocalRuntime().execute(workflow)
        with pytest.raises(DataFlowError, match="closed"):
            async with db.transaction():
                await call

    asyncio.run(main())
