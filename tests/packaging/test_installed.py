"""What somebody gets who installs the wheels of the core and of SQLite, and nothing else of ours."""

import subprocess
from pathlib import Path

MEGABYTE = 1_000_000
SLOW_OR_FOREIGN = {"aiosqlite", "asyncio", "pluggy", "sqlglot", "sqlite3", "uuid"}


def python(environment: Path, code: str) -> str:
    done = subprocess.run([environment / "bin/python", "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_core_and_its_plugin_import_from_one_namespace(installed: Path) -> None:
    paths = python(installed, "import dataflow, dataflow.sqlite; print(*dataflow.__path__, sep='\\n')")
    assert [Path(path).is_relative_to(installed) for path in paths.splitlines()] == [True]


def test_the_plugin_is_found_by_its_entry_point_and_imports_no_driver(installed: Path) -> None:
    code = (
        "import sys; from importlib.metadata import entry_points;"
        "[plugin] = entry_points(group='dataflow', name='sqlite'); plugin.load(); print(*sys.modules)"
    )
    assert not {"aiosqlite", "sqlite3"} & set(python(installed, code).split())


def test_importing_dataflow_loads_neither_drivers_nor_what_is_slow(installed: Path) -> None:
    loaded = set(python(installed, "import sys, dataflow; print(*sys.modules)").split())
    assert "dataflow" in loaded
    assert not SLOW_OR_FOREIGN & loaded


def test_the_command_is_installed(installed: Path) -> None:
    done = subprocess.run([installed / "bin/dataflow", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "dataflow" in done.stdout


def test_core_and_sqlite_with_all_they_need_stay_small(installed: Path) -> None:
    [libraries] = installed.glob("lib/python*/site-packages")
    size = sum(file.stat().st_size for file in libraries.rglob("*") if file.suffix != ".pyc")
    assert size < 25 * MEGABYTE
