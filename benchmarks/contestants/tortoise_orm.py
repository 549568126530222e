"""Tortoise ORM: one row as an instance, pages by ``values()``, ``bulk_create`` in batches.

An update reads, changes and saves an instance, without a transaction around it, as that would take three times as long.
Its upsert for MySQL is a syntax error to MariaDB.
"""

# pyright: reportMissingImports=false

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tortoise import Model, Tortoise, connections, fields
from tortoise.expressions import F
from tortoise.functions import Count, Sum
from tortoise.transactions import in_transaction

from benchmarks.contestants.contract import OnLoop, Operation, chunks
from benchmarks.databases.addresses import CONNECTIONS
from benchmarks.subject import Row

__all__ = ["Account", "TortoiseORM"]

ROWS_AT_ONCE = 10_000
CHANGES_AT_ONCE = 200


class Account(Model):
    id = fields.BigIntField(primary_key=True)
    name = fields.TextField()
    email = fields.CharField(255, unique=True)
    age = fields.BigIntField()
    balance = fields.FloatField()
    active = fields.BooleanField()
    meta: Any = fields.JSONField()
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "accounts"


class TortoiseORM(OnLoop):
    def __init__(self, store: Any) -> None:
        super().__init__()
        self._runner.run(self._begin(store))
        self._unknown = {"upsert"} if store.database == "mysql" and self._runner.run(_is_mariadb()) else set()

    def operations(self) -> Mapping[str, Operation]:
        return {name: work for name, work in self._offered().items() if name not in self._unknown}

    def _offered(self) -> Mapping[str, Operation]:
        return {
            "read": _read,
            "create": _create,
            "update": _update,
            "delete": lambda id: Account.filter(id=id).delete(),
            "list": lambda page: Account.filter(id__gt=page[0]).order_by("id").limit(page[1]).values(),
            "transfer": self._transfer,
            "bulk_create": self._bulk_create,
            "upsert": self._upsert,
            "bulk_update": self._bulk_update,
            "increment": lambda after: Account.filter(id__gt=after).update(
                age=F("age") + 1, updated_at=_now()
            ),
            "bulk_delete": lambda after: Account.filter(id__gt=after).delete(),
            "delete_ids": lambda ids: Account.filter(id__in=ids).delete(),
            "aggregate": lambda nothing: (
                Account.annotate(n=Count("id"), total=Sum("balance"))
                .group_by("age")
                .order_by("age")
                .values("age", "n", "total")
            ),
        }

    async def finish(self) -> None:
        await Tortoise.close_connections()

    async def _begin(self, store: Any) -> None:
        await Tortoise.init(
            {
                "connections": {"default": _connection(store)},
                "apps": {"bench": {"models": [__name__], "default_connection": "default"}},
            }
        )

    async def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row]:
        first, second, row = accounts
        async with in_transaction():
            return [
                await _read(first),
                await _read(second),
                await _update((first, 1.0)),
                await _update((second, 2.0)),
                await _create(row),
            ]

    async def _bulk_create(self, rows: Iterable[Row]) -> int:
        count = 0
        async with in_transaction():
            for some in chunks(rows, ROWS_AT_ONCE):
                await Account.bulk_create([Account(**row) for row in some])
                count += len(some)
        return count

    async def _upsert(self, rows: Iterable[Row]) -> int:
        count = 0
        changed = ["name", "age", "balance", "active", "meta", "updated_at"]
        async with in_transaction():
            for some in chunks(rows, ROWS_AT_ONCE):
                accounts = [Account(**row) for row in some]
                await Account.bulk_create(accounts, on_conflict=["email"], update_fields=changed)
                count += len(some)
        return count

    async def _bulk_update(self, changes: Iterable[Row]) -> int:
        now = _now()
        accounts = [Account(**change, updated_at=now) for change in changes]
        async with in_transaction():
            return await Account.bulk_update(accounts, ["balance", "updated_at"], CHANGES_AT_ONCE)


def _connection(store: Any) -> Row:
    if store.database == "sqlite":
        credentials = {"file_path": str(store.path), "synchronous": store.synchronous}
        return {"engine": "tortoise.backends.sqlite", "credentials": credentials}
    engine = {"postgres": "asyncpg", "mysql": "mysql"}[store.database]
    pool = {"minsize": CONNECTIONS, "maxsize": CONNECTIONS}
    return {"engine": f"tortoise.backends.{engine}", "credentials": {**store.address._asdict(), **pool}}


async def _is_mariadb() -> bool:
    _, (row,) = await connections.get("default").execute_query("SELECT version() AS version")
    return "MariaDB" in row["version"]


async def _read(id: int) -> Row:
    return dict(await Account.get(id=id))


async def _create(row: Row) -> Row:
    return dict(await Account.create(**row))


async def _update(change: tuple[int, float]) -> Row:
    id, balance = change
    account = await Account.get(id=id)
    account.balance = balance
    await account.save(update_fields=["balance", "updated_at"])
    return dict(account)


def _now() -> datetime:
    return datetime.now(UTC)
