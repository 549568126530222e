"""Databases by name: models choose, a run has a transaction on each, and what that does not promise is said."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    ConfigurationError,
    ConnectionLost,
    ModelError,
    UniqueViolation,
    WorkflowExecutionError,
)
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing.suite import server_of
from dataflow.testing.waiting import free_port
from dataflow.workflow.graph import Workflow

ON = {"postgres": Postgres(), "mysql": MySQL()}
PAIRS = [
    pytest.param(("file", "file"), id="sqlite-sqlite"),
    pytest.param(("file", "postgres"), id="sqlite-postgres", marks=pytest.mark.postgres),
    pytest.param(("postgres", "postgres"), id="postgres-postgres", marks=pytest.mark.postgres),
    pytest.param(("mysql", "file"), id="mysql-sqlite", marks=pytest.mark.mysql),
    pytest.param(("postgres", "mysql"), id="postgres-mysql", marks=[pytest.mark.postgres, pytest.mark.mysql]),
]


@pytest.fixture
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Two databases that are empty."""
    with ExitStack() as stack:
        yield [
            f"sqlite:///{tmp_path}/{number}.db"
            if kind == "file"
            else stack.enter_context(server_of(ON[kind], request).database())
            for number, kind in enumerate(request.param)
        ]


@pytest.fixture
def db(urls: list[str]) -> Iterator[DataFlow]:
    main, analytics = urls
    with DataFlow(main, analytics_db=analytics) as db:
        define(db)
        yield db


def define(db: DataFlow) -> None:
    @db.model
    class Person:
        name: str
        __dataflow__ = {"database": "primary"}  # noqa: RUF012 - as every model writes it

    @db.model
    class Visit:
        person_id: int
        page: str
        __dataflow__ = {"database": "analytics"}  # noqa: RUF012


def of_both(db: DataFlow, **visit: Any) -> Workflow:
    """A run that writes to both databases."""
    workflow = WorkflowBuilder(db)
    workflow.add_node("PersonCreateNode", "person", {"name": "Ann"})
    workflow.add_node("VisitCreateNode", "visit", {"page": "/", **visit})
    workflow.add_connection("person", "id", "visit", "person_id")
    return workflow.build()


def counts(url: str, table: str) -> int:
    """How many rows a table has, as a database object of its own sees it."""
    with DataFlow(url) as alone:
        counted = alone.run_sync(alone.nodes.SQLNode(sql=f"SELECT count(*) AS n FROM {table}"))
        return int(counted["records"][0]["n"])


def execute(kind: str, workflow: Workflow) -> dict[str, Any]:
    if kind == "local":
        return LocalRuntime().execute(workflow)[0]
    return asyncio.run(AsyncLocalRuntime().execute(workflow))[0]


@pytest.mark.parametrize("runtime", ["local", "async"])
@pytest.mark.parametrize("urls", PAIRS, indirect=True)
def test_each_model_lives_in_its_database_and_a_run_works_on_both(
    db: DataFlow, urls: list[str], runtime: str
) -> None:
    results = execute(runtime, of_both(db))
    assert results["visit"]["person_id"] == results["person"]["id"]
    assert (counts(urls[0], "people"), counts(urls[1], "visits")) == (1, 1)
    for url, table in ((urls[0], "visits"), (urls[1], "people")):
        with DataFlow(url) as alone:
            assert table not in alone.discover_schema()


@pytest.mark.parametrize("runtime", ["local", "async"])
@pytest.mark.parametrize("urls", PAIRS, indirect=True)
def test_what_fails_before_the_end_is_undone_on_both(db: DataFlow, urls: list[str], runtime: str) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node("PersonCreateNode", "person", {"name": "Ann"})
    workflow.add_node("VisitCreateNode", "visit", {"person_id": 1, "page": "/"})
    workflow.add_node("PersonUpdateNode", "missing", {"id": 99, "updates": {"name": "Bob"}})
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(runtime, workflow.build())
    assert caught.value.rolled_back == ("person", "visit")
    assert (counts(urls[0], "people"), counts(urls[1], "visits")) == (0, 0)


@pytest.mark.parametrize("urls", PAIRS, indirect=True)
def test_a_run_on_both_says_that_they_do_not_commit_together(db: DataFlow) -> None:
    told = str(of_both(db).explain())
    assert "COMMIT on primary" in told
    assert "COMMIT on analytics" in told
    assert "each database has its own, they do not commit together" in told
    assert "TransactionManagerNode of dataflow-transactions" in told


