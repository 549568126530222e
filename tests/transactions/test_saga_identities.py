"""On which databases a saga is done: those on which it began, wherever they are by now."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import connect

import pytest

from dataflow import DataFlow, LocalRuntime
from dataflow.errors import WorkflowExecutionError
from dataflow.transactions import SagaFailed, recover
from dataflow.url import DatabaseURL

from .conftest import rows, saga_of
from .pairs import pairs, say, sites
from .program import define
from .test_saga_places import ACCOUNT, ORDER
from .test_saga_recovery import KILLED, Bank


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def balance(db: DataFlow, id: int) -> int:
    return int(db.run_sync(db.nodes.AccountReadNode(id=id))["balance"])


def define_books(db: DataFlow, name: str) -> None:
    @db.model
    class Account:
        owner: str
        __dataflow__ = {"database": name}  # noqa: RUF012 - as every model writes it


def close(db: DataFlow) -> None:
    with db:
        pass


def test_a_database_that_has_moved_is_found_and_another_in_its_place_is_not_taken_for_it(
    tmp_path: Path, stack: ExitStack
) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("home", "other")]
    bank = Bank(urls, tmp_path, stack)
    assert bank.process("give", "saga.step.before_work:2") == KILLED
    close(bank.other)
    (tmp_path / "other.db").rename(tmp_path / "moved.db")
    impostor, moved = (
        stack.enter_context(DataFlow(url)) for url in (urls[1], f"sqlite:///{tmp_path}/moved.db")
    )
    define(impostor, tmp_path / "letters")
    impostor.run_sync(impostor.nodes.AccountCreateNode(id=2, owner="somebody", balance=7))
    (left,) = bank.recover()
    assert left.state == "running"
    for told in ("step 'account 2': AccountUpdateNode worked on", "other.db", "is another database"):
        assert told in str(left.problem)
    define(moved, tmp_path / "letters")
    assert [one.state for one in bank.recover()] == ["done"]
    assert (balance(bank.home, 1), balance(moved, 2), balance(impostor, 2)) == (70, 130, 7)


def test_a_home_that_has_moved_is_the_same(tmp_path: Path, stack: ExitStack) -> None:
    bank = Bank([f"sqlite:///{tmp_path}/bank.db"], tmp_path, stack)
    assert bank.process("give", "saga.step.after_commit") == KILLED
    close(bank.home)
    (tmp_path / "bank.db").rename(tmp_path / "moved.db")
    moved = stack.enter_context(DataFlow(f"sqlite:///{tmp_path}/moved.db"))
    define(moved, tmp_path / "letters")
    assert [one.state for one in asyncio.run(recover(moved, older_than=0))] == ["done"]
    assert (balance(moved, 1), balance(moved, 2)) == (70, 130)


def test_a_copy_does_nothing_of_what_the_original_has_begun(tmp_path: Path, stack: ExitStack) -> None:
    bank = Bank([f"sqlite:///{tmp_path}/bank.db"], tmp_path, stack)
    assert bank.process("give", "saga.step.after_commit") == KILLED
    with closing(connect(tmp_path / "bank.db")) as original, closing(connect(tmp_path / "copy.db")) as copied:
        original.backup(copied)
    with DataFlow(f"sqlite:///{tmp_path}/copy.db") as copy:
        define(copy, tmp_path / "letters")
        (left,) = bank.recover()
        assert "have one identity" in str(left.problem)
    with closing(connect(tmp_path / "copy.db")) as copied:
        copied.execute("DELETE FROM dataflow_identity")
        copied.commit()
    with DataFlow(f"sqlite:///{tmp_path}/copy.db") as copy:
        define(copy, tmp_path / "letters")
        (left,) = asyncio.run(recover(copy, older_than=0))
        assert "is a copy" in str(left.problem)
        assert [one.state for one in bank.recover()] == ["done"]
        assert (balance(bank.home, 2), balance(copy, 2)) == (130, 100)


@pytest.mark.parametrize("kinds", pairs("sqlite+postgres"))
def test_a_step_is_not_done_where_another_database_answers_by_now(
    kinds: tuple[str, str], request: pytest.FixtureRequest, stack: ExitStack
) -> None:
    """A server under another name for a while, of which the process that runs the saga was told nothing."""
    urls = stack.enter_context(sites(kinds, request))
    place = DatabaseURL.parse(urls[1])
    name, kept = place.database, f"{place.database}_kept"
    server = stack.enter_context(DataFlow(replace(place, database="postgres").get_connection_url()))
    db = stack.enter_context(DataFlow(urls[0], books_db=urls[1]))
    there = stack.enter_context(DataFlow(urls[1]))
    nobody_there = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    define_books(db, "books")
    define_books(there, "primary")

    @db.model
    class Order:
        item: str

    @db.node(outside=True)
    async def swap() -> None:
        await say(
            server,
            nobody_there,
            f'ALTER DATABASE "{name}" RENAME TO "{kept}"',
            f'CREATE DATABASE "{name}" TEMPLATE "{kept}"',
        )
        await say(there, "DELETE FROM dataflow_identity")

    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(saga_of(db, ORDER, {"node": "swap", "compensation": None}, ACCOUNT))
    error = caught.value.cause
    assert isinstance(error, SagaFailed)
    assert "another database answers as books" in str(error.cause)
    assert error.state == "compensating"
    assert rows(there, "Account") == []
    assert there.run_sync(there.nodes.SQLNode(sql="SELECT * FROM dataflow_saga_steps"))["records"] == []
    back = (f'DROP DATABASE "{name}" WITH (FORCE)', f'ALTER DATABASE "{kept}" RENAME TO "{name}"')
    asyncio.run(say(server, *back))
    assert [one.state for one in asyncio.run(recover(db, older_than=0))] == ["compensated"]
    assert rows(db, "Order") == []


@pytest.mark.parametrize("kinds", pairs("sqlite+postgres"))
def test_a_saga_does_not_begin_where_another_database_answers_as_its_home(
    kinds: tuple[str, str], request: pytest.FixtureRequest, stack: ExitStack
) -> None:
    _, url = stack.enter_context(sites(kinds, request))
    place = DatabaseURL.parse(url)
    name, kept = place.database, f"{place.database}_kept"
    server = stack.enter_context(DataFlow(replace(place, database="postgres").get_connection_url()))
    db, there = (stack.enter_context(DataFlow(url)) for _ in range(2))

    @db.model
    class Order:
        item: str

    LocalRuntime().execute(saga_of(db, ORDER))
    swap = (
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        f'ALTER DATABASE "{name}" RENAME TO "{kept}"',
        f'CREATE DATABASE "{name}" TEMPLATE "{kept}"',
    )
    asyncio.run(say(server, *swap))
    asyncio.run(say(there, "DELETE FROM dataflow_identity"))
    with pytest.raises(WorkflowExecutionError, match="another database answers as primary"):
        LocalRuntime().execute(saga_of(db, ORDER))
    begun = there.run_sync(there.nodes.SQLNode(sql="SELECT count(*) AS n FROM dataflow_sagas"))
    assert begun["records"] == [{"n": 1}]
    asyncio.run(
        say(server, f'DROP DATABASE "{name}" WITH (FORCE)', f'ALTER DATABASE "{kept}" RENAME TO "{name}"')
    )
