"""The wheels, built once, and an environment that holds nothing but them."""

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
    for folder in PACKAGES:
        hatchling = [sys.executable, "-m", "hatchling"]
        subprocess.run(
            [*hatchling, "build", "--target", "wheel", "--directory", target],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    return {folder.name: next(target.glob(f"{folder.name.replace('-', '_')}-*.whl")) for folder in PACKAGES}


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


def uv(*arguments: str | Path) -> None:
    subprocess.run([find_uv_bin(), *arguments], check=True, capture_output=True)
