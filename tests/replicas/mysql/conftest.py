"""A database with its copy on a replica."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dataflow.mysql.testing import MySQLReplica
from dataflow.testing.suite import server_of
from dataflow.url import DatabaseURL

from ..suite import until
from .following import LEADER, Pair, is_open


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    leader: Any = server_of(LEADER, request)
    follower: Any = server_of(MySQLReplica(primary=leader.place.get_connection_url()), request)
    with leader.database() as url:
        copy = replace(follower.place, database=DatabaseURL.parse(url).database)
        pair = Pair(url, copy.get_connection_url(), leader, follower)
        asyncio.run(until(lambda: is_open(pair.replica)))
        yield pair
        asyncio.run(pair.let_go())
