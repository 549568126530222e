"""Who a database is: known by a row in it, whatever the URL by which it is reached."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from sqlite3 import connect
from threading import Barrier

import pytest

from dataflow import DataFlow
from dataflow.errors import WorkflowExecutionError
from dataflow.postgres.testing import Postgres
from dataflow.testing.suite import server_of
from dataflow.testing.waiting import wait_until
from dataflow.transactions.identity import identity_of
from dataflow.transactions.in_doubt import branches_in_doubt, recover_branches
from dataflow.url import DatabaseURL
from tests.integration.proxy import proxied

from .conftest import At
from .pairs import Pair, define, pairs, run_here, say, sites
from .test_two_phase_crashes import die, recover
from .test_two_phase_ends import in_a_thread, with_balances

ANOTHER = Postgres(settings=("max_prepared_transactions=21",))
AT_ONCE = 8


def identity(db: DataFlow) -> str:
    return asyncio.run(identity_of(db.databases()["primary"]))


def under_another_name(url: str) -> str:
    place = DatabaseURL.parse(url)
    assert place.host in ("127.0.0.1", "localhost")
    names = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
    return replace(place, host=names[place.host]).get_connection_url()


def test_many_who_ask_at_once_are_told_the_same(url: str) -> None:
    start = Barrier(AT_ONCE)

    def ask() -> str:
        with DataFlow(url) as db:
            start.wait()
            return identity(db)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        asking = [threads.submit(ask) for _ in range(AT_ONCE)]
        told = {one.result() for one in asking}
    assert len(told) == 1
    assert ask_again(url) in told


def ask_again(url: str) -> str:
    with DataFlow(url) as db:
        return identity(db)


@pytest.mark.parametrize("kinds", pairs("postgres+postgres", "mysql+mysql", "mysql+postgres"))
def test_each_database_of_a_server_is_another_one(
    kinds: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    with sites(kinds, request) as (one, two):
        assert ask_again(one) != ask_again(two)
        assert ask_again(one) == ask_again(under_another_name(one))


@pytest.mark.parametrize("kinds", pairs("sqlite+postgres", "postgres+mysql"))
def test_one_database_under_two_names_is_refused(
    kinds: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    with ExitStack() as stack:
        home, url = stack.enter_context(sites(kinds, request))
        one, two = (stack.enter_context(DataFlow(place)) for place in (home, url))
        pair = with_balances(define(one, two))
        again = stack.enter_context(DataFlow(under_another_name(url)))

        @again.model
        class Note:
            text: str

        workflow = pair.workflow()
        for node in ("GiverReadNode", "TakerReadNode"):
            workflow.add_node(node, node, {"id": 1})
        workflow.add_node("NoteCreateNode", "note", {"text": "a"})
        with pytest.raises(WorkflowExecutionError, match="one database under two names"):
            run_here(workflow.build())
        run_here(pair.transfer())
        assert pair.balances() == (90, 10)


@pytest.fixture
def urls(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    with sites(request.param, request) as (one, two):
        yield one, two


@pytest.fixture
def pair(urls: tuple[str, str]) -> Iterator[Pair]:
    with DataFlow(urls[0], pool_timeout=20) as one, DataFlow(urls[1], pool_timeout=20) as two:
        yield with_balances(define(one, two))


@contextmanager
def namesake(place: DatabaseURL, request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """An empty database of the same name on another server."""
    with server_of(ANOTHER, request).database() as url, DataFlow(url) as db:
        asyncio.run(say(db, f'CREATE DATABASE "{place.database}"'))
        try:
            yield replace(DatabaseURL.parse(url), host="127.0.0.1", database=place.database)
        finally:
            asyncio.run(say(db, f'DROP DATABASE "{place.database}" WITH (FORCE)'))


@pytest.mark.parametrize("urls", pairs("sqlite+postgres"), indirect=True)
@pytest.mark.parametrize("has_taken_part", [False, True])
def test_a_decision_outlasts_another_database_in_the_place_of_a_branch(
    urls: tuple[str, str], pair: Pair, request: pytest.FixtureRequest, has_taken_part: bool
) -> None:
    """As where it is called localhost, and recovery runs on another machine."""
    place = DatabaseURL.parse(urls[1])
    with ExitStack() as stack:
        other = stack.enter_context(namesake(place, request))
        proxy = stack.enter_context(proxied(place.host or "", place.port or 0))
        through = replace(place, host="127.0.0.1", port=proxy.port).get_connection_url()
        die((urls[0], through), "two_phase.commit.before_branch")
        proxy.lead_to("127.0.0.1", other.port or 0)
        # It has another password there, which is no part of the place.
        there = stack.enter_context(DataFlow(replace(other, port=proxy.port).get_connection_url()))
        if has_taken_part:
            assert identity(there) != identity(pair.two)
        else:
            there.run_sync(there.nodes.SQLNode(sql="SELECT 1"))
        assert Pair(pair.one, there).recover() == []
        assert pair.decisions() == ["commit"]
    recover(pair)
    assert pair.balances() == (90, 10)
    pair.recover()
    assert pair.decisions() == []


@pytest.mark.parametrize("urls", pairs("mysql+postgres"), indirect=True)
def test_a_home_with_two_names_decides_all_the_same(urls: tuple[str, str], pair: Pair) -> None:
    die(urls, "two_phase.commit.before_branch")
    with DataFlow(under_another_name(urls[1])) as again:
        databases = [db.databases()["primary"] for db in (again, pair.two, pair.one)]

        def nothing_is_left() -> bool:
            asyncio.run(recover_branches(databases, 0))
            return not pair.in_doubt()

        wait_until(nothing_is_left, lambda: AssertionError("something is in doubt for ever"))
    assert pair.balances() == (90, 10)


@pytest.mark.parametrize("urls", pairs("sqlite+postgres"), indirect=True)
@pytest.mark.parametrize("is_copy_first", [False, True])
def test_a_copy_of_a_home_that_knows_less_keeps_recovery_from_deciding(
    urls: tuple[str, str], pair: Pair, tmp_path: Path, is_copy_first: bool
) -> None:
    run_here(pair.transfer())
    with closing(connect(tmp_path / "0.db")) as home, closing(connect(tmp_path / "copy.db")) as copied:
        home.backup(copied)
    die(urls, "two_phase.commit.before_branch")
    with DataFlow(f"sqlite:///{tmp_path}/copy.db") as copy:
        homes = [copy, pair.one] if is_copy_first else [pair.one, copy]
        databases = [db.databases()["primary"] for db in (*homes, pair.two)]
        (outcome,) = asyncio.run(recover_branches(databases, 0))
        assert outcome.action == "left"
        assert "copy of the other" in outcome.reason
    recover(pair)
    assert pair.balances() == (80, 20)


@pytest.mark.parametrize("urls", pairs("mysql+mysql"), indirect=True)
def test_what_is_in_doubt_on_one_database_is_not_told_of_another_one_of_the_server(
    urls: tuple[str, str], pair: Pair, request: pytest.FixtureRequest, at: At
) -> None:
    """XA knows of the whole server only."""
    with sites(("mysql",), request) as (third,), DataFlow(third) as other:
        assert identity(other)
        seen: list[int] = []

        def look() -> None:
            for db in (other, pair.one, pair.two):
                found = asyncio.run(branches_in_doubt(db.databases()["primary"]))
                seen.append(len(found))

        at("two_phase.decision.before_row", lambda: in_a_thread(look))
        run_here(pair.transfer())
        assert seen == [0, 0, 1]
