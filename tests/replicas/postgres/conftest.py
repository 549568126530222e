"""A database with its copy on a replica."""

import asyncio
from collections.abc import Iterator

import pytest

from .streaming import Pair, pair_of


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with pair_of(request) as pair:
        yield pair
        asyncio.run(pair.let_go())
