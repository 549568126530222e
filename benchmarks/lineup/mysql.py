"""Who takes part on MySQL and MariaDB."""

from benchmarks.entries import Aim, Database, Entry, Group, Near, Package
from benchmarks.lineup.rivals import CONTESTANTS, DJANGO, PEEWEE, SQLALCHEMY, TORTOISE, rival
from benchmarks.lineup.steps import AS_STEPS

__all__ = ["MYSQL"]

ASYNCMY = Package("asyncmy", "asyncmy")
AIOMYSQL = Package("aiomysql", "aiomysql")
PYMYSQL = Package("pymysql", "pymysql")

ON_LOOP = Group("On an event loop", "asyncmy", ("asyncmy", "aiomysql-load-data"), on_loop=True)
IN_THREAD = Group("In a program without a loop", "pymysql", ("pymysql",))

PLAIN = f"{CONTESTANTS}.plain_mysql"
SYNC = f"{CONTESTANTS}.plain_pymysql"
OURS = f"{CONTESTANTS}.dataflow"
ROW_BY_ROW = 0.01
LIMITS = {"transfer": 1.15, "upsert": 1.3, "bulk_update": 1.3}

MYSQL = Database(
    "benchmarks.databases.mysql:MySQLStores",
    "dataflow-mysql",
    "dataflow-async-runtime",
    (
        Entry("asyncmy", "asyncmy, pooled", ON_LOOP, f"{PLAIN}:PooledAsyncmy", (ASYNCMY,)),
        Entry("asyncmy-held", "asyncmy, one connection", ON_LOOP, f"{PLAIN}:HeldAsyncmy", (ASYNCMY,)),
        Entry("aiomysql", "aiomysql, pooled", ON_LOOP, f"{PLAIN}:PooledAiomysql", (AIOMYSQL,)),
        Entry("aiomysql-load-data", "aiomysql, LOAD DATA", ON_LOOP, f"{PLAIN}:LoadingAiomysql", (AIOMYSQL,)),
        Entry(
            "dataflow-async-runtime",
            "DataFlow AsyncLocalRuntime",
            ON_LOOP,
            f"{OURS}:AsyncRuntimeDataFlow",
            (ASYNCMY,),
        ),
        Entry(
            "dataflow-async-calls",
            "DataFlow direct calls",
            ON_LOOP,
            f"{OURS}:AwaitedDataFlow",
            (ASYNCMY,),
        ),
        Entry(
            "dataflow-aiomysql",
            "DataFlow on aiomysql",
            ON_LOOP,
            f"{OURS}:AiomysqlDataFlow",
            (AIOMYSQL,),
        ),
        rival(
            "sqlalchemy-core-async",
            "SQLAlchemy Core",
            ON_LOOP,
            "sqlalchemy_core:AsyncCore",
            SQLALCHEMY,
            ASYNCMY,
        ),
        rival(
            "sqlalchemy-orm-async", "SQLAlchemy ORM", ON_LOOP, "sqlalchemy_orm:AsyncORM", SQLALCHEMY, ASYNCMY
        ),
        rival(
            "sqlalchemy-orm-each",
            "SQLAlchemy ORM, row by row",
            ON_LOOP,
            "sqlalchemy_each:EachORM",
            SQLALCHEMY,
            ASYNCMY,
            share=ROW_BY_ROW,
        ),
        rival("tortoise", "Tortoise ORM", ON_LOOP, "tortoise_orm:TortoiseORM", TORTOISE, ASYNCMY),
        Entry("pymysql", "PyMySQL", IN_THREAD, f"{SYNC}:PlainPyMySQL", (PYMYSQL,)),
        Entry("dataflow-runtime", "DataFlow LocalRuntime", IN_THREAD, f"{OURS}:RuntimeDataFlow"),
        rival("django", "Django", IN_THREAD, "django_orm:Django", DJANGO, PYMYSQL),
        rival(
            "django-each",
            "Django, row by row",
            IN_THREAD,
            "django_orm:EachDjango",
            DJANGO,
            PYMYSQL,
            share=ROW_BY_ROW,
        ),
        rival("peewee", "Peewee", IN_THREAD, "peewee_orm:Peewee", PEEWEE, PYMYSQL),
        *AS_STEPS,
    ),
    (
        Aim(
            "dataflow-async-runtime",
            "AsyncLocalRuntime is ahead of every rival",
            (ON_LOOP, IN_THREAD),
            Near("AsyncLocalRuntime stays near asyncmy", 1.25, 1.25, LIMITS),
        ),
        Aim("dataflow-runtime", "LocalRuntime is ahead of every synchronous rival", (IN_THREAD,)),
    ),
    extras=frozenset({"layers"}),
)
