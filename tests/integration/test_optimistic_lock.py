"""Many threads change one row of a versioned model: no change is lost."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import StaleRecord

THREADS, TIMES = 6, 15


def test_threads_that_repeat_a_stale_change_lose_none(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:///{tmp_path / 'shop.db'}") as db:

        @db.model
        class Counter:
            value: int = 0
            __dataflow__: ClassVar = {"versioned": True}

        db.run_sync(db.nodes.CounterCreateNode())

        def count() -> int:
            stale = 0
            for _ in range(TIMES):
                while True:
                    row = db.run_sync(db.nodes.CounterReadNode(id=1))
                    update = db.nodes.CounterUpdateNode(id=1, version=row["version"], value=row["value"] + 1)
                    try:
                        db.run_sync(update)
                        break
                    except StaleRecord:
                        stale += 1
            return stale

        with ThreadPoolExecutor(THREADS) as pool:
            stale = [task.result() for task in [pool.submit(count) for _ in range(THREADS)]]
        row = db.run_sync(db.nodes.CounterReadNode(id=1))
        assert (row["value"], row["version"]) == (THREADS * TIMES, THREADS * TIMES + 1)
        # It would prove nothing if they had come one after the other.
        assert sum(stale) > 0


def test_of_two_workflows_that_read_the_same_version_one_is_stale(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:///{tmp_path / 'shop.db'}") as db:

        @db.model
        class Counter:
            value: int = 0
            __dataflow__: ClassVar = {"versioned": True}

        db.run_sync(db.nodes.CounterCreateNode())
        read = db.run_sync(db.nodes.CounterReadNode(id=1))
        workflow = WorkflowBuilder(db)
        workflow.add_node("CounterUpdateNode", "change", {"id": 1})
        built = workflow.build()

        def change(value: int) -> bool:
            try:
                LocalRuntime().execute(
                    built, parameters={"change": {"version": read["version"], "value": value}}
                )
            except Exception as error:
                assert isinstance(error.__cause__, StaleRecord)  # noqa: PT017
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(change, [1, 2])) == [False, True]
        assert db.run_sync(db.nodes.CounterReadNode(id=1))["version"] == 2
