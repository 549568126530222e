"""Cancellation and interrupts: wherever they come, nothing stays, nothing is held, and the next run works."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import WorkflowExecutionError
from dataflow.workflow.graph import Workflow

Names = Callable[[], list[str]]

# Runs for many seconds inside SQLite, as one statement.
ENDLESS = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000000)"
    " SELECT max(i) AS i FROM n"
)


@pytest.fixture(params=["file", "memory"])
def db(request: pytest.FixtureRequest, make_db: Any) -> DataFlow:
    """A small pool, so that whatever is not given back is missed at once."""
    url = None if request.param == "file" else "sqlite:///:memory:"
    db: DataFlow = make_db(url, pool_size=1, pool_max_overflow=0, pool_timeout=2)
    db.run_sync(db.nodes.ItemListNode())
    return db


def works(db: DataFlow) -> None:
    """A write and a read, from a loop and from a thread, as if nothing had been."""

    async def on_loop() -> None:
        async with asyncio.timeout(3):
            async with db.transaction():
                made = await db.nodes.ItemCreateNode(name="probe")
            assert (await db.nodes.ItemDeleteNode(id=made["id"]))["deleted"] == 1

    asyncio.run(on_loop())
    made = db.run_sync(db.nodes.ItemCreateNode(name="probe"))
    assert db.run_sync(db.nodes.ItemDeleteNode(id=made["id"]))["deleted"] == 1


def cancelled_after(delay: float, work: Callable[[], Awaitable[object]]) -> tuple[bool, float]:
    """Cancel work after some seconds: whether it was in time, and how long the end took."""

    async def main() -> tuple[bool, float]:
        async def run() -> None:
            await work()

        task = asyncio.create_task(run())
        await asyncio.sleep(delay)
        asked = time.perf_counter()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return True, time.perf_counter() - asked
        return False, time.perf_counter() - asked

    return asyncio.run(main())


def mixed(db: DataFlow) -> Workflow:
    """Writes in every place in which a step can run: beside the database, in a thread, on the loop."""

    def sync_write(id: int) -> int:
        db.run_sync(db.nodes.ItemCreateNode(name="sync"))
        return id

    async def async_write(id: int) -> int:
        await asyncio.sleep(0)
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="async")
        await asyncio.sleep(0)
        return id

    builder = WorkflowBuilder(db)
    builder.add_node(lambda: time.sleep(0.001), "before")
    builder.add_node("ItemBulkCreateNode", "many", {"data": [{"name": "many"}] * 20, "batch_size": 5})
    builder.add_node("ItemCreateNode", "one", {"name": "one"})
    builder.add_node(sync_write, "sync")
    builder.add_node(async_write, "async")
    builder.add_node("ItemUpdateNode", "last", {"updates": {"name": "last"}})
    builder.add_connection("before", "many")
    builder.add_connection("one", "id", "sync", "id")
    builder.add_connection("sync", "result", "async", "id")
    builder.add_connection("async", "result", "last", "id")
    return builder.build()


def scopes(db: DataFlow) -> Workflow:
    """The same number of writes, in a scope and in one within it."""

    async def async_write() -> None:
        await asyncio.sleep(0)
        await db.nodes.ItemCreateNode(name="async")

    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "outer", {"timeout": 60, "isolation_level": "SERIALIZABLE"})
    builder.add_node("ItemBulkCreateNode", "many", {"data": [{"name": "many"}] * 20, "batch_size": 5})
    builder.add_node("TransactionContextNode", "inner", {"timeout": 60})
    builder.add_node("ItemCreateNode", "one", {"name": "one"})
    builder.add_node(async_write, "async")
    builder.add_node("ItemCreateNode", "last", {"name": "last"})
    for one, two in pairwise(("outer", "many", "inner", "one", "async")):
        builder.add_connection(one, two)
    builder.add_connection("inner", "last", condition="status == 'success'")
    return builder.build()


ALL_OF_IT = 23


class Step(Coroutine[Any, Any, Any]):
    """Steps a coroutine like a task does, but throws a cancellation in at the n-th time that it waits."""

    def __init__(self, work: Coroutine[Any, Any, Any], at: int) -> None:
        self._work, self._left, self.reached = work, at, False

    def send(self, value: Any) -> Any:
        future = self._work.send(value)
        self._left -= 1
        if self._left == 0:
            self.reached = True
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)
        return future

    def throw(self, *error: Any) -> Any:
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("make", [mixed, scopes])
@pytest.mark.parametrize("concurrency", [1, 3])
def test_cancelled_at_each_await_it_is_all_or_nothing(
    make: Callable[[DataFlow], Workflow], concurrency: int, db: DataFlow, names: Names
) -> None:
    """The run waits some dozen times; it is cancelled once at each of them."""
    workflow = make(db)

    async def main(at: int) -> tuple[bool, bool]:
        work = Step(AsyncLocalRuntime(concurrency).execute(workflow), at)
        try:
            await asyncio.get_running_loop().create_task(work)
        except asyncio.CancelledError:
            return work.reached, True
        return work.reached, False

    committed = cancelled = 0
    for at in range(1, 100):
        reached, was_cancelled = asyncio.run(main(at))
        if not reached:
            break
        cancelled += was_cancelled
        found = len(names())
        assert (found - committed) in (0, ALL_OF_IT), f"cancelled at await {at}: a part of it stayed"
        if not was_cancelled:
            assert found - committed == ALL_OF_IT
        committed = found
    else:
        pytest.fail("the run never ended without reaching its last await")
    assert cancelled >= 4
    works(db)


def test_cancelled_at_any_moment_it_is_all_or_nothing(db: DataFlow, names: Names) -> None:
    workflow = mixed(db)
    seed = random.Random(7)
    before = 0
    for _ in range(80):
        cancelled, _ = cancelled_after(
            seed.uniform(0, 0.008), lambda: AsyncLocalRuntime(seed.choice([1, 3])).execute(workflow)
        )
        after = len(names())
        assert after - before in (0, ALL_OF_IT)
        assert cancelled or after - before == ALL_OF_IT
        before = after
    works(db)


def test_a_direct_call_and_a_transaction_cancelled_at_any_moment_are_all_or_nothing(
    db: DataFlow, names: Names
) -> None:
    rows = [{"name": f"n{number}"} for number in range(10)]

    async def transaction() -> None:
        async with db.transaction():
            for row in rows:
                await db.nodes.ItemCreateNode(**row)

    async def call() -> None:
        await db.nodes.ItemBulkCreateNode(data=rows, batch_size=1)

    seed = random.Random(8)
    before = 0
    for number in range(80):
        cancelled_after(seed.uniform(0, 0.003), call if number % 2 else transaction)
        after = len(names())
        assert after - before in (0, 10)
        before = after
    works(db)


def sql(db: DataFlow, text: str) -> Callable[[], Awaitable[object]]:
    async def call() -> None:
        await db.nodes.SQLNode(sql=text)

    return call


def endless_run(db: DataFlow, *, before: str) -> Workflow:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": before})
    builder.add_node("SQLNode", "endless", {"sql": ENDLESS})
    return builder.build()


def test_a_long_statement_is_interrupted_promptly(db: DataFlow, names: Names) -> None:
    cancelled, took = cancelled_after(0.1, sql(db, ENDLESS))
    assert cancelled
    assert took < 1
    works(db)


def test_a_long_statement_in_a_run_is_interrupted_and_the_run_undone(db: DataFlow, names: Names) -> None:
    cancelled, took = cancelled_after(
        0.1, lambda: AsyncLocalRuntime().execute(endless_run(db, before="gone"))
    )
    assert cancelled
    assert took < 1
    assert names() == []
    works(db)


def test_a_long_statement_that_writes_is_interrupted_and_undone(db: DataFlow, names: Names) -> None:
    text = f"INSERT INTO items (name, amount) SELECT 'gone', i FROM ({ENDLESS.replace('max(i) AS i', 'i')})"

    async def work() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="gone too")
            await db.nodes.SQLNode(sql=text)

    cancelled, took = cancelled_after(0.1, work)
    assert cancelled
    assert took < 2
    assert names() == []
    works(db)


@pytest.mark.parametrize("kind", ["call", "first", "after a write", "async function"])
def test_a_long_statement_in_a_function_is_interrupted(kind: str, db: DataFlow, names: Names) -> None:
    """Wherever the function runs, cancelling the run does not wait for the statement's own end."""

    async def endless_async() -> None:
        await db.nodes.ItemCreateNode(name="gone")
        await db.nodes.SQLNode(sql=ENDLESS)

    def endless() -> None:
        db.run_sync(db.nodes.SQLNode(sql=ENDLESS))

    builder = WorkflowBuilder(db)
    if kind == "after a write":
        builder.add_node("ItemCreateNode", "one", {"name": "gone"})
    if kind == "call":
        builder.add_node("SQLNode", "endless", {"sql": ENDLESS})
    else:
        builder.add_node(endless_async if kind == "async function" else endless, "endless")
    workflow = builder.build()
    cancelled, took = cancelled_after(0.1, lambda: AsyncLocalRuntime().execute(workflow))
    assert cancelled
    assert took < 1
    assert names() == []
    works(db)


