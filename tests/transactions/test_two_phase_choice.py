"""Which databases may be one unit of work, who decides, and what is refused."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.abc import Connection
from dataflow.errors import StorageFull, WorkflowBuildError, WorkflowError, WorkflowExecutionError
from dataflow.postgres.testing import Postgres
from dataflow.postgres.two_phase import PostgresTwoPhase
from dataflow.testing.suite import server_of
from dataflow.workflow.graph import Workflow

from .pairs import MANAGER, Pair, define, pairs, run_here, say, sites
from .test_two_phase_ends import with_balances

OFF = Postgres(settings=("max_prepared_transactions=0",))


@contextmanager
def one_and_two(one_url: str, two_url: str, **options: object) -> Iterator[Pair]:
    with DataFlow(one_url, **options) as one, DataFlow(two_url, **options) as two:
        yield with_balances(define(one, two))


def has_decided(db: DataFlow) -> bool:
    """Whether a database was home once."""
    try:
        db.run_sync(db.nodes.SQLNode(sql="SELECT state FROM dataflow_decisions"))
    except Exception:
        return False
    return True


def test_one_database_needs_no_agreement(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/shop.db") as db:
        pair = with_balances(define(db, db))
        workflow = pair.transfer(pattern="saga", timeout=30)
        run_here(workflow)
        assert pair.balances() == (90, 10)
        assert "own commit is enough" in str(workflow.explain())
        assert not has_decided(db)


def test_two_that_can_never_be_prepared_are_refused_at_the_build(tmp_path: Path) -> None:
    refusal = pytest.raises(WorkflowBuildError, match=r"cannot commit together.*steps with compensations")
    with one_and_two(f"sqlite:///{tmp_path}/1.db", f"sqlite:///{tmp_path}/2.db") as pair, refusal:
        pair.transfer()


@pytest.mark.postgres
def test_a_server_that_prepares_nothing_says_what_to_set(request: pytest.FixtureRequest) -> None:
    server = server_of(OFF, request)
    with server.database() as one, server.database() as two, one_and_two(one, two) as pair:
        with pytest.raises(WorkflowExecutionError, match="set max_prepared_transactions") as caught:
            run_here(pair.transfer())
        assert isinstance(caught.value.cause, WorkflowError)
        assert pair.balances() == (100, 0)


@pytest.mark.postgres
def test_the_only_one_that_prepares_nothing_decides(request: pytest.FixtureRequest) -> None:
    able, unable = server_of(Postgres(), request), server_of(OFF, request)
    with able.database() as one, unable.database() as two, one_and_two(one, two) as pair:
        run_here(pair.transfer())
        assert pair.balances() == (90, 10)
        assert (has_decided(pair.one), has_decided(pair.two)) == (False, True)


@pytest.mark.postgres
def test_the_object_that_was_made_last_has_the_node_and_decides(request: pytest.FixtureRequest) -> None:
    with sites(("postgres", "postgres"), request) as (one, two), one_and_two(one, two) as pair:
        run_here(pair.transfer())
        assert (has_decided(pair.one), has_decided(pair.two)) == (False, True)


@pytest.mark.postgres
@pytest.mark.mysql
def test_named_databases_of_one_object_commit_together(request: pytest.FixtureRequest) -> None:
    with sites(("postgres", "mysql"), request) as (one, two), DataFlow(one, books_db=two) as db:

        @db.model
        class Giver:
            balance: int = 0

        @db.model
        class Taker:
            balance: int = 0
            __dataflow__ = {"database": "books"}  # noqa: RUF012 - as every model writes it

        pair = with_balances(Pair(db, db))
        run_here(pair.transfer())
        assert pair.balances() == (90, 10)
        assert has_decided(db)


@pytest.mark.parametrize("kinds", pairs("postgres+mysql", "mysql+postgres"))
def test_what_functions_call_belongs_to_it(request: pytest.FixtureRequest, kinds: tuple[str, str]) -> None:
    with sites(kinds, request) as urls, one_and_two(*urls) as pair:

        async def give() -> None:
            await pair.two.nodes.TakerUpdateNode(id=1, updates={"$inc": {"balance": 10}})

        async def fail() -> None:
            raise ValueError("on purpose")

        for function, balances in ((None, (90, 10)), (fail, (90, 10))):
            workflow = pair.workflow()
            workflow.add_node("GiverUpdateNode", "take", {"id": 1, "updates": {"$inc": {"balance": -10}}})
            workflow.add_node(give)
            if function is None:
                run_here(workflow.build())
            else:
                workflow.add_node(function)
                with pytest.raises(WorkflowExecutionError):
                    run_here(workflow.build())
            assert pair.balances() == balances
        assert has_decided(pair.one)
        assert pair.in_doubt() == []


@pytest.mark.postgres
def test_a_plain_function_may_bring_another_database(request: pytest.FixtureRequest) -> None:
    with sites(("sqlite", "postgres"), request) as urls, one_and_two(*urls) as pair:

        def give() -> None:
            pair.two.run_sync(pair.two.nodes.TakerUpdateNode(id=1, updates={"$inc": {"balance": 10}}))

        def workflow(*nodes: Any) -> Workflow:
            builder = WorkflowBuilder()
            builder.add_node(MANAGER, "together")
            builder.add_node("GiverReadNode", "one", {"id": 1})
            for node in nodes:
                builder.add_node(node)
            builder.add_node("GiverUpdateNode", "take", {"id": 1, "updates": {"$inc": {"balance": -10}}})
            return builder.build()

        with pytest.raises(WorkflowExecutionError, match="which was not known before"):
            run_here(workflow(give))
        assert pair.balances() == (100, 0)
        run_here(pair.transfer())  # from here on home knows itself
        run_here(workflow(give))
        assert pair.balances() == (80, 20)
        with pytest.raises(WorkflowExecutionError):
            run_here(workflow(give, fail))
        assert pair.balances() == (80, 20)
        assert (pair.in_doubt(), pair.decisions()) == ([], [])


def fail() -> None:
    raise ValueError("on purpose")


@pytest.mark.postgres
def test_a_server_without_room_for_another_one_is_told(request: pytest.FixtureRequest) -> None:
    little = server_of(Postgres(settings=("max_prepared_transactions=1",)), request)
    with sites(("postgres",), request) as (two,), little.database() as one, one_and_two(one, two) as pair:
        asyncio.run(say(pair.one, "BEGIN", "PREPARE TRANSACTION 'theirs'"))
        try:
            with pytest.raises(WorkflowExecutionError, match="raise its max_prepared_transactions"):
                run_here(pair.transfer(retries=0))
        finally:
            asyncio.run(say(pair.one, "ROLLBACK PREPARED 'theirs'"))
        run_here(pair.transfer())
        assert pair.balances() == (90, 10)


@pytest.mark.postgres
def test_a_full_disk_is_not_told_as_a_lack_of_room_for_what_is_prepared(
    request: pytest.FixtureRequest,
) -> None:
    fill = "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$"
    late = "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON wide DEFERRABLE INITIALLY DEFERRED"
    with sites(("postgres", "postgres"), request) as urls, one_and_two(*urls) as pair:
        asyncio.run(
            say(pair.one, fill, "CREATE TABLE wide (id int)", f"{late} FOR EACH ROW EXECUTE FUNCTION fill()")
        )

        async def write() -> None:
            await pair.one.nodes.SQLNode(sql="INSERT INTO wide VALUES (1)")

        with pytest.raises(WorkflowExecutionError) as caught:
            run_here(pair.transfer(write))
        assert isinstance(caught.value.cause, StorageFull)
        assert "disk is full" in str(caught.value.cause)
        assert pair.balances() == (100, 0)


@pytest.mark.postgres
def test_a_server_is_asked_on_each_new_connection_and_no_oftener(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Connection] = []
    ask = PostgresTwoPhase.problem

    async def noted(self: PostgresTwoPhase, connection: Connection) -> str | None:
        asked.append(connection)
        return await ask(self, connection)

    monkeypatch.setattr(PostgresTwoPhase, "problem", noted)
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    )
    with sites(("postgres", "postgres"), request) as urls, one_and_two(*urls) as pair:

        async def give() -> None:
            await pair.two.nodes.TakerUpdateNode(id=1, updates={"$inc": {"balance": 10}})

        workflow = pair.workflow()
        workflow.add_node("GiverUpdateNode", "take", {"id": 1, "updates": {"$inc": {"balance": -10}}})
        workflow.add_node(give)
        for number in range(1, 4):
            run_here(workflow.build())
            assert pair.balances() == (100 - 10 * number, 10 * number)
        assert len(asked) == len(set(asked))
        before = {*asked}
        asyncio.run(say(pair.two, f"{end} current_database()"))
        run_here(workflow.build())
        assert {*asked} > before


@pytest.mark.postgres
def test_a_home_in_memory_is_refused_before_anything_is_sent(request: pytest.FixtureRequest) -> None:
    with sites(("postgres",), request) as (two,), one_and_two("sqlite:///:memory:", two) as pair:
        with pytest.raises(WorkflowBuildError, match=r"gone with its process.*a file or a server"):
            pair.transfer()

        async def give() -> None:
            await pair.two.nodes.TakerUpdateNode(id=1, updates={"$inc": {"balance": 10}})

        workflow = pair.workflow()
        workflow.add_node("GiverUpdateNode", "take", {"id": 1, "updates": {"$inc": {"balance": -10}}})
        workflow.add_node(give)
        with pytest.raises(WorkflowExecutionError, match="in memory"):
            run_here(workflow.build())
        assert pair.balances() == (100, 0)
        assert not has_decided(pair.one)


@pytest.mark.postgres
@pytest.mark.parametrize("runtime", [LocalRuntime(transaction="node"), LocalRuntime(transaction="none")])
def test_a_scope_agrees_where_the_run_is_not_one(
    request: pytest.FixtureRequest, runtime: LocalRuntime
) -> None:
    with sites(("postgres", "postgres"), request) as urls, one_and_two(*urls) as pair:
        workflow = pair.workflow()
        workflow.add_node("GiverUpdateNode", "before", {"id": 1, "balance": 50})
        workflow.add_node("GiverUpdateNode", "take", {"id": 1, "updates": {"$inc": {"balance": -10}}})
        workflow.add_node("TakerUpdateNode", "give", {"id": 1, "updates": {"$inc": {"balance": 10}}})
        workflow.add_node("TakerUpdateNode", "missing", {"id": 77, "balance": 0})
        workflow.add_connection("before", "together")
        workflow.add_connection("together", "take")
        workflow.add_connection("take", "give")
        workflow.add_connection("give", "missing")
        with pytest.raises(WorkflowExecutionError):
            runtime.execute(workflow.build())
        assert pair.balances() == (50, 0)


@pytest.mark.postgres
def test_a_transaction_that_is_open_cannot_agree_any_more(request: pytest.FixtureRequest) -> None:
    with sites(("postgres", "postgres"), request) as urls, one_and_two(*urls) as pair:

        async def main() -> None:
            async with pair.one.transaction():
                await pair.one.nodes.GiverUpdateNode(id=1, balance=1)
                await AsyncLocalRuntime().execute(pair.transfer())

        with pytest.raises(WorkflowExecutionError, match="put the node that asks for it first"):
            asyncio.run(main())
        assert pair.balances() == (100, 0)


@pytest.mark.postgres
def test_tables_that_may_not_be_made_are_named(request: pytest.FixtureRequest) -> None:
    with sites(("postgres", "postgres"), request) as urls:
        with one_and_two(*urls):
            pass  # makes the tables of the models
        with DataFlow(urls[0], auto_migrate=False) as one, DataFlow(urls[1], auto_migrate=False) as two:
            pair = define(one, two)
            for db, tables in ((two, ("decisions", "identity")), (one, ("identity",))):
                with pytest.raises(WorkflowExecutionError, match="some are missing") as caught:
                    run_here(pair.transfer())
                statements = str(caught.value.cause).partition("make them: ")[2].split("; ")
                assert [one.partition("(")[0] for one in statements] == [
                    f'CREATE TABLE "dataflow_{table}" ' for table in tables
                ]
                assert pair.balances() == (100, 0)
                asyncio.run(say(db, *statements))
            run_here(pair.transfer())
            assert pair.balances() == (90, 10)


def test_a_pattern_that_does_not_exist_is_told_at_the_build(tmp_path: Path) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/shop.db") as db:
        pair = define(db, db)
        with pytest.raises(WorkflowBuildError, match="did you mean 'two_phase'"):
            pair.transfer(pattern="twophase")
        with pytest.raises(WorkflowBuildError, match="are the same"):
            pair.transfer(pattern="saga", transaction_type="saga")
        with pytest.raises(WorkflowBuildError, match="did you mean 'timeout'"):
            pair.transfer(timeuot=3)
