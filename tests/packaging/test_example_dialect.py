"""The dialect for DuckDB in the examples: made from the template by a stranger, beside the wheel of the core."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from .conftest import ROOT, Install, build, run_tests

PROJECT = ROOT / "examples/dataflow-duckdb"
TEMPLATE = ROOT / "templates/dataflow-dialect/template"
TAKEN_AWAY = {"bulk/multi_values.py", "functions.py"}
"""The rooms of the skeleton that another database does not need."""


@pytest.fixture(scope="module")
def environment(install: Install, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheels of the core and of the dialect, and what its author works with."""
    wheel = build(PROJECT, tmp_path_factory.mktemp("wheel"))
    return install(f"{wheels['dataflow-core']}[testing]", wheel, "pytest-xdist", "mypy", "ruff")


def test_nothing_but_the_core_is_installed_with_it(environment: Path) -> None:
    [libraries] = environment.glob("lib/python*/site-packages")
    assert sorted(path.name for path in (libraries / "dataflow").iterdir() if path.name in OURS) == []
    shown = subprocess.run([environment / "bin/dataflow", "plugins"], capture_output=True, text=True)
    assert "dialect duckdb (duckdb://)" in shown.stdout


OURS = ("sqlite", "postgres", "mysql")


@pytest.mark.timeout(900)
def test_it_passes_the_conformance_suite(environment: Path) -> None:
    done = run_tests(environment, PROJECT, "--numprocesses=auto", "--dist=worksteal")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("command", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)])
def test_it_is_clean(environment: Path, command: tuple[str, ...]) -> None:
    tool, *arguments = command
    done = subprocess.run(
        [environment / "bin/python", "-m", tool, *arguments, *CACHES[tool]],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


CACHES = {"ruff": ["--no-cache"], "mypy": ["--cache-dir=/dev/null"]}


def test_it_has_the_rooms_of_the_template() -> None:
    rooms = TEMPLATE / "src/{{import_name}}"
    expected = {str(path.relative_to(rooms)).removesuffix(".jinja") for path in rooms.rglob("*.*")}
    there = {str(path.relative_to(PROJECT / "src/dataflow_duckdb")) for path in PROJECT.glob("src/**/*.*")}
    assert expected - there == TAKEN_AWAY


def test_it_keeps_out_the_core_of_strangers() -> None:
    described = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert "dataflow-core>=0.1,<0.2" in described["dependencies"]


def test_nothing_of_the_skeleton_is_left() -> None:
    texts = {path: path.read_text() for path in PROJECT.rglob("*") if path.suffix in (".py", ".md", ".toml")}
    assert len(texts) > 20
    for path, text in texts.items():
        assert "ROOM" not in text, path
        assert "sqlite" not in text.lower(), path
