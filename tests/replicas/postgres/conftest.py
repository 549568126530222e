"""A database with its copy on a replica for each test."""

import asyncio
from collections.abc import Iterator

import pytest

from dataflow import DataFlow

from ..suite import define_item
from .streaming import Pair, pair_of


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with pair_of(request) as pair:
        yield pair
        asyncio.run(pair.let_go())


@pytest.fixture
def db(pair: Pair) -> Iterator[DataFlow]:
    with DataFlow(pair.primary, read_replica=pair.replica, pool_timeout=10) as db:
        define_item(db)
        yield db
