"""A database of PostgreSQL for each test."""

from collections.abc import Iterator

import pytest

from dataflow import DataFlow
from dataflow.postgres.testing import Postgres
from dataflow.testing.suite import server_of


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with server_of(Postgres(), request).database() as url:
        yield url


@pytest.fixture
def db(url: str) -> Iterator[DataFlow]:
    with DataFlow(url) as db:
        yield db
