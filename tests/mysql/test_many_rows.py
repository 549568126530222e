"""Many rows take no more memory where they come from a generator, and no statement that is too long."""

import subprocess
import sys
from typing import Annotated, ClassVar

import pytest

from dataflow import DataFlow, Field
from dataflow.mysql.testing import MySQL
from dataflow.testing.suite import server_of

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


LONGEST_STATEMENT = 2 << 20


def test_an_upsert_that_looks_for_its_rows_sends_no_longer_statements_for_more_of_them(
    request: pytest.FixtureRequest,
) -> None:
    server = server_of(MySQL(settings=(f"max-allowed-packet={LONGEST_STATEMENT}",)), request)
    with server.database() as url, DataFlow(url) as db:

        @db.model
        class Page:
            path: Annotated[str, Field(max_length=600, unique=True)]
            number: Annotated[int, Field(unique=True)]
            __dataflow__: ClassVar = {"timestamps": False}

        paths = [f"{number:06}" + "x" * 590 for number in range(4000)]
        pages = [{"path": path, "number": number} for number, path in enumerate(paths)]
        assert len("".join(paths)) > LONGEST_STATEMENT
        for inserted, updated in ((4000, 0), (0, 4000)):
            output = db.run_sync(db.nodes.PageBulkUpsertNode(data=pages, match_fields=["path"]))
            assert (output["inserted"], output["updated"]) == (inserted, updated)


def test_a_row_that_several_parts_of_an_upsert_look_for_is_one(db: DataFlow) -> None:
    @db.model
    class Place:
        x: int
        y: int
        number: int
        __dataflow__: ClassVar = {"timestamps": False}

    places = [{"x": number % 2, "y": number // 2, "number": number} for number in range(2500)]
    # The last one is met with the first ones too, which have its x and its y.
    places.append(places.pop(1))
    for updated in (0, len(places)):
        output = db.run_sync(db.nodes.PlaceBulkUpsertNode(data=places, match_fields=["x", "y"]))
        assert output["updated"] == updated
