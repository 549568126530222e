"""Forks in the middle of things: the child begins with nothing of what the parent had open."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

PRELUDE = dedent(
    """
    import asyncio, os, sys, threading, traceback, warnings
    from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder

    # That the parent has threads is the point here.
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)

    def define(db):
        @db.model
        class Item:
            name: str
            __dataflow__ = {"timestamps": False}

        return db

    def make(db, name):
        return db.run_sync(db.nodes.ItemCreateNode(name=name))["id"]

    def names(db):
        return [row["name"] for row in db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]]

    def build(db, *nodes):
        builder = WorkflowBuilder(db)
        for node in nodes:
            builder.add_node(node)
        return builder.build()

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
            sys.stderr.flush()
            os._exit(status)

    def wait(pid):
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    db = define(DataFlow(sys.argv[1], pool_timeout=3))
    """
)


def run(body: str, file: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + dedent(body), f"sqlite:///{file}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.stderr == ""
    assert ended.returncode == 0


def test_a_fork_waits_for_the_transaction_that_a_thread_writes(file: Path) -> None:
    """Else SQLite would tell the child for ever that somebody writes."""
    run(
        """
        written = threading.Event()

        def hold():
            make(db, "thread")
            written.set()
            for number in range(300):
                make(db, str(number))

        thread = threading.Thread(target=LocalRuntime().execute, args=(build(db, hold),))
        thread.start()
        assert written.wait(10)

        def work():
            assert len(names(db)) == 301, names(db)
            make(db, "child")
            LocalRuntime().execute(build(db, lambda: make(db, "child's run")))
            assert db.databases()["primary"].pool.in_use == 0

        wait(child(work))
        thread.join()
        assert names(db)[-2:] == ["child", "child's run"], names(db)
        make(db, "parent")
        with db:
            pass
        """,
        file,
    )


def test_a_child_has_a_loop_of_its_own(file: Path) -> None:
    """A workflow that waits runs in the child, though the parent's loop was at work when it was forked."""
    run(
        """
        begun, go_on = threading.Event(), threading.Event()

        def wait_there():
            begun.set()
            assert go_on.wait(10)

        async def hold():
            await asyncio.to_thread(wait_there)

        async def quick():
            return (await db.nodes.ItemCreateNode(name="made"))["id"]

        waiting = threading.Thread(target=LocalRuntime().execute, args=(build(db, hold),))
        waiting.start()
        assert begun.wait(10)

        def work():
            outcome = []

            def execute():
                outcome.append(LocalRuntime().execute(build(db, quick))[0]["quick"]["result"])

            thread = threading.Thread(target=execute, daemon=True)
            thread.start()
            thread.join(10)
            assert outcome == [1], outcome

            async def own():
                await AsyncLocalRuntime().execute(build(db, quick))
                async with db.transaction():
                    await db.nodes.ItemCreateNode(name="own")

            asyncio.run(own())
            with db:
                pass

        wait(child(work))
        go_on.set()
        waiting.join()
        LocalRuntime().execute(build(db, quick))
        assert names(db) == ["made", "made", "own", "made"], names(db)
        with db:
            pass
        """,
        file,
    )


def test_what_was_in_memory_stays_with_the_parent_and_its_tables_are_made_anew(file: Path) -> None:
    run(
        """
        memory = define(DataFlow("sqlite:///:memory:"))
        unused = define(DataFlow("sqlite:///:memory:"))
        make(memory, "parent")

        def work():
            assert names(memory) == []
            assert make(memory, "child") == 1
            assert names(memory) == ["child"]
            assert make(unused, "child") == 1
            # And once more, from a child that has used it.
            wait(child(lambda: make(memory, "grandchild") == 1 or sys.exit(1)))
            assert names(memory) == ["child"]

        def outside_of_the_run():
            import contextvars

            assert contextvars.Context().run(names, memory) == []

        wait(child(work))
        inside = build(memory, lambda: make(memory, "inside"), lambda: wait(child(outside_of_the_run)))
        LocalRuntime().execute(inside)
        assert names(memory) == ["parent", "inside"]
        """,
        file,
    )


def test_a_child_leaves_the_parents_transaction_alone(file: Path) -> None:
    """The child ends, closes and collects whatever it can; the parent then goes on and commits."""
    run(
        """
        import gc

        def fork_inside():
            make(db, "before")

            def work():
                with db:
                    pass
                gc.collect()

            wait(child(work))
            make(db, "after")

        LocalRuntime().execute(build(db, fork_inside))
        assert names(db) == ["before", "after"]

        async def main():
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="awaited")
                wait(child(lambda: None))
                await db.nodes.ItemCreateNode(name="awaited too")

        asyncio.run(main())
        assert names(db) == ["before", "after", "awaited", "awaited too"]
        with db:
            pass
        """,
        file,
    )


def test_a_fork_does_not_wait_for_the_run_that_it_is_part_of(file: Path) -> None:
    """Its own transaction ends after the fork only, in whichever thread the turn to write was taken."""
    run(
        """
        import time

        def fork():
            started = time.perf_counter()
            wait(child(lambda: None))
            assert time.perf_counter() - started < 2

        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "make", {"name": "a"})
        builder.add_node(fork, "fork")
        builder.add_connection("make", "fork")
        workflow = builder.build()

        async def main():
            await AsyncLocalRuntime().execute(workflow)
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="b")
                await asyncio.to_thread(fork)

        LocalRuntime().execute(workflow)
        asyncio.run(main())
        assert names(db) == ["a", "a", "b"]
        with db:
            pass
        """,
        file,
    )
