"""Does a test notice when the code is wrong? ``./dev mutants`` puts faults into it, one at a time, and looks.

A first run of the tests tells which of them reach which line. Then each fault has a process of its own: a fork in which
the import of one module brings the faulty text, and pytest runs the tests that reach it, until one fails. No file is
changed. What is found is kept in ``.dev/mutants/``, so that a run can be interrupted, and the next one asks only what
is not known: a fault that was noticed stays so as long as its module is the same, one that was not is tried again
when a test has changed.
"""

import argparse
import hashlib
import json
import math
import os
import pickle
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pytest
from mutations import Mutation, mutations

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".dev/mutants"
EQUIVALENT = ROOT / "tools/equivalent_mutants.toml"
CORE = ROOT / "packages/dataflow-core/src"
SQLITE = ROOT / "packages/dataflow-sqlite/src"
TARGETS = (
    (CORE, "dataflow/statements.py"),
    (CORE, "dataflow/stages.py"),
    (CORE, "dataflow/filters/*.py"),
    (CORE, "dataflow/sql/*.py"),
    (CORE, "dataflow/nodes/*.py"),
    (SQLITE, "dataflow/sqlite/expressions.py"),
    (SQLITE, "dataflow/sqlite/aggregates.py"),
    (SQLITE, "dataflow/sqlite/decimals.py"),
    (SQLITE, "dataflow/sqlite/types.py"),
    (SQLITE, "dataflow/sqlite/bulk/*.py"),
)
TESTS = ("tests/unit", "tests/sqlite")
PRELOADED = ("asyncio", "coverage", "hypothesis", "pluggy", "pytest_timeout", "sqlglot.dialects.sqlite", "sqlite3")
PROMISED = 0.9

# Tests in these many seconds are tried first; most faults are noticed by then.
FIRST_SECONDS = 3.0
FIRST_FILES = 8
MEMORY = 4 << 30

Killed = Callable[[str], None]


class Tests(NamedTuple):
    """What the first run tells of the tests.

    :param seconds: how long each took.
    :param reached: for each file of the sources, and each of its lines, the tests that ran it.
    """

    seconds: Mapping[str, float]
    reached: Mapping[str, Mapping[int, frozenset[str]]]


class Outcome(NamedTuple):
    """What became of a fault: ``killed``, ``timed out``, ``survived``, or ``untested`` where no test reaches it."""

    verdict: str
    by: str = ""


# ------------------------------------------------------------------------------------------------ a process


class _Faulty(SourceFileLoader):
    """Loads one module from another text than that of its file."""

    def __init__(self, name: str, mutation: Mutation) -> None:
        super().__init__(name, str(mutation.path))
        self._source = mutation.source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder:
    """Goes before all that find modules, for the sake of one."""

    def __init__(self, mutation: Mutation) -> None:
        self._mutation = mutation

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        if not name.startswith("dataflow."):
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.origin is None or Path(spec.origin) != self._mutation.path:
            return None
        spec.loader = _Faulty(name, self._mutation)
        return spec


class _Chosen:
    """Of the tests that pytest finds, runs those that were chosen, in the order of the choice."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._places = {test: place for place, test in enumerate(tests)}
        self.failed = Outcome("killed", "the import")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._places]
        items[:] = sorted(chosen, key=lambda item: self._places[item.nodeid])

    def pytest_exception_interact(self, node: pytest.Item, call: pytest.CallInfo[None]) -> None:
        late = call.excinfo is not None and str(call.excinfo.value).startswith("Timeout ")
        self.failed = Outcome("timed out" if late else "killed", node.nodeid)


class _Reached:
    """Notes which lines of the targets each test reaches, and how long it takes."""

    def __init__(self, files: Iterable[Path]) -> None:
        from coverage import Coverage

        self._coverage = Coverage(data_file=None, config_file=False, include=[str(file) for file in files])
        self._coverage.start()
        self._seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        forget_cached()
        self._coverage.switch_context(item.nodeid)
        began = time.perf_counter()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] = time.perf_counter() - began
            self._coverage.switch_context("")

    def tests(self) -> Tests:
        self._coverage.stop()
        data = self._coverage.get_data()
        reached = {
            file: {line: frozenset(tests) - {""} for line, tests in data.contexts_by_lineno(file).items()}
            for file in data.measured_files()
        }
        return Tests(self._seconds, reached)


def forget_cached() -> None:
    """A test would not reach what an earlier one had kept for it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("dataflow."):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


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
        result = traceback.format_exc()
    answer.send(result)
    answer.close()
    os._exit(0)


