"""Who takes part on PostgreSQL."""

from benchmarks.entries import Aim, Database, Entry, Group, Near, Package
from benchmarks.lineup.rivals import CONTESTANTS, DJANGO, PEEWEE, PICCOLO, SQLALCHEMY, TORTOISE, rival
from benchmarks.lineup.steps import AS_STEPS

__all__ = ["POSTGRES"]

ASYNCPG = Package("asyncpg", "asyncpg")
PSYCOPG = Package("psycopg", "psycopg")
PSYCOPG2 = Package("psycopg2-binary", "psycopg2")

ON_LOOP = Group("On an event loop", "asyncpg", ("asyncpg", "asyncpg-other-ways"), on_loop=True)
IN_THREAD = Group("In a program without a loop", "psycopg", ("psycopg",))

PLAIN = f"{CONTESTANTS}.plain_postgres"
SYNC = f"{CONTESTANTS}.plain_psycopg"
OURS = f"{CONTESTANTS}.dataflow"
ROW_BY_ROW = 0.01

POSTGRES = Database(
    "benchmarks.databases.postgres:PostgresStores",
    "dataflow-postgres",
    "dataflow-async-runtime",
    (
        Entry("asyncpg", "asyncpg, pooled", ON_LOOP, f"{PLAIN}:PooledPostgres", (ASYNCPG,)),
        Entry("asyncpg-held", "asyncpg, one connection", ON_LOOP, f"{PLAIN}:HeldPostgres", (ASYNCPG,)),
        Entry("asyncpg-pool", "asyncpg, its own pool", ON_LOOP, f"{PLAIN}:OwnPoolPostgres", (ASYNCPG,)),
        Entry("asyncpg-other-ways", "asyncpg, other ways", ON_LOOP, f"{PLAIN}:OtherWaysPostgres", (ASYNCPG,)),
        Entry(
            "dataflow-async-runtime", "DataFlow AsyncLocalRuntime", ON_LOOP, f"{OURS}:AsyncRuntimeDataFlow"
        ),
        Entry("dataflow-async-calls", "DataFlow direct calls", ON_LOOP, f"{OURS}:AwaitedDataFlow"),
        rival(
            "sqlalchemy-core-async",
            "SQLAlchemy Core",
            ON_LOOP,
            "sqlalchemy_core:AsyncCore",
            SQLALCHEMY,
            ASYNCPG,
        ),
        rival(
            "sqlalchemy-orm-async", "SQLAlchemy ORM", ON_LOOP, "sqlalchemy_orm:AsyncORM", SQLALCHEMY, ASYNCPG
        ),
        rival(
            "sqlalchemy-orm-each",
            "SQLAlchemy ORM, row by row",
            ON_LOOP,
            "sqlalchemy_each:EachORM",
            SQLALCHEMY,
            ASYNCPG,
            share=ROW_BY_ROW,
        ),
        rival("tortoise", "Tortoise ORM", ON_LOOP, "tortoise_orm:TortoiseORM", TORTOISE, ASYNCPG),
        rival("piccolo", "Piccolo", ON_LOOP, "piccolo_orm:Piccolo", PICCOLO, ASYNCPG),
        Entry("psycopg", "psycopg", IN_THREAD, f"{SYNC}:PlainPsycopg", (PSYCOPG,)),
        Entry("dataflow-runtime", "DataFlow LocalRuntime", IN_THREAD, f"{OURS}:RuntimeDataFlow"),
        rival("django", "Django", IN_THREAD, "django_orm:Django", DJANGO, PSYCOPG),
        rival(
            "django-each",
            "Django, row by row",
            IN_THREAD,
            "django_orm:EachDjango",
            DJANGO,
            PSYCOPG,
            share=ROW_BY_ROW,
        ),
        rival("peewee", "Peewee", IN_THREAD, "peewee_orm:Peewee", PEEWEE, PSYCOPG2),
        *AS_STEPS,
    ),
    (
        Aim(
            "dataflow-async-runtime",
            "AsyncLocalRuntime is ahead of every rival",
            (ON_LOOP, IN_THREAD),
            Near(
                "AsyncLocalRuntime stays near asyncpg",
                1.25,
                1.25,
                {"transfer": 1.15, "upsert": 1.3, "bulk_update": 1.3},
            ),
        ),
        Aim("dataflow-runtime", "LocalRuntime is ahead of every synchronous rival", (IN_THREAD,)),
    ),
    extras=frozenset({"layers"}),
)
