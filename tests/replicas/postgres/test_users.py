"""Replicas as others set them up: users who may do little, passwords as they are typed, a primary that is away."""

import ast
import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import ConnectionLost
from dataflow.testing.suite import server_of
from dataflow.url import DatabaseURL
from tests.seeds.seed import examples

from ..suite import until
from .streaming import PRIMARY, Pair, catch_up, is_there, value

ADMIN, READER = ("admin", "MySecret#123$"), ("readonly", "Complex@Pass!")
"""As the example has them."""


@pytest.fixture
def with_users(pair: Pair) -> Iterator[Pair]:
    """One who owns the database and one who may only read, as somebody without rights otherwise."""
    name = DatabaseURL.parse(pair.primary).database
    rights = [
        f"ALTER DATABASE {name} OWNER TO admin",
        "GRANT ALL ON SCHEMA public TO admin",
        "ALTER DEFAULT PRIVILEGES FOR ROLE admin GRANT SELECT ON TABLES TO readonly",
    ]
    leaving = [f"ALTER DATABASE {name} OWNER TO postgres"]
    leaving += [f"DROP OWNED BY {user}" for user, _ in (ADMIN, READER)]
    leaving += [f"DROP ROLE {user}" for user, _ in (ADMIN, READER)]

    async def run(statements: list[str]) -> None:
        for statement in statements:
            await value(pair.primary, statement)
        await catch_up(pair)

    asyncio.run(
        run([f"CREATE ROLE {user} LOGIN PASSWORD '{word}'" for user, word in (ADMIN, READER)] + rights)
    )
    yield pair
    asyncio.run(run(leaving))


def test_the_first_example_of_a_replica_runs_on_servers(with_users: Pair) -> None:
    """Its text with other hosts and databases; users and passwords are those that it has."""
    primary, replica = map(DatabaseURL.parse, (with_users.primary, with_users.replica))
    code = examples()[47].code
    for theirs, ours in (
        ("localhost:5432/production", f"127.0.0.1:{primary.port}/{primary.database}"),
        ("replica:5432/production", f"127.0.0.1:{replica.port}/{replica.database}"),
    ):
        assert theirs in code
        code = code.replace(theirs, ours)
    names: dict[str, Any] = {"__name__": "seed", "DataFlow": DataFlow}
    *_, with_replica, user, _ = ast.parse(code).body
    for statement in (with_replica, user):
        exec(compile(ast.Module([statement], []), "seed", "exec"), names)
    with names["db"] as db:
        db.run_sync(db.nodes.UserCreateNode(name="Ann", email="ann@example.com"))
        assert db.run_sync(db.nodes.UserListNode())["count"] == 1
        asyncio.run(until(lambda: is_read_by(db, "readonly")))


async def is_read_by(db: DataFlow, name: str) -> bool:
    found = await db.nodes.SQLNode(sql="SELECT current_user::text AS name, count(*) FROM users")
    return bool(found["records"][0]["name"] == name)


def test_who_only_reads_goes_on_while_the_primary_is_away(request: pytest.FixtureRequest, pair: Pair) -> None:
    @asynccontextmanager
    async def without_primary() -> AsyncIterator[None]:
        leader = server_of(PRIMARY, request)
        await asyncio.to_thread(leader.kill)
        try:
            yield
        finally:
            await asyncio.to_thread(leader.restart)

    async def main() -> None:
        async with DataFlow(pair.primary, read_replica=pair.replica) as db:
            await until(lambda: is_there(db))
            async with without_primary():
                with pytest.raises(ConnectionLost):
                    await db.nodes.SQLNode(sql="CREATE TABLE numbers (id int)")
                for _ in range(10):
                    assert await is_there(db)
            await db.nodes.SQLNode(sql="CREATE TABLE numbers (id int)")
            async with without_primary():
                # Nobody can tell how far the replica must be to have that table.
                with pytest.raises(ConnectionLost):
                    await is_there(db)
            await until(lambda: is_there(db))

    asyncio.run(main())
