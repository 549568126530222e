"""The template for dialects: what it generates installs, is found, is clean and passes the conformance suite."""

import subprocess
import tomllib
from pathlib import Path

import pytest
from copier import run_copy

from .conftest import ROOT, Install, build, run_tests

TEMPLATE = ROOT / "templates/dataflow-dialect"
ANSWERS = {"name": "antdb", "title": "AntDB"}


def generate(folder: Path, **answers: str) -> Path:
    run_copy(str(TEMPLATE), folder, data={**ANSWERS, **answers}, defaults=True, quiet=True)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that was just generated."""
    return generate(tmp_path_factory.mktemp("generated") / "dataflow-antdb")


@pytest.fixture(scope="module")
def environment(
    project: Path, install: Install, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An environment with that package beside the core, and what its author works with."""
    wheel = build(project, tmp_path_factory.mktemp("wheel"))
    return install(f"{wheels['dataflow-core']}[testing]", wheel, "mypy", "ruff")


@pytest.mark.timeout(600)
def test_a_new_package_installs_beside_the_core_and_passes_its_tests(
    project: Path, environment: Path
) -> None:
    shown = subprocess.run([environment / "bin/dataflow", "plugins"], capture_output=True, text=True)
    assert "dialect antdb (antdb://)" in shown.stdout
    done = run_tests(environment, project)
    assert done.returncode == 0, done.stdout
    lacking = "NaN and concurrent writers, which SQLite does not have, and the discovery of tables"
    assert " 3 xfailed" in done.stdout, lacking


@pytest.mark.parametrize("command", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)])
def test_a_new_package_is_clean(project: Path, environment: Path, command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [environment / "bin/python", "-m", *command], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_package_keeps_out_the_core_of_strangers(project: Path) -> None:
    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert described["dependencies"] == ["dataflow-core>=0.1,<0.2"]


def test_nothing_of_the_template_is_left_in_a_new_package(tmp_path: Path) -> None:
    project = generate(tmp_path / "dataflow-other", name="other", title="OtherDB")
    texts = {path: path.read_text() for path in project.rglob("*") if path.is_file()}
    assert len(texts) > 20
    for path, text in texts.items():
        assert "{{" not in text, path
        assert "ant" + "db" not in text.lower(), path


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"name": "Ant-DB"}, "letters and digits in lower case"),
        ({"name": "mysql"}, "has its package already"),
        ({"title": "ant db"}, "beginning with a capital letter"),
    ],
)
def test_a_name_that_will_not_do_is_refused(answers: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        generate(tmp_path / "new", **answers)
