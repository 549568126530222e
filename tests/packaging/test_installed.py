"""What somebody gets who installs the wheels of the core and of SQLite, and nothing else of ours."""

import subprocess
from pathlib import Path

MEGABYTE = 1_000_000
SLOW_OR_FOREIGN = {
    "aiosqlite", "asyncio", "dataflow.testing", "hypothesis", "pluggy", "pytest", "sqlglot", "sqlite3", "uuid",
}  # fmt: skip


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


def test_nothing_but_the_tools_for_tests_needs_pytest(installed: Path) -> None:
    """This environment has none."""
    code = (
        "import dataflow, importlib, pkgutil\n"
        "names = [module.name for module in pkgutil.walk_packages(dataflow.__path__, 'dataflow.', onerror=id)]\n"
        "imported = [name for name in names if 'testing' not in name.split('.')]\n"
        "for name in imported:\n"
        "    importlib.import_module(name)\n"
        "print(len(imported) > 50, 'dataflow.sqlite.testing' in names)\n"
        "try:\n"
        "    import dataflow.testing\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)\n"
    )
    assert python(installed, code).splitlines() == [
        "True True",
        "dataflow.testing needs pytest and Hypothesis: pip install 'dataflow-core[testing]<1'",
    ]


def test_the_tests_of_others_run_as_if_it_were_not_there(installed: Path) -> None:
    """With an entry point, pytest would import DataFlow in every run, and rewrite all of its assertions."""
    code = "from importlib.metadata import entry_points; print(list(entry_points(group='pytest11')))"
    assert python(installed, code) == "[]\n"


def test_the_command_is_installed(installed: Path) -> None:
    done = subprocess.run([installed / "bin/dataflow", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "dataflow" in done.stdout


def test_core_and_sqlite_with_all_they_need_stay_small(installed: Path) -> None:
    [libraries] = installed.glob("lib/python*/site-packages")
    size = sum(file.stat().st_size for file in libraries.rglob("*") if file.suffix != ".pyc")
    assert size < 25 * MEGABYTE
