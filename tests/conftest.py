"""What every test shares: what a run ran against, a marker for each kind of test, and what keeps a run quick."""

import gc
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
CACHE = HERE.parent / ".dev/cache"
MARKER_OF_FOLDER = {
    "conformance": "sqlite",
    "docs": "docs",
    "integration": "sqlite",
    "packaging": "packaging",
    "seeds": "sqlite",
    "sqlite": "sqlite",
    "typing": "unit",
    "unit": "unit",
}

# Compiled code is kept, though never beside the sources: without it every program that a test starts compiles again.
os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(CACHE / "bytecode")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How many examples a generated test tries is said here alone; where one example costs much or little, the test
# takes another number by its name: @settings.get_profile("few"), @settings.get_profile("many").
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
SCALES = {"quick": 1, "thorough": 4}
if PROFILE not in SCALES:
    raise pytest.UsageError(f"HYPOTHESIS_PROFILE is one of: {', '.join(SCALES)}")
# The conformance suite brings its own numbers, as it runs in other projects too.
os.environ.setdefault("DATAFLOW_TEST_EXAMPLES", str(SCALES[PROFILE]))
for name, number in {"few": 25, PROFILE: 35, "many": 130}.items():
    settings.register_profile(
        name,
        max_examples=number * SCALES[PROFILE],
        deadline=None,  # machines are busy, and how long something takes is a matter of other tests
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
settings.load_profile(PROFILE)


def pytest_report_header() -> str:
    return f"python: {sys.version.split()[0]}, sqlite: {sqlite3.sqlite_version}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folder of a test decides its marker, and so the environments that run it."""
    for item in items:
        if item.path.is_relative_to(HERE):
            folder = item.path.relative_to(HERE).parts[0]
            if folder not in MARKER_OF_FOLDER:
                raise pytest.UsageError(f"say in tests/conftest.py which marker the tests in {folder} have")
            item.add_marker(MARKER_OF_FOLDER[folder])


def pytest_collection_finish() -> None:
    """What is loaded by now stays, so that tests that collect garbage look only through what they made."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def nothing_is_left_behind() -> Iterator[None]:
    """Every test, failing or not, ends with as many threads as it began with."""
    before = set(threading.enumerate())
    yield
    gc.collect()
    left = [
        thread
        for thread in threading.enumerate()
        if thread not in before and thread.name.startswith("dataflow")
    ]
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()]
