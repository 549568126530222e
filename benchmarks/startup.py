"""What it costs to begin with DataFlow: the first use, and its memory. Each time in a process of its own."""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

__all__ = ["Startup", "measure_startup"]

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """
import sys
sys.path.insert(0, ROOT)
from benchmarks.memory import peak
from time import perf_counter
bare = peak()
from dataflow import DataFlow
imported = perf_counter()
with DataFlow("sqlite:///:memory:") as db:
    @db.model
    class User:
        name: str
    db.run_sync(db.nodes.UserCreateNode(name="Ann"))
    created = perf_counter()
    found = db.run_sync(db.nodes.UserReadNode(id=1))
    read = perf_counter()
    assert found["name"] == "Ann"
import json
print(json.dumps({"row": created - imported, "read": read - created, "memory": peak() - bare}))
"""


@dataclass(frozen=True, slots=True)
class Startup:
    """Medians: times in milliseconds, memory in MiB without that of the bare interpreter."""

    bare: float
    first_row: float
    first_read: float
    memory_after_use: float

    def lines(self) -> Mapping[str, str]:
        return {
            "start of the bare interpreter (in none of the others)": f"{self.bare:.0f} ms",
            "from import dataflow to the first row: model, table, first statement": f"{self.first_row:.0f} ms",
            "then the first read by id": f"{self.first_read:.1f} ms",
            "memory after that": f"{self.memory_after_use:.0f} MiB",
        }


def measure_startup(times: int) -> Startup:
    """Begin so many times."""
    # The first time may compile modules and read a cold disk.
    _, *marks = [_started() for _ in range(times + 1)]

    def median(name: str) -> float:
        return statistics.median(one[name] for one in marks)

    return Startup(_bare(times), 1e3 * median("row"), 1e3 * median("read"), median("memory"))


def _started() -> dict[str, float]:
    code = f"ROOT = {str(ROOT)!r}\n{PROGRAM}"
    output = subprocess.run([sys.executable, "-I", "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    marks: dict[str, float] = json.loads(output.stdout)
    return marks


def _bare(times: int) -> float:
    seconds = []
    for _ in range(times):
        began = perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
        seconds.append(perf_counter() - began)
    return 1e3 * statistics.median(seconds)
