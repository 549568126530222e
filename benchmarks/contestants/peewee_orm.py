"""Peewee: rows by ``dicts()``, ``RETURNING`` for the row, ``insert_many`` of dicts in chunks."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false, reportAttributeAccessIssue=false

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import peewee

from benchmarks.contestants.contract import InThread, Operation, chunks
from benchmarks.subject import Row

__all__ = ["Peewee"]

ROWS_AT_ONCE = 1000
CHANGES_AT_ONCE = 100


class Moment(peewee.DateTimeField):
    """A time with its zone: UTC in a database that has no zones, which gives it back as a text or without one."""

    def db_value(self, value: Any) -> Any:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")

    def python_value(self, value: Any) -> Any:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC)


class ZonedMoment(peewee.DateTimeField):
    """A time in a database that has zones."""

    field_type = "TIMESTAMPTZ"

    def python_value(self, value: Any) -> Any:
        return value


class Document(peewee.TextField):
    """JSON for MySQL and MariaDB: what Peewee has for it is a syntax error to MariaDB."""

    def db_value(self, value: Any) -> Any:
        return json.dumps(value)

    def python_value(self, value: Any) -> Any:
        return json.loads(value)


class Account(peewee.Model):
    id = peewee.BigAutoField()
    name = peewee.TextField()
    email = peewee.TextField(unique=True)
    age = peewee.BigIntegerField()
    balance = peewee.DoubleField()
    active = peewee.BooleanField()
    meta = peewee.JSONField()
    created_at = Moment()
    updated_at = Moment()

    class Meta:
        table_name = "accounts"


FITTING: Mapping[str, Mapping[str, type[peewee.Field]]] = {
    "postgres": {"created_at": ZonedMoment, "updated_at": ZonedMoment},
    "mysql": {"meta": Document},
}


class Peewee(InThread):
    def __init__(self, store: Any) -> None:
        self._db = _database(store)
        self._returns = self._db.returning_clause
        self._atomic = partial(self._db.atomic, *["IMMEDIATE"] if store.database == "sqlite" else [])
        for name, field in FITTING.get(store.database, {}).items():
            Account._meta.add_field(name, field())
        self._db.bind([Account])
        self._db.connect()

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": self._read,
            "create": self._create,
            "update": self._update,
            "delete": lambda id: Account.delete().where(Account.id == id).execute(),
            "list": self._list,
            "transfer": self._transfer,
            "bulk_create": lambda rows: self._many(rows, self._inserted),
            "upsert": lambda rows: self._many(rows, self._upserted),
            "bulk_update": self._bulk_update,
            "increment": lambda after: (
                Account.update(age=Account.age + 1, updated_at=_now()).where(Account.id > after).execute()
            ),
            "bulk_delete": lambda after: Account.delete().where(Account.id > after).execute(),
            "delete_ids": lambda ids: Account.delete().where(Account.id.in_(ids)).execute(),
            "aggregate": self._aggregate,
        }

    def close(self) -> None:
        self._db.close()

    def _read(self, id: int) -> Row:
        found: Row = Account.select().where(Account.id == id).dicts().get()
        return found

    def _create(self, row: Row) -> Row:
        now = _now()
        given = {**row, "created_at": now, "updated_at": now}
        if not self._returns:
            with self._atomic():
                return self._read(Account.insert(given).execute())
        return next(iter(Account.insert(given).returning(Account).dicts().execute()))

    def _update(self, change: tuple[int, float]) -> Row:
        id, balance = change
        query = Account.update(balance=balance, updated_at=_now()).where(Account.id == id)
        if not self._returns:
            with self._atomic():
                query.execute()
                return self._read(id)
        return next(iter(query.returning(Account).dicts().execute()))

    def _list(self, page: tuple[int, int]) -> list[Row]:
        after, most = page
        return list(Account.select().where(Account.id > after).order_by(Account.id).limit(most).dicts())

    def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row]:
        first, second, row = accounts
        with self._atomic():
            before = [self._read(first), self._read(second)]
            return [*before, self._update((first, 1.0)), self._update((second, 2.0)), self._create(row)]

    def _many(self, rows: Iterable[Row], query: Any) -> int:
        count = 0
        now = _now()
        stamps = {"created_at": now, "updated_at": now}
        with self._db.atomic():
            for some in chunks(rows, ROWS_AT_ONCE):
                query([{**row, **stamps} for row in some]).as_rowcount().execute()
                count += len(some)
        return count

    def _inserted(self, rows: list[Row]) -> Any:
        return Account.insert_many(rows)

    def _upserted(self, rows: list[Row]) -> Any:
        changed = [
            Account.name,
            Account.age,
            Account.balance,
            Account.active,
            Account.meta,
            Account.updated_at,
        ]
        target = {} if isinstance(self._db, peewee.MySQLDatabase) else {"conflict_target": [Account.email]}
        return Account.insert_many(rows).on_conflict(preserve=changed, **target)

    def _bulk_update(self, changes: Iterable[Row]) -> int:
        now = _now()
        accounts = [Account(**change, updated_at=now) for change in changes]
        with self._db.atomic():
            changed: int = Account.bulk_update(
                accounts, [Account.balance, Account.updated_at], batch_size=CHANGES_AT_ONCE
            )
        return changed

    def _aggregate(self, nothing: None) -> list[Row]:
        columns = (
            Account.age,
            peewee.fn.COUNT(Account.id).alias("n"),
            peewee.fn.SUM(Account.balance).alias("total"),
        )
        return list(Account.select(*columns).group_by(Account.age).order_by(Account.age).dicts())


def _database(store: Any) -> Any:
    if store.database == "sqlite":
        settings = {"foreign_keys": 1, "journal_mode": "wal", "synchronous": store.synchronous}
        return peewee.SqliteDatabase(store.path, pragmas=settings)
    kind = peewee.PostgresqlDatabase if store.database == "postgres" else peewee.MySQLDatabase
    return kind(**store.address._asdict())


def _now() -> datetime:
    return datetime.now(UTC)
