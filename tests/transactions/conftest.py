"""Databases for the tests of what happens as a whole over several of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dataflow import DataFlow, WorkflowBuilder
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision
from dataflow.testing.suite import server_of
from dataflow.workflow.graph import Workflow

At = Callable[[str, Callable[[], object]], None]
PLACES_IN = ("branches", "coordinator", "homes", "in_doubt")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Has something happen at a place of the code, once."""
    waiting: dict[str, Callable[[], object]] = {}

    def passing(name: str) -> None:
        if name in waiting:
            waiting.pop(name)()

    for module in PLACES_IN:
        monkeypatch.setattr(f"dataflow.transactions.{module}.crash_point", passing)
    return waiting.__setitem__


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


ON_POSTGRES = pytest.param(Postgres(), id="postgres", marks=pytest.mark.postgres)
ON_MYSQL = pytest.param(MySQL(), id="mysql", marks=pytest.mark.mysql)


@pytest.fixture(params=["file", ON_POSTGRES, ON_MYSQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database: SQLite in a file, and one on each server."""
    if isinstance(request.param, Provision):
        with server_of(request.param, request).database() as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path}/shop.db"


@pytest.fixture
def db(url: str) -> Iterator[DataFlow]:
    """A database with the models Account and Order."""
    with DataFlow(url, pool_timeout=5) as db:
        define_models(db)
        yield db


@pytest.fixture
def file_db(tmp_path: Path) -> Iterator[DataFlow]:
    """The same in a file."""
    with DataFlow(f"sqlite:///{tmp_path}/shop.db", pool_timeout=5) as db:
        define_models(db)
        yield db


@pytest.fixture
def closing() -> Iterator[Callable[[DataFlow], DataFlow]]:
    """Closes a database when the test ends."""
    with ExitStack() as stack:
        yield stack.enter_context


def define_models(db: DataFlow) -> None:
    @db.model
    class Account:
        owner: str
        balance: int = 0

    @db.model
    class Order:
        item: str
        amount: int = 1
        code: str | None = None


def saga_of(db: DataFlow, *steps: dict[str, Any], **parameters: Any) -> Workflow:
    """A workflow that is a saga and nothing else."""
    workflow = WorkflowBuilder(db)
    workflow.add_node(
        "TransactionManagerNode", "saga", {"pattern": "saga", "steps": list(steps), **parameters}
    )
    return workflow.build()


def rows(db: DataFlow, model: str) -> list[dict[str, Any]]:
    """All rows of a model, by their keys."""
    records: list[dict[str, Any]] = db.run_sync(getattr(db.nodes, f"{model}ListNode")(order_by=["id"]))[
        "records"
    ]
    return records