def pytest_of(arguments: Sequence[str], folder: str, timeout: float, plugin: object) -> int:
    """Run pytest in this process, as far as possible in the same way each time."""
    ours = ["-q", "-x", "--tb=no", "--no-header", "-n0", "-o", f"cache_dir={folder}/cache"]
    ours += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what was imported before the fork
    ours += [f"--basetemp={folder}/tests", f"--timeout={timeout:.0f}", "--hypothesis-seed=0"]
    return int(pytest.main([*ours, *arguments], plugins=[plugin]))


def try_fault(mutation: Mutation, tests: Sequence[str], timeout: float, folder: str) -> Outcome:
    """Whether one of the tests fails."""
    sys.meta_path.insert(0, _Finder(mutation))  # type: ignore[arg-type]
    chosen = _Chosen(tests)
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    try:
        code = pytest_of(files, folder, timeout, chosen)
    except Exception:  # a plugin of pytest that imports DataFlow
        return chosen.failed
    return Outcome("survived") if code == pytest.ExitCode.OK else chosen.failed


def run_tests(files: Sequence[Path], folder: str) -> Tests | str:
    """The first run: all tests with the code as it is. Where one fails, what pytest says."""
    reached = _Reached(files)
    code = pytest_of(TESTS, folder, 300, reached)
    return reached.tests() if code == pytest.ExitCode.OK else Path(folder, "words").read_text()[-5000:]


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
        :param done: is given the answer; None where none came.
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
                except EOFError:
                    result = None
                self._end(answer)
                job.done(result)
            elif job.deadline <= time.monotonic():
                self._end(answer)
                job.done(Outcome("timed out", "the whole run"))

    def _end(self, answer: Connection) -> None:
        job = self._jobs.pop(answer)
        # A child that has not yet made its own group would not be found by it.
        job.process.kill()
        try:
            os.killpg(job.process.pid or 0, signal.SIGKILL)
        except ProcessLookupError:
            pass
        job.process.join()
        answer.close()
        shutil.rmtree(job.folder, ignore_errors=True)


# ---------------------------------------------------------------------------------------------- what is known


def digest(files: Iterable[Path]) -> str:
    """Changes with the text of the files."""
    found = hashlib.sha256()
    for file in sorted(files):
        found.update(str(file).encode() + file.read_bytes())
    return found.hexdigest()[:16]


def digest_of_tests() -> str:
    """Changes with whatever tests anything, or is tested."""
    folders = (ROOT / "tests", ROOT / "packages")
    return digest(file for folder in folders for file in folder.rglob("*.py"))


class Memory:
    """The outcomes of earlier runs."""

    def __init__(self, tests: str) -> None:
        self._file = KEPT / "outcomes.json"
        self._tests = tests
        self._modules: dict[Path, str] = {}
        self._known: dict[str, dict[str, str]] = {}
        if self._file.exists():
            self._known = json.loads(self._file.read_text())

    def get(self, mutation: Mutation) -> Outcome | None:
        known = self._known.get(mutation.name)
        if known is None or known["module"] != self._module(mutation.path):
            return None
        if known["verdict"] != "killed" and known["tests"] != self._tests:
            return None
        return Outcome(known["verdict"], known["by"])

    def killers(self, mutation: Mutation) -> list[str]:
        """The tests that noticed most faults of the same function, or else of the module."""
        place, module = mutation.name.partition(":")[0], str(mutation.path)
        by = [
            (name.partition(":")[0] == place, known["by"])
            for name, known in self._known.items()
            if known["path"] == module and known["verdict"] == "killed"
        ]
        near = Counter(test for same, test in by if same).most_common(10)
        return [test for test, _ in (*near, *Counter(test for _, test in by).most_common(10))]

    def put(self, mutation: Mutation, outcome: Outcome) -> None:
        known = {"module": self._module(mutation.path), "path": str(mutation.path), "tests": self._tests}
        self._known[mutation.name] = known | outcome._asdict()
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._known, indent=1))
        new.replace(self._file)

    def _module(self, path: Path) -> str:
        if path not in self._modules:
            self._modules[path] = digest([path])
        return self._modules[path]


