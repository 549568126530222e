"""What is read or written bit by bit takes no more memory for many rows than for few."""

import subprocess
import sys

import pytest

from .conftest import ON_MYSQL, ON_POSTGRES, on

PROGRAM = """
import resource, sys
from dataflow import DataFlow

def write(number):
    rows = ({"name": f"event {index}", "value": index / 2} for index in range(number))
    assert db.run_sync(db.nodes.EventBulkCreateNode(data=rows))["inserted"] == number

def read(number):
    assert sum(1 for row in db.stream("EventListNode", limit=number)) == number

with DataFlow(sys.argv[1], auto_migrate=True) as db:
    @db.model
    class Event:
        name: str
        value: float

    for number in (10_000, 110_000):
        WORK(number)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no resource module")


@on("file", ON_POSTGRES, ON_MYSQL)
def test_memory_does_not_grow_with_the_rows(url: str) -> None:
    # As a list these rows take 25 MB and more; what grows a little is the cache of SQLite.
    assert growth("write", url) < 8_000_000
    assert growth("read", url) < 8_000_000


def growth(work: str, url: str) -> int:
    """How many bytes more a process of its own needs for the many."""
    command = [sys.executable, "-c", PROGRAM.replace("WORK", work), url]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    few, many = map(int, done.stdout.split())
    return (many - few) * (1 if sys.platform == "darwin" else 1024)
