"""A server is killed while others have prepared or decided; when it is back, all is well."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest

from dataflow import LocalRuntime
from dataflow.errors import DataFlowError
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Server
from dataflow.testing.suite import server_of
from dataflow.transactions import crash

from .bank import FORMS, SUCCEEDS
from .books import Books
from .walker import SECONDS_TO_RECOVER, Processes, recover

POSTGRES = Postgres(own=True, settings=("max_prepared_transactions=20",))
MARIADB = MySQL(own=True)
PLACES = (
    "saga.step.before_ledger:2",
    "saga.step.after_ledger:2",
    "two_phase.prepare.before_branch:1",
    "two_phase.prepare.after_branch:1",
    "two_phase.decision.before_commit:1",
    "two_phase.decision.after_commit:1",
    "two_phase.commit.after_branch:1",
)


class Place(NamedTuple):
    """Two databases, and the server of one of them, which may be killed."""

    books: Books
    server: Server


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
        yield Place(books, server_of(provisions[killed], request))


def test_a_server_that_is_killed_comes_back_and_all_is_well(
    place: Place, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each of the places, the process goes on and finds that the server is gone."""
    books, server = place
    killed = False

    def kill() -> None:
        nonlocal killed
        crash._passes_left -= 1
        if crash._passes_left == 0:
            server.kill()
            killed = True

    books.open(len(PLACES) + 1)
    for number, (point, _, passes) in enumerate((place.partition(":") for place in PLACES), start=2):
        killed = False
        with monkeypatch.context() as patched:
            patched.setattr(crash, "_place", point)
            patched.setattr(crash, "_passes_left", int(passes))
            patched.setattr(crash, "_die_at_last_pass", kill)
            with suppress(DataFlowError):
                form = FORMS[point.partition(".")[0]]
                LocalRuntime().execute(form(books.db, number, SUCCEEDS))
        assert killed, f"it did not come to {point}"
        server.restart()
        recover(processes, books, monotonic() + SECONDS_TO_RECOVER)
        line = books.lines(number)[number]
        assert line.is_right, (point, line)
