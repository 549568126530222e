"""What the tests of the suite share: a run of pytest apart, as the author of a dialect has it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

OUTCOME = re.compile(
    r"^(PASSED|FAILED|ERROR|XFAIL|XPASS)(?: \S+?::(?:(\w+)::)?([\w]+)(\[.*?\])?(?= - |$| ))?", re.M
)
STRICT = """
[pytest]
strict_markers = true
filterwarnings = error
"""
# Who wants to know only whether a test fails needs no smaller example.
WITHOUT_SHRINKING = """
from hypothesis import Phase, settings

settings.register_profile("first failure", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("first failure")
"""
# More examples than usual are a search that each run begins elsewhere; here it gives the same answer each time.
SEED = "--hypothesis-seed=1"


class Run(NamedTuple):
    """What a run of pytest brought: the names of the tests by their outcome, and all that it printed.

    :param of_classes: the same for each class.
    """

    code: int
    outcomes: dict[str, set[str]]
    of_classes: dict[str, dict[str, set[str]]]
    output: str


RunSuite = Callable[..., Run]


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


@pytest.fixture
def run_suite(tmp_path: Path) -> RunSuite:
    """Runs tests in a folder of their own, with nothing of this repository but what is installed."""

    def run(text: str, *arguments: str, path: str = "", examples: str = "0.1") -> Run:
        (tmp_path / "pytest.ini").write_text(STRICT)
        (tmp_path / "conftest.py").write_text(WITHOUT_SHRINKING)
        (tmp_path / "test_dialect.py").write_text(text)
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "HYPOTHESIS_"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", SEED, *arguments],
            cwd=tmp_path,
            env=environment | {"DATAFLOW_TEST_EXAMPLES": examples, "PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
        outcomes: dict[str, set[str]] = {}
        of_classes: dict[str, dict[str, set[str]]] = {}
        for outcome, owner, name, _ in OUTCOME.findall(done.stdout):
            outcomes.setdefault(outcome, set()).add(name)
            of_classes.setdefault(owner, {}).setdefault(outcome, set()).add(name)
        return Run(done.returncode, outcomes, of_classes, done.stdout + done.stderr)

    return run


@pytest.fixture
def packages(tmp_path: Path) -> str:
    """A folder in which the broken dialects are installed as those of a stranger's package."""
    folder = tmp_path / "packages"
    metadata = folder / "broken_dialects-0.1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-dialects\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text("[dataflow]\nbroken = broken_dialects\n")
    (folder / "broken_dialects.py").write_text(Path(__file__).with_name("broken_dialects.py").read_text())
    return str(folder)
