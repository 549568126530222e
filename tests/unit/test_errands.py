"""What threads ask of event loops, their own and the one in the background."""

import asyncio
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from dataflow.execution import background
from dataflow.execution.errands import Errand


class Interrupted:
    """A loop whose caller is interrupted once, as it tells the loop something.

    :param told: whether the loop knows it by then.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, told: bool) -> None:
        self._loop = loop
        self._told = told
        self._due = True
        self.create_task = loop.create_task

    def call_soon_threadsafe(self, callback: Any, *args: Any) -> None:
        due, self._due = self._due, False
        if not due or self._told:
            self._loop.call_soon_threadsafe(callback, *args)
        if due:
            raise KeyboardInterrupt


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that runs in another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize("told", [True, False])
def test_an_interrupt_as_the_loop_is_told_leaves_nothing_running(
    loop: asyncio.AbstractEventLoop, told: bool
) -> None:
    running: set[str] = set()

    async def forever() -> None:
        running.add("it")
        try:
            await asyncio.Event().wait()
        finally:
            running.discard("it")

    async def clean_up() -> str:
        return "running" if running else "clean"

    errand: Any = Errand(Interrupted(loop, told=told))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        errand.ask(forever())
    assert errand.ask(clean_up(), last=True) == "clean"


@pytest.mark.parametrize("told", [True, False])
def test_an_interrupt_as_the_last_wish_is_told_does_not_wait_for_ever(
    loop: asyncio.AbstractEventLoop, told: bool
) -> None:
    done: list[str] = []

    async def clean_up() -> None:
        await asyncio.sleep(0)
        done.append("clean")

    errand: Any = Errand(Interrupted(loop, told=told))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        errand.ask(clean_up(), last=True)
    assert done == (["clean"] if told else [])


@pytest.mark.parametrize("told", [True, False])
def test_an_interrupt_as_the_background_is_told_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    history: list[str] = []
    enter = background._background.enter

    def enter_interrupted() -> Any:
        seat = enter()
        # Another thread runs the loop, and so has to be told.
        return SimpleNamespace(
            loop=Interrupted(seat.loop, told=told), drive=lambda call: False, served=seat.served
        )

    monkeypatch.setattr(background._background, "enter", enter_interrupted)

    async def forever() -> None:
        history.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            history.append("ended")

    with pytest.raises(KeyboardInterrupt):
        background.run_in_background(forever())
    assert history in ([], ["begun", "ended"])
    assert "dataflow-loop" not in [thread.name for thread in threading.enumerate()]