def test_a_statement_is_interrupted_however_early_the_cancellation_comes(db: DataFlow) -> None:
    """Between the check and the statement there is a gap: an interrupt that falls into it must not be lost."""
    seed = random.Random(9)
    slowest = 0.0
    for _ in range(60):
        _, took = cancelled_after(seed.uniform(0, 0.001), sql(db, ENDLESS))
        slowest = max(slowest, took)
    assert slowest < 1
    works(db)


def test_a_function_that_goes_on_after_its_run_was_cancelled_writes_nothing(
    db: DataFlow, names: Names
) -> None:
    """A thread cannot be stopped: its run waits for it, or its transaction is over; either way nothing stays."""
    begun, go_on = threading.Event(), threading.Event()

    def stubborn() -> None:
        begun.set()
        go_on.wait(5)
        db.run_sync(db.nodes.ItemCreateNode(name="late"))

    builder = WorkflowBuilder(db)
    builder.add_node(stubborn, "stubborn")
    workflow = builder.build()

    async def main() -> None:
        task = asyncio.create_task(AsyncLocalRuntime().execute(workflow))
        await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        await asyncio.sleep(0.05)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert names() == []
    works(db)


def holding(db: DataFlow) -> tuple[Callable[[], Coroutine[Any, Any, None]], Callable[[], None]]:
    """Somebody who holds the only connection and the turn to write until told otherwise."""
    release: list[asyncio.Event] = []

    async def hold() -> None:
        release.append(asyncio.Event())
        async with db.transaction():
            await db.nodes.ItemListNode()
            await release[-1].wait()

    return hold, lambda: release[-1].set()


