"""``sqlite3`` for an event loop: the same operations, each as one hop to one thread."""

from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Thread
from typing import Any

from benchmarks.contestants.contract import OnLoop, Operation
from benchmarks.contestants.sqlite_by_hand import connect, decoded, operations_of
from benchmarks.contestants.sqlite_in_bulk import executemany_operations, many_rows_operations
from benchmarks.databases.sqlite import SQLiteStore

__all__ = ["ExecutorExecutemanySQLite", "ExecutorSQLite", "QueueSQLite"]

Job = tuple[Future[Any], Operation, Any]


class ExecutorSQLite(OnLoop):
    """By ``run_in_executor``, with one worker: what asyncio offers for it."""

    def __init__(self, store: SQLiteStore) -> None:
        super().__init__()
        self._raw = connect(store)
        self._pool = ThreadPoolExecutor(1)
        self._operations = {name: self._hopping(work) for name, work in self._offered().items()}

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def finish(self) -> None:
        self._pool.shutdown()
        self._raw.close()

    def _offered(self) -> Mapping[str, Operation]:
        return {**operations_of(self._raw, decoded), **many_rows_operations(self._raw)}

    def _hopping(self, work: Operation) -> Callable[[Any], Awaitable[Any]]:
        pool, loop = self._pool, self.loop
        return lambda item: loop.run_in_executor(pool, work, item)


class ExecutorExecutemanySQLite(ExecutorSQLite):
    """The other way to work in bulk."""

    def _offered(self) -> Mapping[str, Operation]:
        return executemany_operations(self._raw)


class QueueSQLite(OnLoop):
    """By a thread and a ``SimpleQueue``: less than ``run_in_executor`` does, written by hand.

    Nothing in bulk: one hop makes no difference there.
    """

    def __init__(self, store: SQLiteStore) -> None:
        super().__init__()
        self._raw = connect(store)
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()
        self._operations = {
            name: self._hopping(work) for name, work in operations_of(self._raw, decoded).items()
        }

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def finish(self) -> None:
        self._jobs.put(None)
        self._thread.join()
        self._raw.close()

    def _hopping(self, work: Operation) -> Callable[[Any], Awaitable[Any]]:
        jobs, loop = self._jobs, self.loop

        def hop(item: Any) -> Future[Any]:
            future = loop.create_future()
            jobs.put((future, work, item))
            return future

        return hop

    def _work(self) -> None:
        loop = self.loop
        while (job := self._jobs.get()) is not None:
            future, work, item = job
            try:
                result = work(item)
            except Exception as error:
                loop.call_soon_threadsafe(future.set_exception, error)
            else:
                loop.call_soon_threadsafe(future.set_result, result)
