"""Does a test notice when the code is wrong? ``./dev mutants`` puts faults into it, one at a time, and looks.

A first run of the tests tells which of them reach which line. Then each fault has a process of its own: a fork in which
the import of one module brings the faulty text, and pytest runs the tests that reach it, until one fails. No file is
changed. What is found is kept in ``.dev/mutants/``, so that a run can be interrupted, and the next one asks only what
is not known: a fault that was noticed stays so as long as its module is the same, one that was not is tried again
when a test has changed.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from tools.mutants.crew import KEPT, ROOT, Crew
from tools.mutants.memory import Memory, digest_of_tests
from tools.mutants.mutations import Mutation, mutations
from tools.mutants.reach import Tests, choose, cut, tests_of
from tools.mutants.report import report
from tools.mutants.trial import Outcome, try_fault

CORE = ROOT / "packages/dataflow-core/src"
SQLITE = ROOT / "packages/dataflow-sqlite/src"
TARGETS = (
    (CORE, "dataflow/statements.py"),
    (CORE, "dataflow/stages.py"),
    (CORE, "dataflow/filters/**/*.py"),
    (CORE, "dataflow/sql/*.py"),
    (CORE, "dataflow/nodes/*.py"),
    (SQLITE, "dataflow/sqlite/expressions.py"),
    (SQLITE, "dataflow/sqlite/aggregates.py"),
    (SQLITE, "dataflow/sqlite/automaton.py"),
    (SQLITE, "dataflow/sqlite/decimals.py"),
    (SQLITE, "dataflow/sqlite/functions.py"),
    (SQLITE, "dataflow/sqlite/searching.py"),
    (SQLITE, "dataflow/sqlite/types.py"),
    (SQLITE, "dataflow/sqlite/bulk/*.py"),
)
PRELOADED = (
    "asyncio",
    "coverage",
    "hypothesis",
    "pluggy",
    "pytest_timeout",
    "sqlglot.dialects.sqlite",
    "sqlite3",
)
PROMISED = 0.9


class Run:
    """Tries faults, each until a test notices it."""

    def __init__(self, tests: Tests, memory: Memory, crew: Crew, patience: float) -> None:
        self._tests = tests
        self._memory = memory
        self._crew = crew
        self._patience = patience
        self._left = 0
        self._survivors: list[tuple[Mutation, Sequence[str]]] = []

    def try_all(self, faults: Sequence[Mutation]) -> None:
        """Try each with some tests, then those that are left with all others."""
        self._left = len(faults)
        for fault in faults:
            found = choose(fault, self._tests, self._memory.killers(fault), self._patience)
            if found:
                self._try(fault, *cut(found, self._tests.seconds))
            else:
                self._note(fault, Outcome("untested"))
        self._crew.finish()
        for fault, rest in self._survivors:
            self._try(fault, rest)
        self._crew.finish()

    def _try(self, fault: Mutation, tests: Sequence[str], rest: Sequence[str] = ()) -> None:
        seconds = [self._tests.seconds[test] for test in tests]

        def done(answer: Outcome | Exception) -> None:
            match answer:
                case Outcome():
                    outcome = answer
                case EOFError():
                    outcome = Outcome("killed", "the end of the process")
                case TimeoutError():
                    outcome = Outcome("timed out", "the whole trial")
                case _:
                    raise SystemExit(f"{answer}\nmutants: {fault.name} could not be tried")
            if outcome.verdict == "survived" and rest:
                self._survivors.append((fault, rest))
            else:
                self._note(fault, outcome)

        work = partial(try_fault, fault, tests, 10 + 5 * max(seconds))
        self._crew.start(work, 60 + 5 * sum(seconds), done)

    def _note(self, fault: Mutation, outcome: Outcome) -> None:
        self._memory.put(fault, outcome)
        self._left -= 1
        if outcome.verdict != "killed":
            print(f"{self._left:5} left  {outcome.verdict:9} {fault.name}", flush=True)


def found_in(targets: Iterable[tuple[Path, str]], wanted: Sequence[str]) -> list[Mutation]:
    """All faults of the modules that are wanted."""
    return [
        fault
        for root, pattern in targets
        for path in sorted(root.glob(pattern))
        if not wanted or any(part in str(path.relative_to(root)) for part in wanted)
        for fault in mutations(path, ".".join(path.relative_to(root).with_suffix("").parts))
    ]


def sample(faults: Sequence[Mutation], size: int, seed: int) -> list[Mutation]:
    """Some of the faults at random; those of a module stay in the sample when another one changes."""

    def lot(fault: Mutation) -> bytes:
        return sha256(f"{seed} {fault.name}".encode()).digest()

    return sorted(faults, key=lot)[:size]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev mutants", description=__doc__.split("\n")[0])
    parser.add_argument("module", nargs="*", help="a part of a path, such as filters/mongo; without any, all")
    parser.add_argument("--sample", type=int, default=500, help="how many faults are drawn at random (500)")
    parser.add_argument("--seed", type=int, default=1, help="decides which are drawn (1)")
    parser.add_argument("--all", action="store_true", help="draw nothing, try all")
    parser.add_argument(
        "--patience", type=float, default=20, help="how many seconds of tests a fault has to pass (20)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one for each core)")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    KEPT.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    every = found_in(TARGETS, asked.module)
    if not every:
        raise SystemExit("mutants: no such module; see TARGETS in tools/mutants/__main__.py")
    size = len(every) if asked.all else min(asked.sample, len(every))
    drawn = sample(every, size, asked.seed)
    print(
        f"{size} of {len(every)} faults" + ("" if size == len(every) else f", seed {asked.seed}"), flush=True
    )
    for name in PRELOADED:
        __import__(name)
    crew = Crew(asked.jobs)
    fingerprint = digest_of_tests()
    files = [path for root, pattern in TARGETS for path in sorted(root.glob(pattern))]
    try:
        tests = tests_of(files, fingerprint, crew)
        memory = Memory(fingerprint, asked.patience)
        unknown = [fault for fault in drawn if memory.get(fault) is None]
        Run(tests, memory, crew, asked.patience).try_all(unknown)
    except KeyboardInterrupt:
        print("interrupted; the next run goes on from here")
        return 130
    finally:
        crew.stop()
    share = report(drawn, memory, len(every))
    print(f"{len(unknown)} were tried in {time.monotonic() - began:.0f} s")
    return 0 if share >= PROMISED else 1


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        again = [sys.executable, "-m", "tools.mutants", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})
    sys.exit(main())
