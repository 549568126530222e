"""Where the time goes: the stack of work that goes on is looked at again and again, and the layer noted down.

Unlike a tracing profiler this leaves small functions as cheap as they are. It looks whenever the processor has worked
for a while, so that waiting for a server is not in it. Signals are what makes it possible, so that there is nothing to
show on Windows.
"""

import asyncio
import selectors
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from random import Random
from time import perf_counter
from types import FrameType

import dataflow
from benchmarks.contestants.contract import Contestant
from benchmarks.databases.contract import ClosableStore, Stores
from benchmarks.entries import Database
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["DRIVER", "ELSEWHERE", "NODE", "POOL", "RUN", "SCOPE", "STATEMENT", "layer_of", "layers_of_work"]

NAMES = ("read by id", "read by id, 50 tasks", "five in a transaction")
INTERVAL = 0.001  # seconds of the processor; a system that counts in larger steps looks less often

DRIVER = "the driver, with our module around it"
ROWS = "rows to dicts, values decoded"
STATEMENT = "the compiled statement found, values bound, rows read back"
POOL = "the pool: a connection waited for, taken, looked at, given back"
SCOPE = "the scope of a transaction"
PLACE = "where it runs: threads, and loops of synchronous callers"
NODE = "the node: parameters checked, statement made"
RUN = "the run: its steps and its results"
ELSEWHERE = "the caller, event loop, sockets, memory freed"

DIALECTS = ("sqlite", "postgres", "mysql")
MODULES: Mapping[str, str] = {
    module: layer
    for layer, modules in {
        DRIVER: DIALECTS,
        ROWS: ("documents", "nodes/flat_rows", *(f"{dialect}/types" for dialect in DIALECTS)),
        STATEMENT: ("execution/executor", "execution/returning", "statements", "sql", "mysql/literals"),
        POOL: (
            *("execution/database", "execution/pool", "execution/loop_pools", "execution/network_pool"),
            *("execution/semaphore", "execution/loop_semaphore"),
        ),
        PLACE: (
            *("execution/in_process", "execution/seat", "execution/stepping", "execution/workers"),
            *("execution/crossing", "execution/errands", "execution/background"),
        ),
        SCOPE: ("execution",),
        NODE: ("nodes", "coercion", "model", "filters", "types"),
        RUN: ("runtime", "workflow", "engine"),
    }.items()
    for module in modules
}
"""Our modules and packages; a module counts before the package in which it is."""
DRIVERS = frozenset({"asyncpg", "asyncmy", "aiomysql", "pymysql"})
LOOP = (Path(asyncio.__file__).parent, Path(selectors.__file__))
GENERATED: Mapping[str, str] = {"map_row": ROWS, "bind": STATEMENT, "coerce": NODE}
"""Functions that are written for a model, by their names."""


def layers_of_work(database: Database, stores: Stores, seconds: float) -> Mapping[str, Mapping[str, float]]:
    """For some workloads, the share of each layer in the time of the processor.

    :param seconds: how long each of them is looked at.
    """
    if not hasattr(signal, "setitimer"):
        return {}
    (entry,) = (one for one in database.entries if one.name == database.profiled)
    workloads = [one for one in WORKLOADS if one.name in NAMES and (one.tasks == 1 or entry.group.on_loop)]
    store = stores.new("layers")()
    contestant: Contestant = resolve_name(entry.made_by)(store)
    try:
        return {one.name: _shares(_sampled(one, contestant, store, seconds)) for one in workloads}
    finally:
        contestant.close()
        store.close()


def _shares(seen: Counter[str]) -> Mapping[str, float]:
    return {layer: count / seen.total() for layer, count in seen.most_common()}


def _sampled(
    workload: Workload, contestant: Contestant, store: ClosableStore, seconds: float
) -> Counter[str]:
    seen: Counter[str] = Counter()
    random, at_work = Random(1), False
    # One timer for all, as a system may count in steps that are longer than a batch.
    with _looking(lambda frame: seen.update((_layer(frame),) if at_work else ())):
        until = None
        while until is None or perf_counter() < until:
            items = workload.items(store, workload.batch, workload.size, random)
            at_work = until is not None  # the first batch fills caches
            contestant.timed(workload.operation, items, workload.tasks)
            at_work = False
            if workload.writes:
                store.restore()
            until = until or perf_counter() + seconds
    return seen


@contextmanager
def _looking(look: Callable[[FrameType | None], object]) -> Iterator[None]:
    """Look at the stack of this thread at intervals."""
    before = signal.signal(signal.SIGPROF, lambda _, frame: look(frame))
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _layer(frame: FrameType | None) -> str:
    """The layer of the innermost function that belongs to one; what it calls elsewhere is its own time."""
    while frame is not None:
        layer = layer_of(Path(frame.f_code.co_filename), frame.f_code.co_name)
        if layer is not None:
            return layer
        frame = frame.f_back
    return ELSEWHERE


def layer_of(file: Path, function: str) -> str | None:
    """The layer of a function; None where who called it decides."""
    if file.name.startswith("<"):
        return GENERATED.get(function)
    if any(file.is_relative_to(place) for place in LOOP):
        return ELSEWHERE
    for place in dataflow.__path__:
        if file.is_relative_to(place):
            module = file.relative_to(place).with_suffix("")
            inside = (parent.as_posix() for parent in (module, *module.parents))
            return next((MODULES[one] for one in inside if one in MODULES), None)
    return None if DRIVERS.isdisjoint(file.parts) else DRIVER