def tests_of(files: Sequence[Path], fingerprint: str, crew: Crew) -> Tests:
    """What the tests reach; they run only where nobody has noted it yet."""
    note = KEPT / "tests.pickle"
    if note.exists():
        noted, tests = pickle.loads(note.read_bytes())
        if noted == (fingerprint, list(files)):
            return Tests(*tests)
    print("the tests run once, to see which of them reach what", flush=True)
    began = time.monotonic()
    results: list[Any] = []
    crew.start(partial(run_tests, files), 3600, results.append)
    crew.finish()
    if not isinstance(results[0], Tests):
        raise SystemExit(f"{results[0]}\nmutants: the tests fail even without a fault; see ./dev test")
    print(f"{len(results[0].seconds)} tests in {time.monotonic() - began:.0f} s", flush=True)
    note.write_bytes(pickle.dumps(((fingerprint, list(files)), tuple(results[0]))))
    return results[0]


def choose(mutation: Mutation, tests: Tests, killers: Sequence[str]) -> list[str]:
    """The tests that reach a fault, those first that are likely to notice it, then the quick ones.

    What runs at the import of a module concerns all tests that run anything of it.
    """
    reached = tests.reached.get(str(mutation.path), {})
    lines = mutation.lines if mutation.in_function else reached.keys()
    found = {test for line in lines for test in reached.get(line, ())}
    likely = [test for test in dict.fromkeys(killers) if test in found]
    return likely + sorted(found.difference(likely), key=lambda test: (tests.seconds[test], test))


def cut(tests: Sequence[str], seconds: Mapping[str, float]) -> tuple[Sequence[str], Sequence[str]]:
    """The tests that are tried first, and the rest."""
    total, files = 0.0, set[str]()
    for place, test in enumerate(tests):
        total += seconds[test]
        files.add(test.partition("::")[0])
        if place and (total > FIRST_SECONDS or len(files) > FIRST_FILES):
            return tests[:place], tests[place:]
    return tests, ()


# --------------------------------------------------------------------------------------------------- the run


class Run:
    """Tries faults, each until a test notices it."""

    def __init__(self, tests: Tests, memory: Memory, crew: Crew, left: int) -> None:
        self._tests = tests
        self._memory = memory
        self._crew = crew
        self._left = left
        self._waiting: list[Callable[[], None]] = []

    def all(self, faults: Sequence[Mutation]) -> None:
        for fault in faults:
            self._rest()
            found = choose(fault, self._tests, self._memory.killers(fault))
            if found:
                self._try(fault, *cut(found, self._tests.seconds))
            else:
                self._done(fault, Outcome("untested"))
        while self._waiting or self._crew_is_busy():
            self._rest()
            self._crew.finish()

    def _crew_is_busy(self) -> bool:
        return bool(self._crew._jobs)

    def _rest(self) -> None:
        while self._waiting:
            self._waiting.pop()()

    def _try(self, fault: Mutation, first: Sequence[str], rest: Sequence[str]) -> None:
        seconds = [self._tests.seconds[test] for test in first]

        def done(outcome: Outcome | str | None) -> None:
            if isinstance(outcome, str):
                raise SystemExit(f"{outcome}\nmutants: {fault.name} could not be tried")
            outcome = outcome or Outcome("killed", "the end of the process")
            if outcome.verdict == "survived" and rest:
                self._waiting.append(partial(self._try, fault, rest, ()))
            else:
                self._done(fault, outcome)

        work = partial(try_fault, fault, first, 10 + 5 * max(seconds))
        self._crew.start(work, 60 + 5 * sum(seconds), done)

    def _done(self, fault: Mutation, outcome: Outcome) -> None:
        self._memory.put(fault, outcome)
        self._left -= 1
        if outcome.verdict != "killed":
            print(f"{self._left:5} left  {outcome.verdict:9} {fault.name}", flush=True)


