"""One address behind which another server answers next time: what is ended there is never a stranger's."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pymysql
import pytest

from dataflow import DataFlow
from dataflow.mysql.client import client
from dataflow.mysql.driver import MySQLConnection
from dataflow.mysql.killing import kill
from dataflow.mysql.options import MySQLOptions
from dataflow.mysql.testing import MySQL
from dataflow.testing.suite import server_of
from dataflow.url import DatabaseURL

from .proxy import Proxy, proxied

pytestmark = pytest.mark.mysql
SLEEP = "SELECT SLEEP(30)"
FIRST = MySQL(own=True, settings=("max-connections=150",))
NEXT = MySQL(own=True, settings=("max-connections=151",))
"""Two servers, as their settings are not the same."""


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of the server that answers first; it is new, so that its connections have small numbers."""
    with server_of(FIRST, request).database() as url:
        yield url


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Any:
    """The server that answers next time."""
    return server_of(NEXT, request)


@pytest.fixture
def other(server: Any, url: str) -> Iterator[str]:
    """The database of that name there."""
    name = DatabaseURL.parse(url).database
    with server.database() as other:
        with closing(connected(other)) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        yield replace(DatabaseURL.parse(other), database=name).get_connection_url()
        with closing(connected(other)) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    place = DatabaseURL.parse(url)
    with proxied(place.host or "", place.port or 0) as proxy:
        yield proxy


@pytest.fixture(params=["asyncmy", "aiomysql"])
def through_the_proxy(url: str, proxy: Proxy, request: pytest.FixtureRequest) -> str:
    place = replace(
        DatabaseURL.parse(url), host="127.0.0.1", port=proxy.port, options={"driver": request.param}
    )
    return place.get_connection_url()


def connected(url: str) -> Any:
    """A connection that DataFlow knows nothing of."""
    place = DatabaseURL.parse(url)
    return pymysql.connect(
        host=place.host, port=place.port or 0, user=place.username, password=place.password or ""
    )


def stranger(url: str, number: int) -> Any:
    """A connection that has this number on its server."""
    while (connection := connected(url)).thread_id() < number:
        connection.close()
    assert connection.thread_id() == number
    return connection


def latest_number(url: str) -> int:
    with closing(connected(url)) as connection:
        return int(connection.thread_id())


def works(connection: Any) -> bool:
    with connection.cursor() as cursor:
        return bool(cursor.execute("SELECT 1"))


async def opened(url: str, *, after: int) -> MySQLConnection:
    """A connection whose number is greater than those that there were on another server."""
    while True:
        connection = MySQLConnection(MySQLOptions.of(DatabaseURL.parse(url)), {}, lambda settings: None)
        await connection.open()
        if connection._raw.thread_id() > after:
            return connection
        await connection.close()


async def begun(url: str, number: int) -> None:
    """Wait until a connection is at its long statement."""
    async with DataFlow(url) as administrator:
        sql = "SELECT info FROM information_schema.processlist WHERE id = :number"
        while (await administrator.nodes.SQLNode(sql=sql, number=number))["records"] != [{"info": SLEEP}]:
            await asyncio.sleep(0)


async def runs(url: str, number: int) -> bool:
    async with DataFlow(url) as administrator:
        sql = "SELECT id FROM information_schema.processlist WHERE id = :number"
        return bool((await administrator.nodes.SQLNode(sql=sql, number=number))["count"])


def test_a_statement_that_is_cancelled_is_ended_on_its_server(url: str, through_the_proxy: str) -> None:
    async def main() -> None:
        connection = await opened(through_the_proxy, after=0)
        number = connection._raw.thread_id()
        statement = asyncio.ensure_future(connection.fetch(SLEEP, ()))
        await begun(url, number)
        statement.cancel()
        with pytest.raises(asyncio.CancelledError):
            await statement
        assert not connection.usable
        while await runs(url, number):
            await asyncio.sleep(0)

    asyncio.run(main())


def test_a_cancellation_after_a_failover_ends_no_statement_of_another_server(
    url: str, other: str, proxy: Proxy, through_the_proxy: str
) -> None:
    async def main() -> None:
        connection = await opened(through_the_proxy, after=latest_number(other))
        number = connection._raw.thread_id()
        statement = asyncio.ensure_future(connection.fetch(SLEEP, ()))
        await begun(url, number)
        elsewhere = DatabaseURL.parse(other)
        proxy.lead_to(elsewhere.host or "", elsewhere.port or 0)
        with closing(stranger(other, number)) as innocent:
            statement.cancel()
            with pytest.raises(asyncio.CancelledError):
                await statement
            assert not connection.usable
            assert works(innocent)

    asyncio.run(main())


def test_a_server_that_was_started_anew_gives_the_numbers_to_others(server: Any, other: str) -> None:
    options = MySQLOptions.of(DatabaseURL.parse(other))

    async def place_before() -> Any:
        connection = await opened(other, after=100)
        place = connection._place
        assert place is not None
        assert await kill(client(options.driver), options, place, "KILL")
        await connection.close()
        return place._replace(opened=place.opened - 60)  # the clocks of servers count seconds

    place = asyncio.run(place_before())
    server.kill()
    server.restart()
    with closing(stranger(other, place.number)) as innocent:
        assert not asyncio.run(kill(client(options.driver), options, place, "KILL"))
        assert works(innocent)
