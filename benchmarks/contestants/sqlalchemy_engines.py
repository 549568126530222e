"""What SQLAlchemy needs to know of each database: how one connects, how a time is stored, what an upsert is called."""

# pyright: reportMissingImports=false

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Engine, TypeDecorator, create_engine, event, make_url
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.databases.addresses import CONNECTIONS

__all__ = [
    "AUTOCOMMIT",
    "CHANGED_ON_CONFLICT",
    "KEY",
    "Document",
    "Moment",
    "async_engine",
    "begun",
    "sync_engine",
    "upsert",
]

AUTOCOMMIT: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
CHANGED_ON_CONFLICT = ("name", "age", "balance", "active", "meta", "updated_at")
DRIVERS = {"postgres": "postgresql+asyncpg", "mysql": "mysql+asyncmy"}

Document = JSON().with_variant(postgresql.JSONB(), "postgresql")
KEY = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


class Moment(TypeDecorator[datetime]):
    """A time with its zone: UTC in the database, where that has no zones."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        precise = mysql.DATETIME(fsp=6) if dialect.name in ("mysql", "mariadb") else DateTime()
        return dialect.type_descriptor(precise)

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value if dialect.name == "postgresql" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value if dialect.name == "postgresql" else value.replace(tzinfo=UTC)


def sync_engine(store: Any, **options: Any) -> Engine:
    """An engine for SQLite with the settings that all have."""
    return _with_settings(create_engine(f"sqlite:///{store.path.as_posix()}", **options), store)


def async_engine(store: Any, **options: Any) -> AsyncEngine:
    """An engine for a loop.

    By aiosqlite more connections than one make it slower: SQLite lets one write, Python one run.
    """
    if store.database == "sqlite":
        url = f"sqlite+aiosqlite:///{store.path.as_posix()}"
        engine = create_async_engine(url, pool_size=1, max_overflow=0, **options)
        _with_settings(engine.sync_engine, store)
        return engine
    address = make_url(store.url).set(drivername=DRIVERS[store.database])
    return create_async_engine(address, pool_size=CONNECTIONS, max_overflow=0, **options)


def upsert(store: Any, table: Any) -> Any:
    """An insert that changes the row whose email is there."""
    if store.database == "mysql":
        added = mysql.insert(table)
        return added.on_duplicate_key_update({name: added.inserted[name] for name in CHANGED_ON_CONFLICT})
    adding: Any = (sqlite if store.database == "sqlite" else postgresql).insert(table)
    changed = {name: adding.excluded[name] for name in CHANGED_ON_CONFLICT}
    return adding.on_conflict_do_update(index_elements=["email"], set_=changed)


def begun(store: Any) -> str | None:
    """What begins a transaction that writes, where SQLAlchemy's own way would not do."""
    return "BEGIN IMMEDIATE" if store.database == "sqlite" else None


def _with_settings(engine: Engine, store: Any) -> Engine:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        for setting in ("foreign_keys = ON", "journal_mode = WAL", f"synchronous = {store.synchronous}"):
            connection.execute(f"PRAGMA {setting}")

    return engine