def report(faults: Sequence[Mutation], memory: Memory, of: int) -> float:
    """Print what became of the faults, and tell the share that was noticed."""
    explained = tomllib.loads(EQUIVALENT.read_text()) if EQUIVALENT.exists() else {}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    remaining: list[tuple[Mutation, Outcome]] = []
    equivalent = 0
    for fault in faults:
        outcome = memory.get(fault) or Outcome("untested")
        module = str(fault.path.relative_to(ROOT)).partition("/src/")[2]
        counts[module][outcome.verdict] += 1
        if outcome.verdict in ("survived", "untested"):
            remaining.append((fault, outcome))
            equivalent += fault.name in explained
    print(f"\n{'module':44}{'mutants':>8}{'killed':>8}{'timed out':>11}{'survived':>10}{'untested':>10}")
    total: Counter[str] = Counter()
    for module, count in (*sorted(counts.items()), ("all", total)):
        total += count if count is not total else Counter()
        cells = (count.total(), count["killed"], count["timed out"], count["survived"], count["untested"])
        print(f"{module:44}{cells[0]:8}{cells[1]:8}{cells[2]:11}{cells[3]:10}{cells[4]:10}")
    for title, wanted in (("\nnoticed by no test:", False), ("\nequivalent, and why:", True)):
        listed = [(fault, outcome) for fault, outcome in remaining if (fault.name in explained) is wanted]
        if listed:
            print(title)
        for fault, outcome in listed:
            print(f"  {fault.path.relative_to(ROOT)}:{fault.lines.start} ({outcome.verdict})\n    {fault.name}")
            if wanted:
                print(f"    {explained[fault.name]}")
    noticed = total["killed"] + total["timed out"]
    low, high = interval(noticed, len(faults))
    print(f"\n{noticed} of {len(faults)} are noticed: {noticed / len(faults):.1%}", end="")
    if len(faults) < of:
        print(f"; of all {of}, with 95 % confidence, {low:.1%} to {high:.1%}", end="")
    if equivalent:
        print(f"; without {equivalent} that change nothing: {noticed / (len(faults) - equivalent):.1%}", end="")
    print()
    return noticed / len(faults)


def interval(hits: int, of: int) -> tuple[float, float]:
    """The share in all from which a sample was drawn, after Wilson, with 95 % confidence."""
    z = 1.96
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return middle - half, min(1.0, middle + half)


def found_in(targets: Iterable[tuple[Path, str]], wanted: Sequence[str]) -> list[Mutation]:
    """All faults of the modules that are wanted."""
    return [
        fault
        for root, pattern in targets
        for path in sorted(root.glob(pattern))
        if not wanted or any(part in str(path.relative_to(root)) for part in wanted)
        for fault in mutations(path, ".".join(path.relative_to(root).with_suffix("").parts))
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev mutants", description=__doc__.split("\n")[0])
    parser.add_argument("module", nargs="*", help="a part of a path, such as filters/mongo; without any, all")
    parser.add_argument("--sample", type=int, default=500, help="how many faults are drawn at random (500)")
    parser.add_argument("--seed", type=int, default=1, help="decides which are drawn (1)")
    parser.add_argument("--all", action="store_true", help="draw nothing, try all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one for each core)")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    KEPT.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    every = found_in(TARGETS, asked.module)
    if not every:
        raise SystemExit("mutants: no such module; see TARGETS in tools/mutants.py")
    size = len(every) if asked.all else min(asked.sample, len(every))
    drawn = random.Random(asked.seed).sample(every, size)
    print(f"{size} of {len(every)} faults" + ("" if size == len(every) else f", seed {asked.seed}"), flush=True)
    for name in PRELOADED:
        __import__(name)
    crew = Crew(asked.jobs)
    fingerprint = digest_of_tests()
    files = [path for root, pattern in TARGETS for path in sorted(root.glob(pattern))]
    try:
        tests = tests_of(files, fingerprint, crew)
        memory = Memory(fingerprint)
        unknown = [fault for fault in drawn if memory.get(fault) is None]
        Run(tests, memory, crew, len(unknown)).all(unknown)
    finally:
        crew.stop()
    share = report(drawn, memory, len(every))
    print(f"{len(unknown)} were tried in {time.monotonic() - began:.0f} s")
    return 0 if share >= PROMISED else 1


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main())
