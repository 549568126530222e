"""The first run of the tests, which tells which of them reach which line."""

import pickle
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tools.mutants.crew import KEPT, Crew
from tools.mutants.mutations import Mutation
from tools.mutants.trial import Outcome, pytest_of, try_fault

__all__ = ["Tests", "choose", "cut", "tests_of"]

TESTS = (
    "tests/unit",
    "tests/sqlite",
    "tests/integration/test_interceptors.py",
    "tests/integration/test_optimistic_lock.py",
    # The benchmarks reach everything, slowly, and their tests look at little.
    "--ignore=tests/unit/test_benchmarks.py",
)

# Tests in these many seconds are tried first; most faults are noticed by then.
FIRST_SECONDS = 3.0
FIRST_FILES = 8


class Tests(NamedTuple):
    """What the first run tells of the tests.

    :param seconds: how long each took.
    :param reached: for each file of the sources, and each of its lines, the tests that ran it.
    """

    seconds: Mapping[str, float]
    reached: Mapping[str, Mapping[int, frozenset[str]]]


def tests_of(files: Sequence[Path], fingerprint: str, crew: Crew) -> Tests:
    """What the tests reach; they run only where nobody has noted it yet."""
    note = KEPT / "tests.pickle"
    if note.exists():
        noted, tests = pickle.loads(note.read_bytes())
        if noted == (fingerprint, list(files)):
            return Tests(*tests)
    print(
        "the tests run twice without a fault, to see which of them reach what, and that they pass", flush=True
    )
    began = time.monotonic()
    tests = crew.ask(partial(run_tests, files), 3600)
    if not isinstance(tests, Tests):
        raise SystemExit(f"{tests}\nmutants: the tests fail even without a fault; see ./dev test")
    # In the order and by the means of a trial, with a module that is loaded from its own text.
    unchanged = Mutation(files[0], "none", range(0), False, files[0].read_bytes())
    outcome = crew.ask(
        partial(try_fault, unchanged, sorted(tests.seconds, key=tests.seconds.__getitem__), 300), 3600
    )
    if outcome != Outcome("survived"):
        raise SystemExit(f"mutants: a trial without a fault ends with {outcome}; it must survive")
    print(f"{len(tests.seconds)} tests in {time.monotonic() - began:.0f} s", flush=True)
    note.write_bytes(pickle.dumps(((fingerprint, list(files)), tuple(tests))))
    return tests


def run_tests(files: Sequence[Path], folder: str) -> Tests | str:
    """The first run: all tests with the code as it is. Where one fails, what pytest says."""
    reached = _Reached(files)
    code = pytest_of(TESTS, folder, 300, reached)
    return reached.tests() if code == pytest.ExitCode.OK else Path(folder, "words").read_text()[-5000:]


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
