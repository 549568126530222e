"""A database of MySQL or MariaDB for each test."""

from collections.abc import Iterator

import pytest

from dataflow import DataFlow
from dataflow.mysql.testing import MySQL
from dataflow.testing.suite import server_of


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with server_of(MySQL(), request).database() as url:
        yield url


@pytest.fixture(params=["asyncmy", "aiomysql"])
def db(url: str, request: pytest.FixtureRequest) -> Iterator[DataFlow]:
    with DataFlow(f"{url}?driver={request.param}") as db:
        yield db
