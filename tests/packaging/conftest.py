"""The wheels, built once, and an environment that holds nothing but them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))

Install = Callable[..., Path]


@pytest.fixture(scope="session", params=PACKAGES, ids=lambda package: package.name)
def package(request: pytest.FixtureRequest) -> Path:
    """The folder of each package in turn."""
    folder: Path = request.param
    return folder


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of every package, by the name of its folder."""
    target = tmp_path_factory.mktemp("wheels")
    return {folder.name: build(folder, target) for folder in PACKAGES}


def build(folder: Path, target: Path) -> Path:
    """Build the wheel of a package."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", target],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return next(target.glob(f"{folder.name.replace('-', '_')}-*.whl"))


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Install requirements into a new environment and return its folder."""

    def install(*requirements: str | Path) -> Path:
        environment = tmp_path_factory.mktemp("environment")
        uv("venv", "--clear", "--python", sys.executable, environment)
        command = ("pip", "install", "--python", environment / "bin/python", *requirements)
        try:
            uv(*command, "--offline")  # what made this environment has left all of it in the cache, mostly
        except subprocess.CalledProcessError:
            uv(*command)
        return environment

    return install


@pytest.fixture(scope="session")
def installed(install: Install, wheels: dict[str, Path]) -> Path:
    """An environment with our wheels and what they need."""
    return install(*wheels.values())


def run_tests(environment: Path, project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the tests of a project with what is installed, few of those examples that are drawn at random."""
    foreign = ("PYTEST_", "HYPOTHESIS_", "PYTHONPATH")
    settings = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.run(
        [
            environment / "bin/python",
            "-m",
            "pytest",
            "-q",
            "--tb=short",
            "-p",
            "no:cacheprovider",
            *arguments,
        ],
        cwd=project,
        env=settings | {"DATAFLOW_TEST_EXAMPLES": "0.1"},
        capture_output=True,
        text=True,
    )


def uv(*arguments: str | Path) -> None:
    subprocess.run([find_uv_bin(), *arguments], check=True, capture_output=True)
