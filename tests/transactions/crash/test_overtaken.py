"""A process that stands still while another one takes up its saga, and then goes on: nothing is done twice."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread, current_thread
from time import monotonic

import pytest

from dataflow import AsyncLocalRuntime
from dataflow.errors import WorkflowExecutionError
from dataflow.transactions import crash

from .bank import FAILS, SUCCEEDS, bank, saga
from .books import Books
from .walker import SECONDS_TO_RECOVER, Processes, recover

PATIENCE = 60
NAME = "stands still"
LEFT = "UPDATE dataflow_sagas SET owner = 'nobody' WHERE state = 'running'"
BACK = "UPDATE dataflow_sagas SET state = 'compensating' WHERE state = 'running'"


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], tuple[Event, Event]]]:
    """Has the thread of that name stand still at a place, as a process would: it is told so, and waits to be told."""
    goes_on = Event()

    def stop_at(place: str) -> tuple[Event, Event]:
        point, _, passes = place.partition(":")
        stands = Event()

        def stand() -> None:
            if current_thread().name == NAME:
                crash._passes_left -= 1
                if crash._passes_left == 0:
                    stands.set()
                    assert goes_on.wait(PATIENCE)

        monkeypatch.setattr(crash, "_place", point)
        monkeypatch.setattr(crash, "_passes_left", int(passes))
        monkeypatch.setattr(crash, "_die_at_last_pass", stand)
        return stands, goes_on

    yield stop_at
    goes_on.set()


@pytest.mark.parametrize("goes_back", [False, True], ids=["forward", "back"])
@pytest.mark.parametrize("outcome", [SUCCEEDS, FAILS])
@pytest.mark.parametrize(
    "place",
    [
        "saga.begin.after_header:1",
        "saga.step.before_work:2",
        "saga.step.after_commit:2",
        "saga.step.after_commit:3",  # before it announces what is outside of both databases
        "saga.step.before_work:4",  # and before it calls that
    ],
)
def test_who_was_overtaken_does_nothing_that_was_done_or_undone(
    place: str,
    outcome: str,
    goes_back: bool,
    urls: tuple[str, str],
    processes: Processes,
    books: Books,
    standing: Callable[[str], tuple[Event, Event]],
) -> None:
    async def transfer() -> None:
        async with bank(*urls) as db:
            with suppress(WorkflowExecutionError):
                await AsyncLocalRuntime().execute(saga(db, 2, outcome))

    stands, goes_on = standing(place)
    thread = Thread(target=lambda: asyncio.run(transfer()), name=NAME)
    thread.start()
    try:
        assert stands.wait(PATIENCE)
        for statement in (LEFT, BACK) if goes_back else (LEFT,):
            books.db.run_sync(books.db.nodes.SQLNode(sql=statement))
        recover(processes, books, monotonic() + SECONDS_TO_RECOVER)
        before = books.lines(2)[2]
    finally:
        goes_on.set()
        thread.join(PATIENCE)
    assert before.is_right, before
    assert before.noted == (outcome == SUCCEEDS and not goes_back)
    assert books.lines(2)[2] == before
    assert not books.wrong_notices()
    if goes_back and place == "saga.step.after_commit:3":
        assert len(books.notices()) == 1, (
            "what must not begin any more was called"
        )  # that of the opening is there
    assert not books.unfinished()
