"""The package is found, and costs nothing until somebody opens such a database."""

import subprocess
import sys

import pytest
from dataflow import DataFlow
from dataflow.errors import InvalidURL


def test_a_url_leads_to_it() -> None:
    with DataFlow("duckdb:///:memory:") as db:
        assert db.databases()["primary"].dialect.name == "duckdb"


def test_the_plugin_imports_no_driver() -> None:
    code = "import sys, dataflow_duckdb.plugin; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_option_that_does_not_exist_suggests_the_nearest() -> None:
    with pytest.raises(InvalidURL, match="did you mean 'threads'"):
        DataFlow("duckdb:///:memory:?thread=2")
