"""Who takes part on which database. A new rival or database is a module, and a line here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["BESIDE_A_LOOP", "DATABASES", "IN_THREAD", "Database", "Entry", "Group"]


@dataclass(frozen=True, slots=True)
class Group:
    """Contestants that serve the same kind of program.

    :param baseline: the name of the one by which the others are divided: the bare driver.
    """

    title: str
    baseline: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A contestant that may take part.

    :param made_by: ``module:class``, imported when it takes part, so that nobody must have installed it otherwise.
    :param decodes: whether bools, times and JSON come out as Python has them.
    """

    name: str
    title: str
    group: Group
    made_by: str
    decodes: bool = True


@dataclass(frozen=True, slots=True)
class Database:
    """A database.

    :param stores: ``module:class`` of what makes the stores.
    """

    stores: str
    entries: Sequence[Entry]


IN_THREAD = Group("In the calling thread", "sqlite3")
BESIDE_A_LOOP = Group("On an event loop", "sqlite3-executor")

PLAIN = "benchmarks.contestants.plain_sqlite"
BESIDE = "benchmarks.contestants.sqlite_beside_a_loop"
OURS = "benchmarks.contestants.dataflow"

DATABASES: Mapping[str, Database] = {
    "sqlite": Database(
        "benchmarks.databases.sqlite:SQLiteStores",
        (
            Entry("sqlite3", "sqlite3", IN_THREAD, f"{PLAIN}:PlainSQLite"),
            Entry(
                "sqlite3-undecoded",
                "sqlite3, undecoded",
                IN_THREAD,
                f"{PLAIN}:UndecodedSQLite",
                decodes=False,
            ),
            Entry("dataflow-runtime", "DataFlow LocalRuntime", IN_THREAD, f"{OURS}:RuntimeDataFlow"),
            Entry("dataflow-calls", "DataFlow direct calls", IN_THREAD, f"{OURS}:CalledDataFlow"),
            Entry("sqlite3-executor", "sqlite3, run_in_executor", BESIDE_A_LOOP, f"{BESIDE}:ExecutorSQLite"),
            Entry("sqlite3-queue", "sqlite3, thread and queue", BESIDE_A_LOOP, f"{BESIDE}:QueueSQLite"),
            Entry(
                "dataflow-async-runtime",
                "DataFlow AsyncLocalRuntime",
                BESIDE_A_LOOP,
                f"{OURS}:AsyncRuntimeDataFlow",
            ),
            Entry("dataflow-async-calls", "DataFlow direct calls", BESIDE_A_LOOP, f"{OURS}:AwaitedDataFlow"),
        ),
    )
}
