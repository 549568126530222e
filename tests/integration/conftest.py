"""Databases for the tests of whole runs: real files, and SQLite in memory."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision
from dataflow.testing.suite import server_of

from .running import RUNTIMES, Execute


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a database that does not exist yet."""
    return tmp_path / "shop.db"


ON_POSTGRES = pytest.param(Postgres(), id="postgres", marks=pytest.mark.postgres)
ON_MYSQL = pytest.param(MySQL(), id="mysql", marks=pytest.mark.mysql)
ON_SQLITE = ("file", "memory")


def on(*databases: Any) -> pytest.MarkDecorator:
    """Which databases a test of ``db`` is about, where it is not about all of them."""
    return pytest.mark.parametrize("url", databases, indirect=True)


@pytest.fixture(params=[*ON_SQLITE, ON_POSTGRES, ON_MYSQL])
def url(request: pytest.FixtureRequest, file: Path) -> Iterator[str]:
    """An empty database: SQLite in a file and in memory, and one on each server."""
    if isinstance(request.param, Provision):
        with server_of(request.param, request).database() as url:
            yield url
    else:
        yield f"sqlite:///{file}" if request.param == "file" else "sqlite:///:memory:"


@pytest.fixture
def db(url: str) -> Iterator[DataFlow]:
    """A database with the model Item."""
    with DataFlow(url, pool_timeout=5) as db:
        define_item(db)
        yield db


@pytest.fixture
def file_db(file: Path) -> Iterator[DataFlow]:
    """A database with the model Item in a file."""
    with DataFlow(f"sqlite:///{file}", pool_timeout=5) as db:
        define_item(db)
        yield db


@pytest.fixture
def names(db: DataFlow) -> Callable[[], list[str]]:
    """Reads which items there are, in the order in which they were made."""
    return lambda: stored_names(db)


@pytest.fixture
def outside(file: Path) -> Callable[[str], list[tuple[object, ...]]]:
    """Queries the file through a connection that DataFlow knows nothing of."""

    def query(sql: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(file)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    return query


@pytest.fixture(params=RUNTIMES)
def execute(request: pytest.FixtureRequest) -> Execute:
    """Runs workflows by each of the runtimes."""
    return Execute(request.param)


class MakeDatabase(Protocol):
    """Makes a database with the model Item; without a URL in the test's file. The test's end closes it."""

    def __call__(self, url: str | None = None, **options: Any) -> DataFlow: ...


@pytest.fixture
def make_db(file: Path) -> Iterator[MakeDatabase]:
    made: list[DataFlow] = []

    def make(url: str | None = None, **options: Any) -> DataFlow:
        db = DataFlow(url or f"sqlite:///{file}", **options)
        made.append(db)
        define_item(db)
        return db

    yield make
    for db in made:
        with db:
            pass


def define_item(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        amount: int = 0
        code: str | None = None
        __dataflow__ = {"timestamps": False}  # noqa: RUF012 - as every model writes it


def stored_names(db: DataFlow) -> list[str]:
    workflow = WorkflowBuilder(db)
    workflow.add_node("ItemListNode", "all", {"order_by": ["id"]})
    results, _ = LocalRuntime().execute(workflow.build())
    return [record["name"] for record in results["all"]["records"]]
