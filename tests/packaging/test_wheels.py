"""A wheel holds its own package, all of it and nothing else."""

import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "packages/dataflow-core"
NAMESPACE = "dataflow/__init__.py"


def test_every_package_carries_the_same_namespace_file(package: Path) -> None:
    assert (package / "src" / NAMESPACE).read_bytes() == (CORE / "src" / NAMESPACE).read_bytes()


def test_every_package_carries_the_licence(package: Path) -> None:
    assert (package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_a_wheel_ships_its_sources_and_only_the_core_ships_the_namespace_file(
    package: Path, wheels: dict[str, Path]
) -> None:
    source = package / "src"
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    expected = {file.as_posix() for file in files if file.suffix != ".pyc" and "/." not in file.as_posix()}
    if package != CORE:
        expected.remove(NAMESPACE)
    metadata = f"{wheels[package.name].name.rsplit('-', 3)[0]}.dist-info/"
    with ZipFile(wheels[package.name]) as wheel:
        shipped = {name for name in wheel.namelist() if not name.startswith(metadata)}
        assert f"{metadata}licenses/LICENSE" in wheel.namelist()
    assert shipped == expected


def test_a_wheel_tells_type_checkers_that_it_is_typed(package: Path, wheels: dict[str, Path]) -> None:
    name = package.name.removeprefix("dataflow-")
    marker = "dataflow/py.typed" if package == CORE else f"dataflow/{name}/py.typed"
    with ZipFile(wheels[package.name]) as wheel:
        assert marker in wheel.namelist()


def test_a_requirement_for_one_of_our_packages_keeps_strangers_out(package: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    requirements = [Requirement(text) for group in (project["dependencies"], *extras) for text in group]
    ours = [requirement for requirement in requirements if requirement.name.startswith("dataflow")]
    assert ours or package == CORE
    for requirement in ours:
        assert requirement.specifier.contains("0.1.0"), requirement
        assert not requirement.specifier.contains("0.2"), requirement


@pytest.mark.parametrize("field", ["requires-python", "license", "classifiers"])
def test_all_packages_say_the_same_about(field: str, package: Path) -> None:
    ours, core = (
        tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in (package, CORE)
    )
    assert ours[field] == core[field]
