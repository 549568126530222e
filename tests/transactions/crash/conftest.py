"""Pairs of databases on which a transfer may die, each on servers that can prepare a transaction."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision
from dataflow.testing.suite import server_of

from .books import Books
from .walker import Processes

ONE = Postgres(settings=("max_prepared_transactions=20",))
ANOTHER = Postgres(settings=("max_prepared_transactions=21",))
MARIADB = MySQL(settings=("max-connections=301",))

PAIRS = (
    pytest.param((ONE, ANOTHER), id="postgres-postgres", marks=pytest.mark.postgres),
    pytest.param((ONE, MARIADB), id="postgres-mysql", marks=(pytest.mark.postgres, pytest.mark.mysql)),
    pytest.param((None, ONE), id="sqlite-postgres", marks=pytest.mark.postgres),
)
"""Without a provision it is SQLite, in a file."""

ACCOUNTS = 100


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes


@pytest.fixture(params=PAIRS)
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two databases that are empty, on servers of their own."""
    with ExitStack() as stack:

        def url(provision: Provision | None) -> str:
            if provision is None:
                return f"sqlite:///{tmp_path}/bank.db"
            return stack.enter_context(server_of(provision, request).database())

        first, second = request.param
        yield url(first), url(second)


@pytest.fixture
def books(urls: tuple[str, str]) -> Iterator[Books]:
    """The books of a bank that has opened."""
    books = Books(urls)
    try:
        books.open(ACCOUNTS)
        yield books
    finally:
        books.close()
