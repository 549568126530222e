"""Rows from a generator take no more memory, however many they are."""

import subprocess
import sys

import pytest

ROWS = 60_000
MOST_BYTES_PER_ROW = 50
"""So that a million rows add less than 50 MB."""

PROGRAM = """
import sys
from pathlib import Path
from dataflow import DataFlow

with DataFlow(sys.argv[1]) as db:
    @db.model
    class Sample:
        name: str
        value: float

    def load(count):
        rows = ({"name": f"sample {number}" * 3, "value": number / 7} for number in range(count))
        assert db.run_sync(db.nodes.SampleBulkCreateNode(data=rows))["inserted"] == count
        # Not by getrusage: it counts what the process that started this one had.
        (peak,) = (line for line in Path("/proc/self/status").open() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024

    before = load(10_000)
    after = load(int(sys.argv[2]))
    print(after - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the greatest memory is read from /proc")
@pytest.mark.parametrize("driver", ["asyncmy", "aiomysql"])
def test_a_generator_of_many_rows_needs_no_more_memory(url: str, driver: str) -> None:
    program = [sys.executable, "-c", PROGRAM, f"{url}?driver={driver}", str(ROWS)]
    finished = subprocess.run(program, check=True, capture_output=True, text=True)
    assert int(finished.stdout) < ROWS * MOST_BYTES_PER_ROW
