"""Where a saga may run, and where its ledger is."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import ValidationError, WorkflowBuildError, WorkflowExecutionError
from dataflow.postgres.testing import Postgres
from dataflow.testing.suite import server_of
from dataflow.transactions import SagaFailed
from dataflow.transactions.entries import Entries
from dataflow.transactions.headers import Headers
from dataflow.transactions.identity import identity_of
from dataflow.transactions.ledger import SAGAS
from dataflow.transactions.tables import has_table

from .conftest import define_models, rows, saga_of
from .pairs import pairs, sites

PAGE = Path(__file__).parents[2] / "docs/transactions.md"
ORDER = {"node": "OrderCreateNode", "compensation": "OrderDeleteNode", "parameters": {"item": "a book"}}


def test_it_is_refused_in_a_function_of_another_run(file_db: DataFlow) -> None:
    workflow = WorkflowBuilder(file_db)
    workflow.add_node("AccountCreateNode", "first", {"owner": "Ann"})
    workflow.add_node(lambda: LocalRuntime().execute(saga_of(file_db, ORDER)), "inner")
    with pytest.raises(WorkflowExecutionError, match="cannot run within a scope") as caught:
        LocalRuntime().execute(workflow.build())
    assert caught.value.node == "inner"
    assert rows(file_db, "Order") == rows(file_db, "Account") == []


def test_it_is_refused_in_a_scope(file_db: DataFlow) -> None:
    workflow = WorkflowBuilder(file_db)
    workflow.add_node("TransactionContextNode", "scope")
    workflow.add_node("TransactionManagerNode", "saga", {"pattern": "saga", "steps": [ORDER]})
    workflow.add_connection("scope", "saga")
    workflow.add_node("AccountCreateNode", "other", {"owner": "Ann"})
    workflow.add_connection("scope", "other")
    workflow.add_node("AccountCreateNode", "before", {"owner": "Bob"})
    with pytest.raises(WorkflowBuildError, match="it is in a scope"):
        workflow.build()


def test_it_is_refused_where_nothing_may_be_written(file_db: DataFlow) -> None:
    workflow = WorkflowBuilder(file_db)
    workflow.add_node("TransactionContextNode", "terms", {"read_only": True})
    workflow.add_node("TransactionManagerNode", "saga", {"pattern": "saga", "steps": [ORDER]})
    with pytest.raises(ValidationError, match="read_only"):
        LocalRuntime().execute(workflow.build())
    assert rows(file_db, "Order") == []


def test_a_saga_that_its_home_has_forgotten_says_so(file_db: DataFlow) -> None:
    @file_db.node(outside=True)
    async def forget() -> None:
        await file_db.nodes.SQLNode(sql="DELETE FROM dataflow_sagas")
        raise ValueError("no")

    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(saga_of(file_db, ORDER, {"node": "forget", "compensation": None}))
    (note,) = (
        note
        for error in (caught.value, caught.value.cause, caught.value.cause.__cause__)
        for note in getattr(error, "__notes__", ())
    )
    assert re.search(
        r"It could not be undone, either: .*primary .*does not know saga .* deleted it there", note
    )


@pytest.mark.parametrize("transaction", ["node", "none"])
def test_it_runs_where_each_node_is_a_transaction(file_db: DataFlow, transaction: str) -> None:
    runtime = LocalRuntime(transaction=transaction)  # type: ignore[arg-type]
    results, _ = runtime.execute(saga_of(file_db, ORDER))
    assert results["saga"]["state"] == "done"


@pytest.mark.parametrize("mode", ["auto_migrate", "existing_schema_mode"])
def test_tables_that_must_not_be_made_are_asked_for(tmp_path: Path, mode: str) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    with DataFlow(url) as db:
        define_models(db)
        assert rows(db, "Order") == []
    with DataFlow(url, **{mode: mode == "existing_schema_mode"}) as db:

        @db.model
        class Order:
            id: int
            item: str

        with pytest.raises(WorkflowExecutionError, match='make them: CREATE TABLE "dataflow_sagas"'):
            LocalRuntime().execute(saga_of(db, ORDER))
        assert rows(db, "Order") == []


@pytest.mark.postgres
def test_the_statements_of_the_page_make_the_tables(request: pytest.FixtureRequest) -> None:
    (statements,) = re.findall(
        r"```sql\n(CREATE TABLE \"dataflow_sagas\".*?)```", PAGE.read_text(), re.DOTALL
    )
    with server_of(Postgres(), request).database() as url, DataFlow(url) as db:
        define_models(db)
        assert rows(db, "Order") == []
        for statement in filter(None, map(str.strip, statements.split(";"))):
            db.run_sync(db.nodes.SQLNode(sql=statement))
        with DataFlow(url, auto_migrate=False) as strict:
            define_models(strict)
            results, _ = LocalRuntime().execute(saga_of(strict, ORDER))
        assert results["saga"]["state"] == "done"


@pytest.fixture(params=[pytest.param(("sqlite", "sqlite"), id="sqlite+sqlite"), *pairs()])
def shop(request: pytest.FixtureRequest) -> Iterator[DataFlow]:
    """One object with two databases: orders in the first, accounts in the second."""
    with sites(request.param, request) as urls, DataFlow(urls[0], books_db=urls[1], pool_timeout=20) as db:

        @db.model
        class Order:
            item: str

        @db.model
        class Account:
            owner: str
            __dataflow__ = {"database": "books"}  # noqa: RUF012 - as every model writes it

        yield db


ACCOUNT = {"node": "AccountCreateNode", "compensation": "AccountDeleteNode", "parameters": {"owner": "Ann"}}
MISSING = {"node": "AccountUpdateNode", "compensation": None, "parameters": {"id": 99, "owner": "Bob"}}


def test_it_is_kept_on_each_of_the_named_databases(shop: DataFlow) -> None:
    output = LocalRuntime().execute(saga_of(shop, ORDER, ACCOUNT))[0]["saga"]
    assert (len(rows(shop, "Order")), len(rows(shop, "Account"))) == (1, 1)
    assert told(shop, output["saga_id"]) == {
        "primary": {("OrderCreateNode", "do")},
        "books": {("AccountCreateNode", "do")},
    }
    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(saga_of(shop, ORDER, ACCOUNT, MISSING))
    error = caught.value.cause
    assert isinstance(error, SagaFailed)
    assert error.state == "compensated"
    assert (len(rows(shop, "Order")), len(rows(shop, "Account"))) == (1, 1)
    assert told(shop, str(error.saga)) == {
        "primary": {("OrderCreateNode", "do"), ("OrderCreateNode", "undo")},
        "books": {
            ("AccountCreateNode", "do"),
            ("AccountCreateNode", "undo"),
            ("AccountUpdateNode", "do"),
        },
    }


def told(db: DataFlow, saga: str) -> dict[str, set[tuple[str, str]]]:
    """What the ledger of each database tells of a saga."""

    async def read() -> dict[str, set[tuple[str, str]]]:
        return {
            name: set(await Entries(one, await identity_of(one)).of(saga))
            for name, one in db.databases().items()
        }

    return asyncio.run(read())


def test_it_lives_where_its_steps_are_if_these_are_all_on_one_database(shop: DataFlow) -> None:
    LocalRuntime().execute(saga_of(shop, ACCOUNT))

    async def homes() -> dict[str, int]:
        tables = {name: await has_table(one, SAGAS) for name, one in shop.databases().items()}
        return {
            name: len(await Headers(shop.databases()[name]).list(["done"])) for name in tables if tables[name]
        }

    assert asyncio.run(homes()) == {"books": 1}
