"""Lets the bank die somewhere, starts it again, and looks whether all is well."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

from .bank import SUCCEEDS
from .books import Books

__all__ = ["SECONDS_TO_RECOVER", "Ended", "Processes", "Walker", "recover"]

UNDECIDED = (
    "saga.begin.before_header",
    "two_phase.prepare.",
    "two_phase.decision.before_",
    "two_phase.decision.after_row",
)
"""Where a transfer has not yet decided to happen; having come further, it happens whatever comes."""

PROGRAM = Path(__file__).with_name("bank.py")
SECONDS_TO_RECOVER = 10


class Ended(NamedTuple):
    """How a process ended.

    :param status: its exit code, or the number of the signal that ended it, negative.
    :param output: what it said.
    """

    status: int
    output: str

    @property
    def died(self) -> bool:
        """Whether it was killed.

        :raises AssertionError: where it ended neither so nor well.
        """
        assert self.status in (0, -signal.SIGKILL), f"it ended with {self.status}:\n{self.output}"
        return self.status != 0


class Processes:
    """Runs the program, in a new process each time."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, PROGRAM, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str, crash_at: str = "", killed_after: float | None = None) -> Ended:
        """Run it with these arguments, and wait for its end.

        :param crash_at: the place at which it dies, and at which pass: ``"saga.step.after_commit:2"``.
        :param killed_after: after how many seconds it is killed.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        command = {"arguments": arguments, "crash_at": crash_at, "killed_after": killed_after}
        print(json.dumps(command), file=self._server.stdin, flush=True)
        return Ended(**json.loads(self._server.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.communicate()


def recover(processes: Processes, books: Books, deadline: float) -> None:
    """Start again until all is in its final state: a server may need a moment to see that its client is gone.

    :raises AssertionError: where that is not so at the deadline.
    """
    while True:
        assert not processes.run("recover", *books.urls).died
        if not (unfinished := books.unfinished()):
            return
        assert monotonic() < deadline, f"{unfinished} after {SECONDS_TO_RECOVER} s"


class Walker:
    """Makes transfers, each of a number of its own.

    :param form: in which they are made.
    """

    def __init__(self, processes: Processes, books: Books, form: str) -> None:
        self._processes = processes
        self._books = books
        self._form = form
        self._number = 1
        self._sagas = books.sagas()

    def walk(self, point: str, outcome: str, *, recover_until: str = "") -> bool:
        """Make a transfer that dies at a point, start again, and see that all is well.

        :param recover_until: the point at which the first restart dies, too.
        :returns: whether the process died there, the last one that was to die.
        """
        self._number += 1
        died = self._run(
            "transfer", self._form, str(self._number), outcome, *self._books.urls, crash_at=point
        )
        happens = outcome == SUCCEEDS and not (died and point.startswith(UNDECIDED))
        restarted = monotonic()
        if recover_until:
            assert died, f"it did not come to {point}"
            died = self._run("recover", *self._books.urls, crash_at=recover_until)
        if died:
            recover(self._processes, self._books, restarted + SECONDS_TO_RECOVER)
        assert not (unfinished := self._books.unfinished()), unfinished
        self._check(happens=happens)
        return died

    def _run(self, *arguments: str, crash_at: str = "") -> bool:
        return self._processes.run(*arguments, crash_at=crash_at).died

    def _check(self, *, happens: bool) -> None:
        """All of the transfer has happened, once, or nothing; and what is said of it is true."""
        line = self._books.lines(self._number)[self._number]
        assert line.is_right, line
        assert line.noted == happens
        if self._form == "saga":
            assert not (wrong := self._books.wrong_notices()), wrong
            before, self._sagas = self._sagas, self._books.sagas()
            assert self._sagas["done"] - before["done"] == line.noted
            assert self._sagas.total() - before.total() in ((1,) if line.noted else (0, 1))
