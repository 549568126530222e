"""Who takes part on which database. A new rival or database is a module, and a line here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

__all__ = ["BESIDE_A_LOOP", "DATABASES", "IN_THREAD", "Database", "Entry", "Group"]


@dataclass(frozen=True, slots=True)
class Group:
    """Contestants that serve the same kind of program.

    :param baseline: the name of the one by which the others are divided: the bare driver.
    :param bulk_baselines: the names of the ways to use the bare driver in bulk; the others are divided by the fastest.
    """

    title: str
    baseline: str
    bulk_baselines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A contestant that may take part.

    :param made_by: ``module:class``, imported when it takes part, so that nobody must have installed it otherwise.
    :param package: what must be installed for it, as PyPI calls it; empty for what is always there.
    :param module: what is imported of it.
    :param decodes: whether bools, times and JSON come out as Python has them.
    """

    name: str
    title: str
    group: Group
    made_by: str
    package: str = ""
    module: str = ""
    decodes: bool = True

    @property
    def is_rival(self) -> bool:
        return bool(self.package)

    def is_installed(self) -> bool:
        return not self.module or find_spec(self.module) is not None


@dataclass(frozen=True, slots=True)
class Database:
    """A database.

    :param stores: ``module:class`` of what makes the stores.
    """

    stores: str
    entries: Sequence[Entry]


IN_THREAD = Group("In the calling thread", "sqlite3", ("sqlite3", "sqlite3-executemany"))
BESIDE_A_LOOP = Group(
    "On an event loop", "sqlite3-executor", ("sqlite3-executor", "sqlite3-executor-executemany")
)

AT = "benchmarks.contestants"
PLAIN = f"{AT}.plain_sqlite"
BESIDE = f"{AT}.sqlite_beside_a_loop"
OURS_AT = f"{AT}.dataflow"
CORE = f"{AT}.sqlalchemy_core"
ORM = f"{AT}.sqlalchemy_orm"
ALCHEMY = ("sqlalchemy", "sqlalchemy")

DATABASES: Mapping[str, Database] = {
    "sqlite": Database(
        "benchmarks.databases.sqlite:SQLiteStores",
        (
            Entry("sqlite3", "sqlite3", IN_THREAD, f"{PLAIN}:PlainSQLite"),
            Entry("sqlite3-executemany", "sqlite3, executemany", IN_THREAD, f"{PLAIN}:ExecutemanySQLite"),
            Entry(
                "sqlite3-undecoded",
                "sqlite3, undecoded",
                IN_THREAD,
                f"{PLAIN}:UndecodedSQLite",
                decodes=False,
            ),
            Entry("dataflow-runtime", "DataFlow LocalRuntime", IN_THREAD, f"{OURS_AT}:RuntimeDataFlow"),
            Entry("dataflow-calls", "DataFlow direct calls", IN_THREAD, f"{OURS_AT}:CalledDataFlow"),
            Entry("sqlalchemy-core", "SQLAlchemy Core", IN_THREAD, f"{CORE}:Core", *ALCHEMY),
            Entry("sqlalchemy-orm", "SQLAlchemy ORM", IN_THREAD, f"{ORM}:ORM", *ALCHEMY),
            Entry("django", "Django", IN_THREAD, f"{AT}.django_orm:Django", "django", "django"),
            Entry("peewee", "Peewee", IN_THREAD, f"{AT}.peewee_orm:Peewee", "peewee", "peewee"),
            Entry("sqlite3-executor", "sqlite3, run_in_executor", BESIDE_A_LOOP, f"{BESIDE}:ExecutorSQLite"),
            Entry(
                "sqlite3-executor-executemany",
                "sqlite3, run_in_executor, executemany",
                BESIDE_A_LOOP,
                f"{BESIDE}:ExecutorExecutemanySQLite",
            ),
            Entry("sqlite3-queue", "sqlite3, thread and queue", BESIDE_A_LOOP, f"{BESIDE}:QueueSQLite"),
            Entry(
                "dataflow-async-runtime",
                "DataFlow AsyncLocalRuntime",
                BESIDE_A_LOOP,
                f"{OURS_AT}:AsyncRuntimeDataFlow",
            ),
            Entry(
                "dataflow-async-calls", "DataFlow direct calls", BESIDE_A_LOOP, f"{OURS_AT}:AwaitedDataFlow"
            ),
            Entry("sqlalchemy-core-async", "SQLAlchemy Core", BESIDE_A_LOOP, f"{CORE}:AsyncCore", *ALCHEMY),
            Entry("sqlalchemy-orm-async", "SQLAlchemy ORM", BESIDE_A_LOOP, f"{ORM}:AsyncORM", *ALCHEMY),
            Entry(
                "tortoise",
                "Tortoise ORM",
                BESIDE_A_LOOP,
                f"{AT}.tortoise_orm:TortoiseORM",
                "tortoise-orm",
                "tortoise",
            ),
            Entry("piccolo", "Piccolo", BESIDE_A_LOOP, f"{AT}.piccolo_orm:Piccolo", "piccolo", "piccolo"),
        ),
    )
}
