"""Processes that work beside each other, each with an answer."""

import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["KEPT", "ROOT", "Crew"]

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / ".dev/mutants"
MEMORY = 4 << 30


class Job(NamedTuple):
    """A process at work, and what to do with its answer."""

    process: BaseProcess
    deadline: float
    folder: str
    done: Callable[[Any], None]


class Crew:
    """Processes beside each other, each forked from this one, which has not imported DataFlow."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: dict[Connection, Job] = {}

    def start(self, work: Callable[[str], Any], seconds: float, done: Callable[[Any], None]) -> None:
        """Begin as soon as a place is free.

        :param work: what the process does, with a folder of its own.
        :param seconds: how long it may take.
        :param done: is given the answer, or an error: EOFError where the process died, TimeoutError where it was late,
            RuntimeError with the traceback of any other.
        """
        while len(self._jobs) >= self._size:
            self._step()
        folder = tempfile.mkdtemp(prefix="mutant-")
        ours, theirs = get_context("fork").Pipe(duplex=False)
        process = get_context("fork").Process(
            target=in_a_process, args=(partial(work, folder), theirs, folder)
        )
        process.start()
        theirs.close()
        self._jobs[ours] = Job(process, time.monotonic() + seconds, folder, done)

    def ask(self, work: Callable[[str], Any], seconds: float) -> Any:
        """Do this alone, and tell the answer."""
        answers: list[Any] = []
        self.start(work, seconds, answers.append)
        self.finish()
        return answers[0]

    def finish(self) -> None:
        """Wait for all."""
        while self._jobs:
            self._step()

    def stop(self) -> None:
        """End all."""
        for answer in list(self._jobs):
            self._end(answer)

    def _step(self) -> None:
        first = min(job.deadline for job in self._jobs.values())
        ready = wait(list(self._jobs), timeout=max(0.0, first - time.monotonic()))
        for answer, job in list(self._jobs.items()):
            if answer in ready:
                try:
                    result = answer.recv()
                except EOFError as error:
                    result = error
                self._end(answer)
                job.done(result)
            elif job.deadline <= time.monotonic():
                self._end(answer)
                job.done(TimeoutError())

    def _end(self, answer: Connection) -> None:
        job = self._jobs.pop(answer)
        # A child that has not yet made its own group would not be found by it.
        job.process.kill()
        with suppress(ProcessLookupError):
            os.killpg(job.process.pid or 0, signal.SIGKILL)
        job.process.join()
        answer.close()
        shutil.rmtree(job.folder, ignore_errors=True)


def in_a_process(work: Callable[[], Any], answer: Connection, folder: str) -> None:
    """Do something in this new process, whose words and files go with it; an error is an answer too."""
    os.setsid()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))  # as python -m pytest does
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{folder}/hypothesis"
    words = os.open(f"{folder}/words", os.O_RDWR | os.O_CREAT)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(words, 1)
    os.dup2(words, 2)
    from hypothesis import Phase, settings

    # That a test fails is all that matters; the profiles of tests/conftest.py have the rest from this one.
    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
    settings.load_profile("mutants")
    try:
        result = work()
    except BaseException:
        result = RuntimeError(traceback.format_exc())
    answer.send(result)
    answer.close()
    os._exit(0)
