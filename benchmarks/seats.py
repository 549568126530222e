"""A process for each contestant, in which it is alone as in a program of its own; it gets its turn over a pipe.

Libraries change what belongs to a whole process: adapters and converters of ``sqlite3``, settings, the garbage that the
collector has to look at. The inputs are made there and the time is taken there; only words and figures pass the pipe.
"""

import gc
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from random import Random
from time import process_time
from typing import Any, NamedTuple

from benchmarks.contestants.contract import Contestant
from benchmarks.databases.contract import ClosableStore
from benchmarks.entries import Entry
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["ContestantFailed", "Seat", "Taken"]

BY_NAME: Mapping[str, Workload] = {workload.name: workload for workload in WORKLOADS}


class Taken(NamedTuple):
    """What an operation took: seconds, and seconds of the processor in the process of the contestant."""

    seconds: float
    processor: float


class ContestantFailed(Exception):
    """Something went wrong in the process of a contestant; says what, and where."""


class Seat:
    """A contestant in its process.

    The process starts at once; :meth:`sit_down` waits until it is ready.

    :param open_store: called in the process, makes the store.
    :raises ContestantFailed: from every method, where the contestant raises anything.
    """

    def __init__(self, entry: Entry, open_store: Callable[[], ClosableStore]) -> None:
        self.entry = entry
        context = get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, entry.made_by, open_store), daemon=True)
        self._process.start()
        other.close()
        self.operations: frozenset[str] = frozenset()

    def sit_down(self) -> None:
        self.operations = frozenset(self._reply())

    def batch(self, workload: Workload, share: float, number: int) -> Taken:
        """Do one batch, and tell what an operation took.

        :param share: of a full batch, in operations and in rows.
        :param number: of the round; equal numbers make equal inputs.
        """
        of_rows = self.entry.share if workload.bulk else 1.0
        taken: Taken = self._ask("batch", workload.name, share * of_rows, number)
        return Taken(taken.seconds / of_rows, taken.processor / of_rows)

    def answer(self, workload: Workload, most: int) -> tuple[Any, Any]:
        """Do the operation once, about so many rows at most: what was answered, and what changed in the table."""
        answer, change = self._ask("answer", workload.name, most)
        return answer, change

    def close(self) -> None:
        with suppress(OSError):
            self._pipe.send(None)
        self._process.join(10)
        self._process.kill()
        self._pipe.close()

    def _ask(self, *question: Any) -> Any:
        self._pipe.send(question)
        return self._reply()

    def _reply(self) -> Any:
        try:
            well, content = self._pipe.recv()
        except (EOFError, ConnectionError):
            raise ContestantFailed(f"{self.entry.title}: its process ended") from None
        if not well:
            raise ContestantFailed(f"{self.entry.title}:\n{content}")
        return content


def _serve(pipe: Connection, made_by: str, open_store: Callable[[], ClosableStore]) -> None:
    """What the process does until it is told to stop."""
    try:
        store = open_store()
        contestant: Contestant = resolve_name(made_by)(store)
        at_work = _AtWork(contestant, store)
        pipe.send((True, list(contestant.operations())))
        # What is there by now is nobody's garbage: the collections within a batch look at that batch.
        gc.collect()
        gc.freeze()
        while (question := pipe.recv()) is not None:
            verb, *rest = question
            pipe.send((True, getattr(at_work, verb)(*rest)))
        contestant.close()
        store.close()
    except EOFError:
        pass
    except BaseException:
        pipe.send((False, traceback.format_exc()))


class _AtWork:
    def __init__(self, contestant: Contestant, store: ClosableStore) -> None:
        self._contestant = contestant
        self._store = store

    def batch(self, name: str, share: float, number: int) -> Taken:
        workload = BY_NAME[name]
        count = max(1, round(workload.batch * share))
        items = workload.items(self._store, count, max(1, round(workload.size * share)), Random(number))
        # The garbage from before is collected before, and the caches of the processor get to know this process again.
        gc.collect()
        if "read" in self._contestant.operations():
            self._contestant.timed("read", range(1, 11), 1)
        before = process_time()
        elapsed = self._contestant.timed(workload.operation, items, workload.tasks)
        processor = process_time() - before
        self._put_in_order(workload)
        return Taken(elapsed / count, processor / count)

    def answer(self, name: str, most: int) -> tuple[Any, Any]:
        workload = BY_NAME[name]
        (item, *_) = workload.items(self._store, 1, min(workload.size, most), Random(name))
        before = self._store.content()
        answer = self._contestant.answer(workload.operation, item)
        after = self._store.content()
        self._put_in_order(workload)
        return answer, (sorted(after - before), len(before - after))

    def _put_in_order(self, workload: Workload) -> None:
        if workload.writes:
            self._store.restore()
