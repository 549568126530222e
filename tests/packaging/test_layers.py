"""The layers of pyproject.toml hold, on wheels: import-linter cannot see through editable installs."""

import subprocess
from pathlib import Path

from .conftest import ROOT, Install


def test_every_module_imports_only_what_stands_below_it(
    install: Install, wheels: dict[str, Path], tmp_path: Path
) -> None:
    environment = install(*wheels.values(), "import-linter")
    linter = environment / "bin/lint-imports"
    done = subprocess.run(
        [linter, "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
