"""The pool of connections: bounded, and nothing that is broken is ever lent again."""

import asyncio
import re
import threading
import time
from collections.abc import Iterator

import pytest

from dataflow.errors import AccessDenied, ConfigurationError, PoolTimeout
from dataflow.execution.pool import WorkflowConnectionPool
from dataflow.execution.stepping import step
from dataflow.execution.workers import Workers
from dataflow.sqlite.driver import SQLiteConnection
from dataflow.sqlite.options import SQLiteOptions

IN_MEMORY = SQLiteOptions(":memory:", mode="memory", wal=False)


class Driver:
    """Makes connections and remembers them."""

    def __init__(self) -> None:
        self.made: list[SQLiteConnection] = []

    def connect(self) -> SQLiteConnection:
        self.made.append(SQLiteConnection(IN_MEMORY, Workers("dataflow-sqlite")))
        return self.made[-1]

    @property
    def open(self) -> int:
        return sum(connection.usable for connection in self.made)


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    for connection in driver.made:
        connection.abandon()


def acquire(pool: WorkflowConnectionPool, holder: str = "a test") -> SQLiteConnection:
    connection = pool.take(holder) or step(pool.acquire(holder, blocking=True))
    assert isinstance(connection, SQLiteConnection)
    return connection


def release(pool: WorkflowConnectionPool, connection: SQLiteConnection) -> None:
    if not pool.put(connection):
        step(connection.close())


def test_nothing_is_opened_before_it_is_needed(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 2, 0, 1)
    assert pool.take("nobody") is None
    assert driver.made == []
    connection = acquire(pool)
    assert connection.usable
    assert (pool.in_use, pool.idle, len(driver.made)) == (1, 0, 1)


def test_a_connection_that_came_back_is_lent_again(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 2, 0, 1)
    first = acquire(pool)
    release(pool, first)
    assert (pool.in_use, pool.idle) == (0, 1)
    assert acquire(pool) is first
    assert len(driver.made) == 1


def test_no_more_connections_are_open_than_may_be(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 2, 1, 0.05)
    for holder in ("run one", "run two", "run three"):
        acquire(pool, holder)
    with pytest.raises(PoolTimeout) as caught:
        acquire(pool, "too late")
    message = str(caught.value)
    assert re.search(r"within 0\.05 s \(pool_timeout\); 3 can be open", message)
    assert re.search(r"held by: run one for \d+\.\d s; run two for .*; run three for", message)
    assert len(driver.made) == 3


def test_a_timeout_names_the_longest_holders_only(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 8, 0, 0.01)
    for number in range(8):
        acquire(pool, f"run {number}")
    with pytest.raises(PoolTimeout, match=r"run 0 for .*run 4 for [\d.]+ s and 3 more"):
        acquire(pool)


def test_connections_beyond_the_size_are_closed_when_they_come_back(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 1, 2, 1)
    lent = [acquire(pool) for _ in range(3)]
    assert driver.open == 3
    for connection in lent:
        release(pool, connection)
    assert (pool.idle, pool.in_use, driver.open) == (1, 0, 1)


def test_a_broken_connection_is_replaced(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 1, 0, 1)
    broken = acquire(pool)
    step(broken.close())
    release(pool, broken)
    assert pool.idle == 0
    fresh = acquire(pool)
    assert fresh is not broken
    assert fresh.usable


def test_a_connection_with_an_open_transaction_is_not_lent_again(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 1, 0, 1)
    dirty = acquire(pool)
    step(dirty.execute("BEGIN"))
    release(pool, dirty)
    assert acquire(pool) is not dirty


def test_a_connection_that_cannot_be_opened_takes_no_place() -> None:
    options = SQLiteOptions("/nowhere/at/all/x.db")
    pool = WorkflowConnectionPool(lambda: SQLiteConnection(options, Workers("dataflow-sqlite")), 1, 0, 0.05)
    for _ in range(3):
        with pytest.raises(AccessDenied):
            acquire(pool)
    assert pool.in_use == 0


def test_a_thread_that_waits_gets_what_comes_back(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 1, 0, 5)
    first = acquire(pool)
    timer = threading.Timer(0.05, release, [pool, first])
    timer.start()
    assert acquire(pool) is first
    timer.join()


def test_a_cancelled_wait_takes_no_place(driver: Driver) -> None:
    async def work() -> None:
        pool = WorkflowConnectionPool(driver.connect, 1, 0, 5)
        first = acquire(pool)
        waiting = asyncio.create_task(pool.acquire("cancelled", blocking=False))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        release(pool, first)
        assert await pool.acquire("next", blocking=False) is first
        assert pool.in_use == 1

    asyncio.run(work())


def test_many_threads_share_few_connections(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 2, 1, 20)
    most = 0

    def work() -> None:
        nonlocal most
        for _ in range(100):
            connection = acquire(pool)
            most = max(most, pool.in_use)
            assert step(connection.fetch("SELECT 1", ())) == [(1,)]
            release(pool, connection)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 3
    assert (pool.in_use, driver.open) == (0, pool.idle)
    assert pool.idle <= 2


def test_a_closed_pool_closes_what_is_idle_and_what_comes_back(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 3, 0, 1)
    lent, idle = acquire(pool), acquire(pool)
    release(pool, idle)
    step(pool.close())
    assert (driver.open, pool.idle) == (1, 0)
    assert step(lent.fetch("SELECT 1", ())) == [(1,)], "what runs may finish"
    release(pool, lent)
    assert driver.open == 0
    with pytest.raises(ConfigurationError, match="was closed"):
        acquire(pool)
    step(pool.close())


def test_who_waits_while_the_pool_is_closed_is_told(driver: Driver) -> None:
    pool = WorkflowConnectionPool(driver.connect, 1, 0, 5)
    lent = acquire(pool)
    errors: list[Exception] = []

    def wait() -> None:
        try:
            acquire(pool)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    step(pool.close())
    release(pool, lent)
    thread.join(5)
    assert [type(error) for error in errors] == [ConfigurationError]
