"""The first run of the tests, which tells which of them reach which line."""

import pickle
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import pytest

from tools.mutants.crew import KEPT, Crew
from tools.mutants.mutations import Mutation
from tools.mutants.trial import failing, pytest_of

__all__ = ["Tests", "choose", "cut", "tests_of"]

TESTS = (
    "tests/unit",
    "tests/sqlite",
    "tests/conformance/test_sqlite.py",
    "tests/integration/test_bulk_faults.py",
    "tests/integration/test_interceptors.py",
    "tests/integration/test_optimistic_lock.py",
    "tests/discovery/test_bounds.py",
    "tests/discovery/test_relations.py",
    "--without-mysql",
    "--without-postgres",
    # The benchmarks reach everything, slowly, and their tests look at little.
    "--ignore=tests/unit/test_benchmarks.py",
)

# Tests in these many seconds are tried first; most faults are noticed by then.
FIRST_SECONDS = 3.0


class Tests(NamedTuple):
    """What the first run tells of the tests.

    :param seconds: how long each took.
    :param reached: for each file of the sources, and each of its lines, the tests that ran it.
    :param lines: how many lines each test reached.
    """

    seconds: Mapping[str, float]
    reached: Mapping[str, Mapping[int, frozenset[str]]]
    lines: Mapping[str, int]

    def without(self, unfit: Iterable[str]) -> "Tests":
        """The others."""
        reached = {
            file: {line: names.difference(unfit) for line, names in lines.items()}
            for file, lines in self.reached.items()
        }
        return self._replace(reached=reached)


def tests_of(files: Sequence[Path], fingerprint: str, crew: Crew) -> Tests:
    """What the tests reach; they run only where nobody has noted it yet."""
    note = KEPT / "tests.pickle"
    if note.exists():
        noted, tests = pickle.loads(note.read_bytes())
        if noted == (fingerprint, list(files)):
            return Tests(*tests)
    print("the tests run, to see which of them reach what", flush=True)
    began = time.monotonic()
    tests = crew.ask(partial(run_tests, files), 3600)
    if not isinstance(tests, Tests):
        raise SystemExit(f"{tests}\nmutants: the tests fail even without a fault; see ./dev test")
    print(f"{len(tests.seconds)} tests in {time.monotonic() - began:.0f} s", flush=True)

    # Once more, as a trial would, with a module in its own words: who fails now would notice faults that are not there.
    unchanged = Mutation(files[0], "none", range(0), None, files[0].read_bytes())
    ordered = sorted(tests.lines, key=tests.seconds.__getitem__)
    unfit = crew.ask(partial(failing, unchanged, ordered, 300), 3600)
    if not isinstance(unfit, list):
        raise SystemExit(f"mutants: a trial without a fault ends with {unfit!r}")
    if unfit:
        print("left out, as they fail in another order:", *unfit, sep="\n  ", flush=True)
        tests = tests.without(unfit)
    note.write_bytes(pickle.dumps(((fingerprint, list(files)), tuple(tests))))
    return tests


def run_tests(files: Sequence[Path], folder: str) -> Tests | str:
    """The first run: all tests with the code as it is. Where one fails, what pytest says."""
    reached = _Reached(files)
    code = pytest_of(["-x", *TESTS], folder, 300, reached)
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
        lines = Counter(test for file in reached.values() for names in file.values() for test in names)
        return Tests(self._seconds, reached, lines)


def forget_cached() -> None:
    """A test would not reach what an earlier one had kept for it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("dataflow."):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def choose(mutation: Mutation, tests: Tests, killers: Sequence[str], patience: float) -> list[str]:
    """The tests that reach a fault, as many as can run in so many seconds: those first that are likely to notice it.

    These are the ones that noticed others nearby, and then those of which most is about the same module, for the time
    that they take. A module of which nothing but its import runs is looked at by any test.
    """
    reached = tests.reached.get(str(mutation.path), {})
    lines = reached.keys() if mutation.reached_by is None else mutation.reached_by
    found = {test for line in lines for test in reached.get(line, ())}
    if not found and mutation.reached_by is None:
        found = {test for module in tests.reached.values() for line in module.values() for test in line}
    within = Counter(test for names in reached.values() for test in names)
    value = {test: within[test] / tests.lines[test] / (0.05 + tests.seconds[test]) for test in found}
    likely = [test for test in dict.fromkeys(killers) if test in found]
    others = _varied(found.difference(likely), value)
    return _within([*likely, *others], tests.seconds, patience)


def _varied(tests: Iterable[str], value: Mapping[str, float]) -> list[str]:
    """The best first; with other parameters, the second of a function counts half of its value, the third a third."""
    seen: Counter[str] = Counter()
    worth: dict[str, float] = {}
    for test in sorted(tests, key=lambda test: (-value[test], test)):
        function = test.partition("[")[0]
        seen[function] += 1
        worth[test] = value[test] / seen[function]
    return sorted(worth, key=lambda test: (-worth[test], test))


def cut(tests: Sequence[str], seconds: Mapping[str, float]) -> tuple[Sequence[str], Sequence[str]]:
    """The tests that are tried first, and the rest."""
    first = _within(tests, seconds, FIRST_SECONDS)
    return first, tests[len(first) :]


def _within(tests: Sequence[str], seconds: Mapping[str, float], limit: float) -> list[str]:
    """As many of the tests, one at least, as the time allows."""
    sums = accumulate(seconds[test] for test in tests)
    return [
        test
        for place, (test, total) in enumerate(zip(tests, sums, strict=True))
        if not place or total <= limit
    ]