@pytest.mark.parametrize("kind", ["read", "write", "transaction", "run"])
def test_cancelled_while_it_waits_for_its_turn_it_takes_nobody_elses(
    kind: str, db: DataFlow, names: Names
) -> None:
    hold, release = holding(db)
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "make", {"name": "gone"})
    workflow = builder.build()

    async def wait() -> None:
        match kind:
            case "read":
                await db.nodes.ItemListNode()
            case "write":
                await db.nodes.ItemCreateNode(name="gone")
            case "transaction":
                async with db.transaction():
                    await db.nodes.ItemCreateNode(name="gone")
            case "run":
                await AsyncLocalRuntime().execute(workflow)

    async def main() -> None:
        holder = asyncio.create_task(hold())
        await asyncio.sleep(0.03)
        waiting = [asyncio.create_task(wait()) for _ in range(5)]
        survivor = asyncio.create_task(db.nodes.ItemCreateNode(name="survivor")._run(blocking=False))
        await asyncio.sleep(0.03)
        for task in waiting:
            assert not task.done()
            task.cancel()
        assert all(
            isinstance(o, asyncio.CancelledError)
            for o in await asyncio.gather(*waiting, return_exceptions=True)
        )
        release()
        async with asyncio.timeout(2):
            await holder
            await survivor

    asyncio.run(main())
    assert names() == ["survivor"]
    works(db)


