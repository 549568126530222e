"""Who takes part on SQLite."""

from benchmarks.entries import Aim, Database, Entry, Group, Near
from benchmarks.lineup.rivals import CONTESTANTS, DJANGO, PEEWEE, PICCOLO, SQLALCHEMY, TORTOISE, rival
from benchmarks.lineup.steps import AS_STEPS

__all__ = ["SQLITE"]

IN_THREAD = Group("In the calling thread", "sqlite3", ("sqlite3", "sqlite3-executemany"))
ON_LOOP = Group(
    "On an event loop",
    "sqlite3-executor",
    ("sqlite3-executor", "sqlite3-executor-executemany"),
    on_loop=True,
)

PLAIN = f"{CONTESTANTS}.plain_sqlite"
BESIDE = f"{CONTESTANTS}.sqlite_beside_a_loop"
OURS = f"{CONTESTANTS}.dataflow"

SQLITE = Database(
    "benchmarks.databases.sqlite:SQLiteStores",
    "dataflow-sqlite",
    "dataflow-runtime",
    (
        Entry("sqlite3", "sqlite3", IN_THREAD, f"{PLAIN}:PlainSQLite"),
        Entry("sqlite3-executemany", "sqlite3, executemany", IN_THREAD, f"{PLAIN}:ExecutemanySQLite"),
        Entry(
            "sqlite3-undecoded", "sqlite3, undecoded", IN_THREAD, f"{PLAIN}:UndecodedSQLite", decodes=False
        ),
        Entry("dataflow-runtime", "DataFlow LocalRuntime", IN_THREAD, f"{OURS}:RuntimeDataFlow"),
        Entry("dataflow-calls", "DataFlow direct calls", IN_THREAD, f"{OURS}:CalledDataFlow"),
        rival("sqlalchemy-core", "SQLAlchemy Core", IN_THREAD, "sqlalchemy_core:Core", SQLALCHEMY),
        rival("sqlalchemy-orm", "SQLAlchemy ORM", IN_THREAD, "sqlalchemy_orm:ORM", SQLALCHEMY),
        rival("django", "Django", IN_THREAD, "django_orm:Django", DJANGO),
        rival("peewee", "Peewee", IN_THREAD, "peewee_orm:Peewee", PEEWEE),
        Entry("sqlite3-executor", "sqlite3, run_in_executor", ON_LOOP, f"{BESIDE}:ExecutorSQLite"),
        Entry(
            "sqlite3-executor-executemany",
            "sqlite3, run_in_executor, executemany",
            ON_LOOP,
            f"{BESIDE}:ExecutorExecutemanySQLite",
        ),
        Entry("sqlite3-queue", "sqlite3, thread and queue", ON_LOOP, f"{BESIDE}:QueueSQLite"),
        Entry(
            "dataflow-async-runtime", "DataFlow AsyncLocalRuntime", ON_LOOP, f"{OURS}:AsyncRuntimeDataFlow"
        ),
        Entry("dataflow-async-calls", "DataFlow direct calls", ON_LOOP, f"{OURS}:AwaitedDataFlow"),
        rival("sqlalchemy-core-async", "SQLAlchemy Core", ON_LOOP, "sqlalchemy_core:AsyncCore", SQLALCHEMY),
        rival("sqlalchemy-orm-async", "SQLAlchemy ORM", ON_LOOP, "sqlalchemy_orm:AsyncORM", SQLALCHEMY),
        rival("tortoise", "Tortoise ORM", ON_LOOP, "tortoise_orm:TortoiseORM", TORTOISE),
        rival("piccolo", "Piccolo", ON_LOOP, "piccolo_orm:Piccolo", PICCOLO),
        *AS_STEPS,
    ),
    (
        Aim("dataflow-runtime", "LocalRuntime is ahead of every rival", (IN_THREAD, ON_LOOP)),
        Aim(
            "dataflow-async-runtime",
            "AsyncLocalRuntime is ahead of every asynchronous rival",
            (ON_LOOP,),
            Near("AsyncLocalRuntime stays near sqlite3 in one worker thread", 1.3, 1.2, {"transfer": 1.2}),
        ),
    ),
    extras=frozenset({"footprint", "startup", "layers"}),
)
