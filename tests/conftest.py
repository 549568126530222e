"""What every test shares: the header that says what a run ran against, and a marker for each kind of test."""

import sqlite3
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MARKER_OF_FOLDER = {
    "conformance": "sqlite",
    "docs": "docs",
    "integration": "sqlite",
    "packaging": "packaging",
    "sqlite": "sqlite",
    "typing": "unit",
    "unit": "unit",
}


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