def test_cancelled_in_the_moment_in_which_its_turn_comes(db: DataFlow) -> None:
    """The permit may be granted and the task cancelled in the same step of the loop."""
    hold, release = holding(db)

    async def main(*, release_first: bool) -> None:
        holder = asyncio.create_task(hold())
        await asyncio.sleep(0.01)
        waiting = [asyncio.create_task(db.nodes.ItemListNode()._run(blocking=False)) for _ in range(3)]
        await asyncio.sleep(0.01)
        if release_first:
            release()
            while not holder.done():
                await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[1].cancel()
        release()
        async with asyncio.timeout(2):
            await asyncio.gather(holder, *waiting, return_exceptions=True)
            assert waiting[2].exception() is None

    for number in range(20):
        asyncio.run(main(release_first=bool(number % 2)))
    works(db)


def test_cancelled_twice(db: DataFlow, names: Names) -> None:
    workflow = endless_run(db, before="gone")

    async def main(pause: float) -> None:
        task = asyncio.create_task(AsyncLocalRuntime().execute(workflow))
        await asyncio.sleep(0.02)
        for _ in range(4):
            task.cancel()
            await asyncio.sleep(pause)
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.timeout(2):
                await task
        assert task.cancelled()

    for pause in (0.0, 0.0005, 0.002, 0.0, 0.0005, 0.002):
        asyncio.run(main(pause))
    assert names() == []
    works(db)


def test_cancelled_while_it_connects_and_makes_the_tables(make_db: Any, file: Path) -> None:
    seed = random.Random(10)
    for number in range(25):
        db = make_db(f"sqlite:///{file}{number}", pool_size=1, pool_max_overflow=0, pool_timeout=2)

        async def call(db: DataFlow = db) -> None:
            await db.nodes.ItemCreateNode(name="a")

        cancelled_after(seed.uniform(0, 0.006), call)
        assert db.run_sync(db.nodes.ItemListNode())["count"] in (0, 1)
        works(db)


def test_a_timeout_around_a_run(db: DataFlow, names: Names) -> None:
    workflow = endless_run(db, before="gone")

    async def main() -> None:
        started = time.perf_counter()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await AsyncLocalRuntime().execute(workflow)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(AsyncLocalRuntime().execute(workflow), 0.1)
        assert time.perf_counter() - started < 2
        await db.nodes.ItemCreateNode(name="a")

    asyncio.run(main())
    assert names() == ["a"]


def test_a_failed_edge_does_not_take_a_cancellation_up(db: DataFlow, names: Names) -> None:
    ran: list[str] = []
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "gone"})
    builder.add_node("SQLNode", "endless", {"sql": ENDLESS})
    builder.add_node(lambda: ran.append("handler"), "handler")
    builder.add_connection("one", "endless")
    builder.add_connection("endless", "handler", condition="status == 'failed'")
    workflow = builder.build()
    for concurrency in (1, 2):
        cancelled, took = cancelled_after(0.1, lambda c=concurrency: AsyncLocalRuntime(c).execute(workflow))  # type: ignore[misc]
        assert cancelled
        assert took < 1
    assert ran == []
    assert names() == []
    works(db)


def test_many_tasks_of_which_half_are_cancelled(db: DataFlow, names: Names) -> None:
    workflow = mixed(db)

    async def main() -> int:
        tasks = [asyncio.create_task(AsyncLocalRuntime().execute(workflow)) for _ in range(40)]
        await asyncio.sleep(0.02)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(o, tuple | asyncio.CancelledError) for o in outcomes)
        return sum(isinstance(outcome, tuple) for outcome in outcomes)

    ended = asyncio.run(main())
    assert ended >= 20
    # A cancellation that comes after the commit cannot take it back.
    assert len(names()) % ALL_OF_IT == 0
    assert len(names()) >= ended * ALL_OF_IT
    works(db)


