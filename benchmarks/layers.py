"""Where the time of a read by id goes: the stack is looked at a thousand times a second, and the layer noted down.

Unlike a tracing profiler this leaves small functions as cheap as they are. Signals are what makes it possible, so that
there is nothing to show on Windows.
"""

import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from types import FrameType

import dataflow.config
from benchmarks.contestants.dataflow import RuntimeDataFlow
from benchmarks.databases.contract import StoreOptions
from benchmarks.databases.sqlite import SQLiteStores
from benchmarks.subject import SEEDED

__all__ = ["layers_of_a_read"]

CORE = Path(dataflow.config.__file__).parent

LAYERS: Mapping[str, str] = {
    "sqlite": "sqlite3, and our driver around it",
    "map_row": "rows to dicts, values decoded",
    "documents.py": "rows to dicts, values decoded",
    "execution": "scope, pool, executor",
    "nodes": "node: parameters checked, statement made",
    "statements.py": "node: parameters checked, statement made",
    "coercion.py": "node: parameters checked, statement made",
    "model": "node: parameters checked, statement made",
    "runtime": "runtime: the run, its steps and its results",
    "workflow": "runtime: the run, its steps and its results",
}
ELSEWHERE = "the caller, and freeing what it was given"


def layers_of_a_read(seconds: float) -> Mapping[str, float]:
    """The share of each layer in a read by id through LocalRuntime, the greatest first."""
    if not hasattr(signal, "setitimer"):
        return {}
    with TemporaryDirectory(prefix="dataflow-bench-") as folder:
        store = SQLiteStores(Path(folder), StoreOptions()).new("layers")()
        contestant = RuntimeDataFlow(store)
        try:
            seen = _sampled(contestant, seconds)
        finally:
            contestant.close()
            store.close()
    whole = seen.total() or 1
    return {layer: count / whole for layer, count in seen.most_common()}


def _sampled(contestant: RuntimeDataFlow, seconds: float) -> Counter[str]:
    seen: Counter[str] = Counter()

    def look(number: int, frame: FrameType | None) -> None:
        seen[_layer(frame)] += 1

    read = contestant.operations()["read"]
    ids = Random(1).sample(range(1, SEEDED + 1), SEEDED)
    read(1)
    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    try:
        until = perf_counter() + seconds
        while perf_counter() < until:
            for id in ids:
                read(id)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return seen


def _layer(frame: FrameType | None) -> str:
    """The layer of the innermost function that belongs to one; what it calls elsewhere is its own time."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename == "<string>":
            return LAYERS["map_row"]
        file = Path(code.co_filename)
        if "dataflow" in file.parts and "benchmarks" not in file.parts:
            inside = file.relative_to(CORE).parts[0] if file.is_relative_to(CORE) else "sqlite"
            return LAYERS.get(inside, inside)
        frame = frame.f_back
    return ELSEWHERE
