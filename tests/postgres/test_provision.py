"""The databases for tests: what one test leaves is in nobody's way."""

import asyncio

import asyncpg
import pytest

from dataflow.postgres.testing import Postgres
from dataflow.testing.suite import server_of


def test_a_database_is_emptied_of_what_was_prepared_and_not_ended(request: pytest.FixtureRequest) -> None:
    async def prepare(url: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("BEGIN; CREATE TABLE held (amount integer); PREPARE TRANSACTION 'left'")
        await connection.close()

    async def count(url: str) -> int:
        connection = await asyncpg.connect(url)
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"
        )
        await connection.close()
        return int(found)

    server = server_of(Postgres(), request)
    with server.database() as url:
        asyncio.run(prepare(url))
    with server.database() as url:
        assert asyncio.run(count(url)) == 0
