"""Many at once: threads, tasks and loops on one database."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import WorkflowExecutionError
from dataflow.testing.conformance.items import define_item, names
from dataflow.testing.suite import requires

__all__ = ["ConcurrencyTests"]

PATIENCE = 5.0
ROUNDS = 12


class ConcurrencyTests:
    """Nothing is lost and nobody is mixed up where many work at once."""

    def test_the_first_use_by_many_threads_at_once_makes_one_schema(self, db: DataFlow) -> None:
        define_item(db)
        ready = threading.Barrier(8)

        def first_use(number: int) -> None:
            ready.wait(PATIENCE)
            db.run_sync(db.nodes.ItemCreateNode(name=f"n{number}"))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(first_use, range(8)))
        assert sorted(names(db)) == [f"n{number}" for number in range(8)]

    def test_many_threads_write_and_nothing_is_lost(self, db: DataFlow) -> None:
        define_item(db)
        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(lambda n: db.run_sync(db.nodes.ItemCreateNode(name=f"n{n}")), range(200)))
        assert len({row["id"] for row in made}) == 200
        assert sorted(names(db)) == sorted(f"n{number}" for number in range(200))

    @pytest.mark.parametrize("match", ["code", "name"])
    def test_upserts_at_the_same_time_make_each_row_once(self, db: DataFlow, match: str) -> None:
        """By a unique field the database does it, by another one DataFlow looks for the rows first."""
        define_item(db)
        # Where there is no row at all, MySQL has nothing that it could lock.
        db.run_sync(db.nodes.ItemCreateNode(name="before", code="before"))
        wanted = [f"round {round}, row {number}" for round in range(ROUNDS) for number in range(5)]
        together = threading.Barrier(4)

        def upsert(amount: int) -> list[Any]:
            outputs = []
            for first in range(0, len(wanted), 5):
                data = [{"name": name, "code": name, "amount": amount} for name in wanted[first : first + 5]]
                together.wait(PATIENCE)
                outputs.append(db.run_sync(db.nodes.ItemBulkUpsertNode(data=data, match_fields=[match])))
            return outputs

        with ThreadPoolExecutor(4) as threads:
            outputs = [output for outputs in threads.map(upsert, range(4)) for output in outputs]
        assert sorted(names(db)) == sorted(["before", *wanted])
        assert sum(output["inserted"] for output in outputs) == len(wanted)
        assert sum(output["updated"] for output in outputs) == 3 * len(wanted)

    def test_many_loops_share_one_database(self, db: DataFlow) -> None:
        define_item(db)

        async def main(number: int) -> None:
            await db.nodes.ItemCreateNode(name=f"n{number}")
            await asyncio.gather(*(db.nodes.ItemListNode() for _ in range(3)))

        for number in range(10):
            asyncio.run(main(number))
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda number: asyncio.run(main(number)), range(10, 30)))
        assert sorted(names(db)) == sorted(f"n{number}" for number in range(30))

    def test_more_runs_than_connections_all_end(self, url: str) -> None:
        with DataFlow(url, pool_size=2, pool_max_overflow=1, auto_migrate=True) as db:
            define_item(db)
            builder = WorkflowBuilder(db)
            builder.add_node("ItemCreateNode", "one", {"name": "a"})
            builder.add_node("ItemCreateNode", "two", {"name": "b"})
            workflow, runtime = builder.build(), AsyncLocalRuntime()

            async def main() -> None:
                await asyncio.gather(*(runtime.execute(workflow) for _ in range(200)))

            asyncio.run(main())
            assert sorted(names(db)) == ["a"] * 200 + ["b"] * 200

    def test_a_failed_run_gives_its_connection_and_its_turn_back(self, url: str) -> None:
        with DataFlow(url, pool_size=1, pool_max_overflow=0, pool_timeout=1, auto_migrate=True) as db:
            define_item(db)
            builder = WorkflowBuilder(db)
            builder.add_node("ItemCreateNode", "make", {"name": "a"})
            builder.add_node(lambda: 1 / 0, "boom")
            workflow = builder.build()
            for _ in range(20):
                with pytest.raises(WorkflowExecutionError):
                    LocalRuntime().execute(workflow)
                with pytest.raises(WorkflowExecutionError):
                    asyncio.run(AsyncLocalRuntime().execute(workflow))
            assert names(db) == []

    def test_a_local_runtime_works_within_a_running_event_loop(self, db: DataFlow) -> None:
        """As in a notebook, whose cells run on a loop of its own."""
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "a"})
        builder.add_node("ItemCreateNode", "two", {"name": "b"})
        workflow = builder.build()
        builder.add_node(lambda: 1 / 0, "boom")
        failing = builder.build()

        async def main() -> None:
            LocalRuntime().execute(workflow)
            with pytest.raises(WorkflowExecutionError):
                LocalRuntime().execute(failing)
            assert db.run_sync(db.nodes.ItemListNode())["count"] == 2
            await AsyncLocalRuntime().execute(workflow)
            LocalRuntime().execute(workflow)

        asyncio.run(main())
        assert names(db) == ["a", "b"] * 3

    def test_nobody_sees_half_of_a_transaction(self, db: DataFlow) -> None:
        define_item(db)
        pair = WorkflowBuilder(db)
        pair.add_node("ItemCreateNode", "one", {"name": "a"})
        pair.add_node("ItemCreateNode", "two", {"name": "b"})
        workflow = pair.build()
        seen: list[int] = []

        def write(_: int) -> None:
            for _ in range(15):
                LocalRuntime().execute(workflow)

        def read(_: int) -> None:
            for _ in range(30):
                seen.append(db.run_sync(db.nodes.ItemListNode(count_only=True))["count"])

        with ThreadPoolExecutor(4) as threads:
            work = [threads.submit(task, 0) for task in (write, read, write, read)]
            for done in work:
                done.result(60)
        assert [count for count in seen if count % 2] == []
        assert len(names(db)) == 60

    @requires(Capability.CONCURRENT_WRITERS)
    def test_two_transactions_write_at_the_same_time(self, url: str) -> None:
        with DataFlow(url, pool_timeout=0.3, auto_migrate=True) as db:
            define_item(db)
            names(db)

            def write_meanwhile() -> None:
                with ThreadPoolExecutor(1) as thread:
                    thread.submit(db.run_sync, db.nodes.ItemCreateNode(name="b")).result(PATIENCE)

            builder = WorkflowBuilder(db)
            builder.add_node("ItemCreateNode", "one", {"name": "a"})
            builder.add_node(write_meanwhile, "meanwhile")
            LocalRuntime().execute(builder.build())
            assert sorted(names(db)) == ["a", "b"]
