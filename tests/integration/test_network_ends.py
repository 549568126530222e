"""The end of a database on the network: no thread, no task, no socket, no word on stderr, however it comes about."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Suite

from .test_clean_end import CLOSING, CRASHES, ENDING, PRELUDE

SOCKETS = dedent(
    """
    import contextlib, contextvars, faulthandler, json, time, traceback, warnings
    from dataflow.errors import ScopeLost, TransactionClosed
    from dataflow.execution.background import background_loop

    # From Python 3.12 on a process with threads is warned of that.
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)

    def left(*others):
        # Nobody tells when a thread that ends by itself is gone.
        deadline = time.monotonic() + 5
        while True:
            threads = {*threading.enumerate()} - {threading.main_thread()}
            names = [thread.name for thread in threads if thread.name not in others]
            for fd in os.listdir("/proc/self/fd"):
                # A thread that ends may close it meanwhile. An event loop has two by which it is called.
                with contextlib.suppress(OSError):
                    target = os.readlink(f"/proc/self/fd/{fd}")
                    if target.startswith("socket") and not is_pair(int(fd)):
                        names.append(target)
            if not names or time.monotonic() > deadline:
                return names
            time.sleep(0.01)

    def check(*others):
        assert left(*others) == [], left(*others)

    def is_pair(fd):
        import socket
        with socket.socket(fileno=os.dup(fd)) as found:
            return found.family == socket.AF_UNIX
    """
)

LEAVING = {
    "two loops that were never shut down": """
        db = make_db()
        closed, stopped = asyncio.new_event_loop(), asyncio.new_event_loop()
        closed.run_until_complete(use_async(db))
        closed.close()
        stopped.run_until_complete(use_async(db))
        del db
        gc.collect()
        stopped.close()
        check()
    """,
    "closed while its loop is stopped": """
        db = make_db()
        loop = asyncio.new_event_loop()
        loop.run_until_complete(use_async(db))
        with db:
            pass
        check()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    """,
    "closed in another thread": """
        db = make_db()
        async def main():
            await use_async(db)
            closing = threading.Thread(target=db.__exit__, args=(None, None, None))
            closing.start()
            while closing.is_alive():
                await asyncio.sleep(0)
            check()
        asyncio.run(main())
    """,
    "with in a loop": """
        async def main():
            with make_db() as db:
                await use_async(db)
                use_sync(db)
            await asyncio.sleep(0)
            check()
        asyncio.run(main())
    """,
    "closed while another loop goes on": """
        db = make_db()
        ready, go_on = threading.Event(), threading.Event()
        async def other():
            await use_async(db)
            ready.set()
            while not go_on.is_set():
                await asyncio.sleep(0.001)
        thread = threading.Thread(target=lambda: asyncio.run(other()), name="other")
        thread.start()
        ready.wait()
        asyncio.run(db.close())
        check("other")
        go_on.set()
        thread.join()
        check()
    """,
    "a child goes on": """
        db = make_db()
        use_sync(db)
        asyncio.run(use_async(db))
        pid = os.fork()
        if pid == 0:
            use_sync(db)
            asyncio.run(use_async(db))
            with db:
                pass
            os._exit(0 if len(threading.enumerate()) == 1 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        use_sync(db)
        with db:
            pass
        check()
    """,
}
STRANDED = {
    "who waits for a connection is told that there will be none": """
        db = make_db(pool_size=1, pool_max_overflow=0, pool_timeout=60)
        async def main():
            held, go_on = asyncio.Event(), asyncio.Event()
            async def hold():
                async with db.transaction():
                    await db.nodes.ItemCreateNode(name="a")
                    held.set()
                    await go_on.wait()
            async def call():
                await db.nodes.ItemListNode()
            holding = asyncio.create_task(hold())
            await held.wait()
            waiting = asyncio.create_task(call())
            while not db.databases()["primary"].pool._homes[asyncio.get_running_loop()].pool._waiting:
                await asyncio.sleep(0)
            await db.close()
            calls = asyncio.gather(waiting, call(), return_exceptions=True)
            go_on.set()
            await holding
            for refused in await asyncio.wait_for(calls, 5):
                assert "was closed" in str(refused), refused
        asyncio.run(main())
        check()
    """,
    "a transaction is left on another loop": """
        for closes in (True, False):
            db = make_db()
            before = db.run_sync(db.nodes.ItemListNode())["count"]
            loop = asyncio.new_event_loop()
            transaction = db.transaction()
            async def enter():
                await transaction.__aenter__()
                await db.nodes.ItemCreateNode(name="a")
            loop.run_until_complete(enter())
            if closes:
                loop.close()
            try:
                asyncio.run(asyncio.wait_for(transaction.__aexit__(None, None, None), 5))
            except ScopeLost:
                pass
            else:
                raise AssertionError("it was committed")
            assert db.run_sync(db.nodes.ItemListNode())["count"] == before
            with db:
                pass
            loop.close()
            check()
    """,
    "a loop is closed under one who holds a connection and one who waits for it": """
        db = make_db(pool_size=1, pool_max_overflow=0)
        loop = asyncio.new_event_loop()
        async def main():
            held = asyncio.Event()
            async def hold():
                async with db.transaction():
                    await db.nodes.ItemCreateNode(name="a")
                    held.set()
                    await asyncio.Event().wait()
            async def call():
                await db.nodes.ItemListNode()
            tasks = [loop.create_task(hold()), loop.create_task(call())]
            await held.wait()
            for task in tasks:
                task._log_destroy_pending = False
        loop.run_until_complete(main())
        loop.close()
        del loop, main
        gc.collect()
        with db:
            pass
        check()
    """,
    "a stream is collected as garbage on the loop in the background": """
        db = make_db()
        db.run_sync(db.nodes.ItemBulkCreateNode(data=[{"name": "a"}] * 2000))
        stream = iter(db.stream("ItemListNode"))
        next(stream)
        cycle = [stream]
        cycle.append(cycle)
        async def collect():
            gc.collect()
        with background_loop() as loop:
            gc.disable()
            del stream, cycle
            asyncio.run_coroutine_threadsafe(collect(), loop).result()
            gc.enable()
            db.run_sync(db.nodes.ItemListNode(limit=1))
            while db.databases()["primary"].pool.in_use:
                time.sleep(0.001)
        with db:
            pass
        check()
    """,
    "a thread outlives the transaction that it was given": """
        db = make_db()
        over, told = threading.Event(), []
        def late():
            over.wait()
            try:
                db.run_sync(db.nodes.ItemCreateNode(name="late"))
            except TransactionClosed as error:
                told.append(error)
        async def main():
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a")
                thread = threading.Thread(target=contextvars.copy_context().run, args=(late,))
                thread.start()
            return thread
        loop = asyncio.new_event_loop()
        thread = loop.run_until_complete(main())
        over.set()
        thread.join(5)
        assert told
        with db:
            pass
        loop.close()
        check()
    """,
    "a thread reads rows of a transaction whose loop is closed": """
        db = make_db()
        db.run_sync(db.nodes.ItemBulkCreateNode(data=[{"name": "a"}] * 2000))
        begun, over, told = threading.Event(), threading.Event(), []
        def read():
            try:
                for row in db.stream("ItemListNode"):
                    begun.set()
                    over.wait()
            except ScopeLost as error:
                told.append(error)
        async def main():
            async with db.transaction():
                thread = threading.Thread(target=contextvars.copy_context().run, args=(read,))
                thread.start()
                while not begun.is_set():
                    await asyncio.sleep(0.001)
            return thread
        thread = asyncio.run(main())
        over.set()
        thread.join(5)
        assert told
        with db:
            pass
        check()
    """,
    "a close is cancelled": """
        db = make_db()
        async def use():
            await use_async(db)
        async def other():
            await use()
            ready.set()
            while not go_on.is_set():
                await asyncio.sleep(0.001)
        threads, ready, go_on = [], threading.Semaphore(0), threading.Event()
        for _ in range(2):
            ready = threading.Event()
            threads.append(threading.Thread(target=lambda: asyncio.run(other()), name="other"))
            threads[-1].start()
            ready.wait()
        async def main():
            await use()
            closing = asyncio.create_task(db.close())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
            assert closing.cancelled()
        asyncio.run(main())
        check("other")
        go_on.set()
        for thread in threads:
            thread.join()
        check()
    """,
    "a run forks": """
        db = make_db()
        def fork():
            pid = os.fork()
            if pid == 0:
                faulthandler.dump_traceback_later(20, exit=True)
                try:
                    use_sync(db)
                    asyncio.run(use_async(db))
                    assert db.run_sync(db.nodes.ItemListNode(filter={"name": "a run"}))["count"] == 0
                    with db:
                        pass
                    os._exit(0)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            db.run_sync(db.nodes.ItemCreateNode(name="a run"))
        async def main():
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a run")
                await asyncio.to_thread(fork)
                await db.nodes.ItemDeleteNode(name="nobody")
                await db.nodes.ItemBulkDeleteNode(filter={"name": "a run"})
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "before", {"name": "a run"})
        builder.add_node(fork, "fork")
        builder.add_node("ItemBulkDeleteNode", "after", {"filter": {"name": "a run"}})
        for one, two in (("before", "fork"), ("fork", "after")):
            builder.add_connection(one, two)
        results, _ = LocalRuntime().execute(builder.build())
        assert results["after"]["deleted"] == 2
        results, _ = asyncio.run(AsyncLocalRuntime().execute(builder.build()))
        assert results["after"]["deleted"] == 2
        asyncio.run(main())
        with db:
            pass
        check()
    """,
}
LAST = {
    **ENDING,
    "a loop is closed but not shut down": """
        db = make_db()
        loop = asyncio.new_event_loop()
        loop.run_until_complete(use_async(db))
        use_sync(db)
        loop.close()
    """,
    "a child ends by itself": """
        db = make_db()
        use_sync(db)
        pid = os.fork()
        if pid == 0:
            use_sync(db)
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        use_sync(db)
    """,
}

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")


def program(case: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + SOCKETS + dedent(case), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def words(process: "subprocess.Popen[str]") -> str:
    """What a program had to say when it had ended."""
    try:
        _, stderr = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return stderr


def of_each(cases: dict[str, str], url: str) -> str:
    """What programs had to say that ran one after another in one process."""
    driver = """
        for name, code in json.loads(sys.argv[2]).items():
            try:
                exec(code, {**globals()})
                gc.collect()
            except BaseException:
                print(f"--- {name}", file=sys.stderr)
                traceback.print_exc()
    """
    return words(program(driver, url, json.dumps({name: dedent(code) for name, code in cases.items()})))


class EndTests:
    """What a program leaves that used a database on the network."""

    def test_a_database_that_is_closed_or_let_go_leaves_nothing(self, url: str) -> None:
        assert of_each({**CLOSING, **LEAVING}, url) == ""

    def test_what_has_lost_its_loop_or_its_process_is_told_and_leaves_nothing(self, url: str) -> None:
        assert of_each(STRANDED, url) == ""

    def test_a_program_that_forgot_to_close_it_ends_without_a_word(self, url: str) -> None:
        processes = {name: program(case, url) for name, case in LAST.items()}
        said = {name: words(process) for name, process in processes.items()}
        assert said == dict.fromkeys(LAST, "")
        assert [process.returncode for process in processes.values()] == [0] * len(LAST)

    def test_a_program_that_crashes_says_only_why(self, url: str) -> None:
        processes = {name: program(case, url) for name, case in CRASHES.items()}
        for process in processes.values():
            said = words(process)
            assert process.returncode == 1
            assert said.startswith("Traceback")
            assert said.endswith("ValueError: the end\n")
            assert said.count("Traceback") == 1
            assert "Warning" not in said


class TestPostgres(EndTests, Suite):
    provision = Postgres()


class TestMySQL(EndTests, Suite):
    provision = MySQL()
