"""Django: rows by ``values()``, ``update()`` and ``delete()`` of querysets, ``bulk_create`` in batches."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import django
from django.conf import settings

from benchmarks.contestants.contract import InThread, Operation, chunks
from benchmarks.subject import Row

__all__ = ["Django", "EachDjango"]

ROWS_AT_ONCE = 10_000


class Django(InThread):
    def __init__(self, store: Any) -> None:
        settings.configure(
            DATABASES={"default": {**_connection(store), "CONN_MAX_AGE": None}}, USE_TZ=True, TIME_ZONE="UTC"
        )
        django.setup()
        # Models can only be defined once the settings are there.
        from django.db import connection, models, transaction
        from django.db.models import Count, F, Sum

        class Account(models.Model):
            id = models.BigAutoField(primary_key=True)
            name = models.TextField()
            email = models.TextField(unique=True)
            age = models.BigIntegerField()
            balance = models.FloatField()
            active = models.BooleanField()
            meta = models.JSONField()
            created_at = models.DateTimeField(auto_now_add=True)
            updated_at = models.DateTimeField(auto_now=True)

            class Meta:
                app_label = "bench"
                db_table = "accounts"

        self._connection = connection
        self._accounts = Account.objects
        self._model = Account
        self._atomic = transaction.atomic
        self._by_age = (
            self._accounts.values("age").annotate(n=Count("id"), total=Sum("balance")).order_by("age")
        )
        self._older = F("age") + 1
        # MySQL takes any unique key that is violated.
        by_email = connection.features.supports_update_conflicts_with_target
        self._conflict: dict[str, Any] = {
            "update_conflicts": True,
            "unique_fields": ["email"] if by_email else None,
            "update_fields": ["name", "age", "balance", "active", "meta", "updated_at"],
        }

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": self._read,
            "create": self._create,
            "update": self._update,
            "delete": lambda id: self._accounts.filter(id=id).delete()[0],
            "list": self._list,
            "transfer": self._transfer,
            "bulk_create": self._bulk_create,
            "upsert": self._upsert,
            "bulk_update": self._bulk_update,
            "increment": lambda after: self._accounts.filter(id__gt=after).update(
                age=self._older, updated_at=_now()
            ),
            "bulk_delete": lambda after: self._accounts.filter(id__gt=after).delete()[0],
            "delete_ids": lambda ids: self._accounts.filter(id__in=ids).delete()[0],
            "aggregate": lambda nothing: list(self._by_age.all()),
        }

    def close(self) -> None:
        self._connection.close()

    def _read(self, id: int) -> Row:
        found: Row = self._accounts.values().get(id=id)
        return found

    def _create(self, row: Row) -> Row:
        account = self._accounts.create(**row)
        return {field.attname: getattr(account, field.attname) for field in self._model._meta.concrete_fields}

    def _update(self, change: tuple[int, float]) -> Row:
        id, balance = change
        with self._atomic():
            return self._updated(id, balance)

    def _list(self, page: tuple[int, int]) -> list[Row]:
        after, most = page
        return list(self._accounts.filter(id__gt=after).order_by("id").values()[:most])

    def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row]:
        first, second, row = accounts
        with self._atomic():
            before = [self._read(first), self._read(second)]
            updated = [self._updated(first, 1.0), self._updated(second, 2.0)]
            return [*before, *updated, self._create(row)]

    def _updated(self, id: int, balance: float) -> Row:
        self._accounts.filter(id=id).update(balance=balance, updated_at=_now())
        return self._read(id)

    def _bulk_create(self, rows: Iterable[Row]) -> int:
        count = 0
        with self._atomic():
            for some in chunks(rows, ROWS_AT_ONCE):
                count += len(self._accounts.bulk_create([self._model(**row) for row in some]))
        return count

    def _upsert(self, rows: Iterable[Row]) -> int:
        count = 0
        with self._atomic():
            for some in chunks(rows, ROWS_AT_ONCE):
                count += len(
                    self._accounts.bulk_create([self._model(**row) for row in some], **self._conflict)
                )
        return count

    def _bulk_update(self, changes: Iterable[Row]) -> int:
        now = _now()
        accounts = [self._model(**change, updated_at=now) for change in changes]
        # A statement for all of them would take PostgreSQL minutes: it looks at each case for each row.
        changed: int = self._accounts.bulk_update(accounts, ["balance", "updated_at"], batch_size=500)
        return changed


class EachDjango(Django):
    """As it is often used: a statement for each row, in one transaction."""

    def operations(self) -> Mapping[str, Operation]:
        accounts = self._accounts
        return {
            "bulk_create": lambda rows: self._each(rows, lambda row: accounts.create(**row)),
            "upsert": lambda rows: self._each(
                rows, lambda row: accounts.update_or_create(email=row["email"], defaults=row)
            ),
            "bulk_update": lambda changes: self._each(changes, self._save),
            "delete_ids": lambda ids: self._each(ids, lambda id: accounts.get(id=id).delete()),
        }

    def _each(self, items: Iterable[Any], work: Callable[[Any], Any]) -> int:
        count = 0
        with self._atomic():
            for item in items:
                work(item)
                count += 1
        return count

    def _save(self, change: Row) -> None:
        account = self._accounts.get(id=change["id"])
        account.balance = change["balance"]
        account.save()


def _connection(store: Any) -> Row:
    if store.database == "sqlite":
        pragmas = ("foreign_keys = ON", "journal_mode = WAL", f"synchronous = {store.synchronous}")
        options = {
            "transaction_mode": "IMMEDIATE",
            "init_command": "; ".join(f"PRAGMA {pragma}" for pragma in pragmas),
        }
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": store.path, "OPTIONS": options}
    if store.database == "mysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    return {
        "ENGINE": {"postgres": "django.db.backends.postgresql", "mysql": "django.db.backends.mysql"}[
            store.database
        ],
        "HOST": store.address.host,
        "PORT": store.address.port,
        "USER": store.address.user,
        "PASSWORD": store.address.password,
        "NAME": store.address.database,
    }


def _now() -> Any:
    return datetime.datetime.now(datetime.UTC)
