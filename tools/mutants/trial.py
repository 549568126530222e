"""A trial: the tests that reach a fault run in a process in which one module has it."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import pytest

from tools.mutants.mutations import Mutation

__all__ = ["Outcome", "failing", "pytest_of", "try_fault"]


class Outcome(NamedTuple):
    """What became of a fault: ``killed``, ``timed out``, ``survived``, or ``untested`` where no test reaches it."""

    verdict: str
    by: str = ""


def try_fault(mutation: Mutation, tests: Sequence[str], timeout: float, folder: str) -> Outcome:
    """Whether one of the tests fails."""
    chosen = _Chosen(tests)
    code = _run(mutation, chosen, "-x", timeout=timeout, folder=folder)
    unnoticed = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return Outcome("survived") if unnoticed else chosen.failed


def failing(mutation: Mutation, tests: Sequence[str], timeout: float, folder: str) -> list[str] | int:
    """All of the tests that fail, or how pytest ended where it did not come to that."""
    chosen = _Chosen(tests)
    code = _run(mutation, chosen, timeout=timeout, folder=folder)
    return chosen.all_failed if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else code


def _run(mutation: Mutation, chosen: "_Chosen", *arguments: str, timeout: float, folder: str) -> int:
    sys.meta_path.insert(0, _Finder(mutation))
    files = dict.fromkeys(test.partition("::")[0] for test in chosen.places)
    try:
        return pytest_of([*arguments, *files], folder, timeout, chosen)
    except Exception:  # a plugin of pytest that imports DataFlow
        return int(pytest.ExitCode.INTERNAL_ERROR)


def pytest_of(arguments: Sequence[str], folder: str, timeout: float, plugin: object) -> int:
    """Run pytest in this process, as far as possible in the same way each time."""
    ours = ["-q", "--tb=no", "--no-header", "-n0", "-o", f"cache_dir={folder}/cache"]
    ours += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what was imported before the fork
    ours += [f"--basetemp={folder}/tests", f"--timeout={timeout:.0f}", "--hypothesis-seed=0"]
    return int(pytest.main([*ours, *arguments], plugins=[plugin]))


class _Chosen:
    """Of the tests that pytest finds, runs those that were chosen, in the order of the choice."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.places = {test: place for place, test in enumerate(tests)}
        self.failed = Outcome("killed", "the import")
        self.all_failed: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self.places]
        items[:] = sorted(chosen, key=lambda item: self.places[item.nodeid])

    def pytest_exception_interact(self, node: pytest.Item, call: pytest.CallInfo[None]) -> None:
        late = call.excinfo is not None and str(call.excinfo.value).startswith("Timeout ")
        self.failed = Outcome("timed out" if late else "killed", node.nodeid)
        self.all_failed.append(node.nodeid)


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
