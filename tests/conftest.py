"""What every test shares: what a run ran against, a marker for each kind of test, and what keeps a run quick."""

import gc
import os
import signal
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
    "discovery": "sqlite",
    "docs": "docs",
    "integration": "sqlite",
    "mysql": "mysql",
    "packaging": "packaging",
    "postgres": "postgres",
    "replicas/mysql": "mysql",
    "replicas/postgres": "postgres",
    "seeds": "sqlite",
    "transactions": "sqlite",
    "sqlite": "sqlite",
    "typing": "unit",
    "unit": "unit",
}
LONGEST = ("packaging", "transactions/crash", "unit/test_benchmarks.py")
"""What takes longest stands first: one process begins with it, and the others take over what comes after.

At the end of the order it would keep one process busy while the others have nothing left.
"""

SERVERS = ("postgres", "mysql")
"""The markers of what needs a server, which is started for the tests; they fail where there is none."""

# Compiled code is kept, though never beside the sources: without it every program that a test starts compiles again.
os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(CACHE / "bytecode")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has what it starts in the background ignore it, and the programs that the tests start inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
        derandomize=PROFILE == "quick",
        deadline=None,  # machines are busy, and how long something takes is a matter of other tests
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
settings.load_profile(PROFILE)


def pytest_addoption(parser: pytest.Parser) -> None:
    for name in SERVERS:
        parser.addoption(
            f"--without-{name}", action="store_true", help=f"leave out the tests that need {name}"
        )


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors, as a test waits for servers and programs a third of its time."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def pytest_report_header(config: pytest.Config) -> list[str]:
    left_out = [f"--without-{name}: its tests are left out" for name in left_out_of(config)]
    return [f"python: {sys.version.split()[0]}, sqlite: {sqlite3.sqlite_version}", *left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name in left_out_of(config):
        terminalreporter.write_line(f"--without-{name}: its tests did not run", yellow=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The database of a test decides its marker, else its folder does, and so the environments that run it."""
    for item in items:
        if item.path.is_relative_to(HERE):
            folders = item.path.parent.relative_to(HERE)
            marker = next(
                (
                    MARKER_OF_FOLDER[str(one)]
                    for one in (folders, *folders.parents)
                    if str(one) in MARKER_OF_FOLDER
                ),
                None,
            )
            if marker is None:
                raise pytest.UsageError(f"say in tests/conftest.py which marker the tests in {folders} have")
            if not any(item.get_closest_marker(name) for name in SERVERS):
                item.add_marker(server_of_suite(item) or marker)
    left_out = {item for item in items for name in left_out_of(config) if item.get_closest_marker(name)}
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    longest = [HERE / name for name in LONGEST]
    items.sort(key=lambda item: not any(item.path.is_relative_to(path) for path in longest))


def server_of_suite(item: pytest.Item) -> str | None:
    provision = getattr(getattr(item, "cls", None), "provision", None)
    name = getattr(provision, "name", None)
    return name if name in SERVERS else None


def left_out_of(config: pytest.Config) -> list[str]:
    return [name for name in SERVERS if config.getoption(f"without_{name}")]


def pytest_collection_finish() -> None:
    """What is loaded by now stays, so that tests that collect garbage look only through what they made."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def nothing_is_left_behind() -> Iterator[None]:
    """Every test, failing or not, ends with as many threads as it began with."""
    before = set(threading.enumerate())
    yield
    left = [
        thread
        for thread in threading.enumerate()
        if thread not in before and thread.name.startswith("dataflow")
    ]
    if left:
        gc.collect()  # they may be those of a database that nobody knows any more
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()]
