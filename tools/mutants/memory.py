"""What is known from earlier runs."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tools.mutants.crew import KEPT, ROOT
from tools.mutants.mutations import Mutation
from tools.mutants.trial import Outcome

__all__ = ["Memory", "digest_of_tests"]


class Memory:
    """The outcomes of earlier runs."""

    def __init__(self, tests: str, patience: float) -> None:
        self._file = KEPT / "outcomes.json"
        self._tests = f"{tests}, {patience:g} s"
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


def digest_of_tests() -> str:
    """Changes with whatever tests anything, or is tested."""
    folders = (ROOT / "tests", ROOT / "packages")
    return digest(file for folder in folders for file in folder.rglob("*.py"))


def digest(files: Iterable[Path]) -> str:
    """Changes with the text of the files."""
    found = hashlib.sha256()
    for file in sorted(files):
        found.update(str(file).encode() + file.read_bytes())
    return found.hexdigest()[:16]