# Interrupts


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exit_from_a_function_arrives_and_nothing_stays(
    error: type[BaseException], db: DataFlow, names: Names
) -> None:
    def leave() -> None:
        db.run_sync(db.nodes.ItemCreateNode(name="gone too"))
        raise error

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "gone"})
    builder.add_node(leave, "leave")
    builder.add_node(lambda: None, "handler")
    builder.add_connection("leave", "handler", condition="status == 'failed'")
    workflow = builder.build()
    with pytest.raises(error):
        LocalRuntime().execute(workflow)
    works(db)
    with pytest.raises(error):
        asyncio.run(AsyncLocalRuntime().execute(workflow))
    assert names() == []
    works(db)


SCRIPT = dedent(
    """
    import asyncio, sys, time
    from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder

    db = DataFlow(sys.argv[1], pool_timeout=3)

    @db.model
    class Item:
        name: str

    def say():
        print("running", flush=True)

    async def wait():
        say()
        await asyncio.sleep(30)

    def sleep():
        say()
        time.sleep(30)

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "gone"})
    builder.add_node({"sql": say, "sleep": sleep, "wait": wait}[sys.argv[2]], "function")
    if sys.argv[2] == "sql":
        builder.add_node("SQLNode", "endless", {"sql": SQL})
    workflow = builder.build()
    try:
        if sys.argv[3] == "local":
            LocalRuntime().execute(workflow)
        else:
            asyncio.run(AsyncLocalRuntime().execute(workflow))
    except KeyboardInterrupt:
        count = db.run_sync(db.nodes.ItemListNode(count_only=True))["count"]
        db.run_sync(db.nodes.ItemCreateNode(name="after"))
        print("interrupted", count, flush=True)
        with db:
            pass
        import threading
        print([thread.name for thread in threading.enumerate()])
    """
).replace("SQL}", f"{ENDLESS!r}}}")


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.parametrize(
    ("function", "runtime"), [("sleep", "local"), ("wait", "local"), ("wait", "async"), ("sql", "async")]
)
def test_control_c_ends_a_run_promptly_and_nothing_stays(function: str, runtime: str, file: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", SCRIPT, f"sqlite:///{file}", function, runtime],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        time.sleep(0.15)
        started = time.perf_counter()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert err == ""
    assert out == "interrupted 0\n['MainThread']\n"
    assert process.returncode == 0
    assert time.perf_counter() - started < 4


# It may hit just before a coroutine is awaited, or inside a finalizer.
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_of_a_run_leaves_nothing_half_done(
    make_db: Any, file: Path, outside: Callable[[str], list[tuple[object, ...]]]
) -> None:
    """An exception out of nowhere, as a signal handler raises it, between any two steps of the interpreter.

    No Python code can promise to clean up wherever it hits; what it can promise is a whole transaction or none.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        pytest.skip("only the main thread gets signals")

    class Alarm(BaseException):
        pass

    def ring(*_: object) -> None:
        raise Alarm

    def ready() -> Workflow:
        db = make_db(pool_timeout=0.05)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "one"})
        builder.add_node(lambda: None, "function")
        builder.add_node("ItemBulkCreateNode", "many", {"data": [{"name": "many"}] * 9, "batch_size": 1})
        return builder.build()

    workflow = ready()
    LocalRuntime().execute(workflow)
    seed = random.Random(11)
    before, interrupted = 10, 0
    older = signal.signal(signal.SIGALRM, ring)
    try:
        for _ in range(150):
            try:
                signal.setitimer(signal.ITIMER_REAL, seed.uniform(0.00002, 0.0008))
                copy_context().run(LocalRuntime().execute, workflow)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Alarm:
                interrupted += 1
            except WorkflowExecutionError:
                workflow = ready()  # the interrupt came just where a connection changed hands
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            after = outside("SELECT count(*) FROM items")[0][0]
            assert isinstance(after, int)
            assert after - before in (0, 10)
            before = after
    finally:
        signal.signal(signal.SIGALRM, older)
    assert interrupted


def test_a_thread_that_is_cancelled_with_its_pool_is_nothing_special(db: DataFlow) -> None:
    """Threads that wait for the connection when the executor is shut down still get it."""
    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(db.run_sync, db.nodes.ItemListNode()) for _ in range(50)]
        threads.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() or future.result()["count"] == 0 for future in futures)
    works(db)
