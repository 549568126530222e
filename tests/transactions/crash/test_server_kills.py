"""A server is killed while others have prepared or decided; when it is back, all is well."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest

from dataflow import DataFlow, LocalRuntime
from dataflow.errors import DataFlowError
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision, Server
from dataflow.testing.suite import server_of
from dataflow.transactions import crash

from ..conftest import define_models, rows, saga_of
from .bank import FAILS, FAILS_LATE, FORMS, SUCCEEDS
from .books import Books
from .walker import SECONDS_TO_RECOVER, Processes, recover

POSTGRES = Postgres(own=True, settings=("max_prepared_transactions=20",))
MARIADB = MySQL(own=True)


class Case(NamedTuple):
    """A transfer during which a server is killed.

    :param outcome: how it would end.
    :param happens: whether it does, where home is killed and where the other one is; None where both are well.
    """

    outcome: str
    happens: tuple[bool | None, bool | None] = (None, None)


CASES = {
    "saga.begin.after_header:1": Case(SUCCEEDS),
    "saga.step.before_work:2": Case(SUCCEEDS),
    "saga.step.before_ledger:2": Case(SUCCEEDS),
    "saga.step.after_ledger:2": Case(SUCCEEDS),
    "saga.step.before_work:4": Case(SUCCEEDS),
    "saga.step.before_ledger:4": Case(SUCCEEDS),
    "saga.done.before_state:1": Case(SUCCEEDS, (True, True)),
    "saga.failure.before_state:1": Case(FAILS, (False, False)),
    "saga.fence.before_ledger:1": Case(FAILS_LATE, (False, False)),
    "saga.compensation.before_work:3": Case(FAILS, (False, False)),
    "saga.compensation.after_ledger:3": Case(FAILS, (False, False)),
    "saga.compensated.before_state:1": Case(FAILS, (False, False)),
    "two_phase.prepare.before_branch:1": Case(SUCCEEDS, (False, False)),
    "two_phase.prepare.after_branch:1": Case(SUCCEEDS, (False, True)),
    "two_phase.decision.before_commit:1": Case(SUCCEEDS, (False, True)),
    "two_phase.decision.after_commit:1": Case(SUCCEEDS, (True, True)),
    "two_phase.commit.after_branch:1": Case(SUCCEEDS, (True, True)),
}
"""By the place where it is killed."""

AtPass = Callable[[str, Callable[[], None]], AbstractContextManager[None]]


class Place(NamedTuple):
    """Two databases, and the server of one of them, which may be killed."""

    books: Books
    server: Server
    is_home: bool


@pytest.fixture(
    params=[
        pytest.param(
            (POSTGRES, MARIADB, 0), id="postgres of two", marks=[pytest.mark.postgres, pytest.mark.mysql]
        ),
        pytest.param(
            (POSTGRES, MARIADB, 1), id="mysql of two", marks=[pytest.mark.postgres, pytest.mark.mysql]
        ),
        pytest.param((None, POSTGRES, 1), id="postgres beside sqlite", marks=pytest.mark.postgres),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    *provisions, killed = request.param
    with ExitStack() as stack:
        urls = [
            stack.enter_context(server_of(provision, request).database())
            if provision is not None
            else f"sqlite:///{tmp_path}/bank.db"
            for provision in provisions
        ]
        books = Books((urls[0], urls[1]))
        stack.callback(books.close)
        yield Place(books, server_of(provisions[killed], request), is_home=killed == 0)


@pytest.fixture
def at_pass(monkeypatch: pytest.MonkeyPatch) -> AtPass:
    """Has something done at a place; whoever asks afterwards is told whether that was."""

    @contextmanager
    def at_pass(point: str, act: Callable[[], None]) -> Iterator[None]:
        name, _, passes = point.partition(":")
        acted = False

        def pass_by() -> None:
            nonlocal acted
            crash._passes_left -= 1
            if crash._passes_left == 0:
                act()
                acted = True

        with monkeypatch.context() as patched:
            patched.setattr(crash, "_place", name)
            patched.setattr(crash, "_passes_left", int(passes))
            patched.setattr(crash, "_die_at_last_pass", pass_by)
            yield
        assert acted, f"it did not come to {point}"

    return at_pass


def test_a_server_that_is_killed_comes_back_and_all_is_well(
    place: Place, processes: Processes, at_pass: AtPass
) -> None:
    """AtPass each of the places, the process goes on and finds that the server is gone."""
    books, server, is_home = place
    books.open(len(CASES) + 1)
    for number, (point, (outcome, happens)) in enumerate(CASES.items(), start=2):
        form = FORMS[point.partition(".")[0]]
        with at_pass(point, server.kill), suppress(DataFlowError):
            LocalRuntime().execute(form(books.db, number, outcome))
        server.restart()
        recover(processes, books, monotonic() + SECONDS_TO_RECOVER)
        line = books.lines(number)[number]
        assert line.is_right, (point, line)
        assert not (wrong := books.wrong_notices()), (point, wrong)
        expected = happens[0 if is_home else 1]
        assert expected is None or line.noted == expected, (point, line)


@pytest.mark.parametrize(
    "provision",
    [
        pytest.param(POSTGRES, id="postgres", marks=pytest.mark.postgres),
        pytest.param(MARIADB, id="mysql", marks=pytest.mark.mysql),
    ],
)
def test_a_server_that_comes_back_at_once_keeps_that_a_saga_is_done(
    provision: Provision, request: pytest.FixtureRequest, at_pass: AtPass
) -> None:
    server = server_of(provision, request)

    def blink() -> None:
        server.kill()
        server.restart()

    with server.database() as url, DataFlow(url) as db:
        define_models(db)
        order = {
            "node": "OrderCreateNode",
            "compensation": "OrderDeleteNode",
            "parameters": {"item": "a book"},
        }
        saga = saga_of(db, order)
        LocalRuntime().execute(saga)
        with at_pass("saga.done.before_state:1", blink):
            results, _ = LocalRuntime().execute(saga)
        assert results["saga"]["state"] == "done"
        assert len(rows(db, "Order")) == 2