@pytest.mark.postgres
@pytest.mark.parametrize(
    "urls",
    [("postgres", "postgres"), pytest.param(("mysql", "postgres"), marks=pytest.mark.mysql)],
    indirect=True,
)
def test_a_commit_that_comes_too_late_says_what_is_done_and_what_would_have_helped(
    db: DataFlow, urls: list[str]
) -> None:
    unique = "ALTER TABLE visits ADD UNIQUE (page) DEFERRABLE INITIALLY DEFERRED"
    execute("local", of_both(db))
    with DataFlow(urls[1]) as alone:
        alone.run_sync(alone.nodes.SQLNode(sql=unique))
    with pytest.raises(
        WorkflowExecutionError, match="TransactionManagerNode of dataflow-transactions"
    ) as caught:
        execute("local", of_both(db))
    assert isinstance(caught.value.cause, UniqueViolation)
    assert caught.value.committed == ("primary",)
    assert (counts(urls[0], "people"), counts(urls[1], "visits")) == (2, 1)


@pytest.mark.parametrize("urls", PAIRS, indirect=True)
def test_health_is_told_of_each_database(db: DataFlow) -> None:
    health = db.run_sync(db.health())
    assert asyncio.run(_health(db)).keys() == health.keys() == {"primary", "analytics"}
    for one in health.values():
        assert one.keys() == {"ok", "problem", "seconds", "in_use", "idle"}
        assert (one["ok"], one["problem"], one["in_use"]) == (True, None, 0)
        assert one["seconds"] > 0


async def _health(db: DataFlow) -> dict[str, dict[str, Any]]:
    return await db.health()


@pytest.mark.postgres
@pytest.mark.parametrize("urls", [("file", "file")], indirect=True)
def test_a_database_that_is_not_there_takes_no_other_down(urls: list[str]) -> None:
    nobody = f"postgresql://ann:p%40ss@127.0.0.1:{free_port()}/shop"
    with DataFlow(urls[0], analytics_db=nobody) as db:
        define(db)
        assert db.run_sync(db.nodes.PersonCreateNode(name="Ann"))["id"] == 1
        health = db.run_sync(db.health())
        assert health["primary"]["ok"]
        assert not health["analytics"]["ok"]
        assert "cannot be reached" in health["analytics"]["problem"]
        assert "p@ss" not in str(health)
        with pytest.raises(ConnectionLost):
            db.run_sync(db.nodes.VisitCreateNode(person_id=1, page="/"))


@pytest.mark.parametrize("urls", [("file", "file")], indirect=True)
def test_a_database_that_cannot_tell_how_far_it_is_has_no_replica(urls: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="read_replica: the dialect sqlite cannot tell how far"):
        DataFlow(urls[0], read_replica=urls[1])
    with pytest.raises(ConfigurationError, match="a postgresql database is no replica of a sqlite database"):
        DataFlow(urls[0], read_replica="postgresql://ann@127.0.0.1/shop")


@pytest.mark.parametrize("urls", [("file", "file")], indirect=True)
def test_a_replica_that_is_the_primary_itself_changes_nothing(urls: list[str]) -> None:
    with DataFlow(urls[0], read_replica=urls[0], analytics_db=urls[1]) as db:
        define(db)
        created = db.run_sync(db.nodes.PersonCreateNode(name="Ann"))
        with db.after(db.run_sync(db.position())):
            assert db.run_sync(db.nodes.PersonReadNode(id=created["id"]))["name"] == "Ann"
        assert db.run_sync(db.health()).keys() == {"primary", "analytics"}


@pytest.mark.parametrize("urls", [("file", "file")], indirect=True)
def test_nothing_lives_in_a_replica(urls: list[str]) -> None:
    with DataFlow(urls[0], read_replica=urls[0]) as db:
        with pytest.raises(ModelError, match="Copy: nothing lives in read_replica"):

            @db.model
            class Copy:
                name: str
                __dataflow__ = {"database": "read_replica"}  # noqa: RUF012

        with pytest.raises(ConfigurationError, match="nothing lives in read_replica"):
            db.discover_schema(database="read_replica")
