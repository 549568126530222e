"""What it costs to begin: the import, the first use, the memory. Each in processes of their own."""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

__all__ = ["Startup", "measure_startup"]

RESIDENT = """
import resource, sys
def resident():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
"""

PROGRAMS: Mapping[str, str] = {
    "bare": "pass",
    "import sqlite3": "import sqlite3",
    "import dataflow": "import dataflow",
    "first use": """
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
marks = {"until the first row": created - imported, "until the first read": read - created}
""",
}

FRAME = """
from time import perf_counter
began = perf_counter()
marks = {{}}
{program}
elapsed = perf_counter() - began
{resident}
import json
print(json.dumps({{"elapsed": elapsed, "resident": resident(), **marks}}))
"""


@dataclass(frozen=True, slots=True)
class Startup:
    """Medians: times in milliseconds, memory in MiB. The bare interpreter is taken off the imports and the memory."""

    bare: float
    import_sqlite3: float
    import_dataflow: float
    memory_after_import: float
    memory_after_use: float
    first_row: float
    first_read: float

    def lines(self) -> Mapping[str, str]:
        return {
            "import dataflow": f"{self.import_dataflow:.0f} ms",
            "import sqlite3, for comparison": f"{self.import_sqlite3:.0f} ms",
            "start of the bare interpreter (not in the above)": f"{self.bare:.0f} ms",
            "from there to the first row: model, table, first statement": f"{self.first_row:.0f} ms",
            "then the first read by id": f"{self.first_read:.0f} ms",
            "memory that the import takes": f"{self.memory_after_import:.0f} MiB",
            "memory after the first use": f"{self.memory_after_use:.0f} MiB",
        }


def measure_startup(times: int) -> Startup:
    """Start each program so many times, in turns, in an order that changes."""
    outcomes: dict[str, list[dict[str, float]]] = {name: [] for name in PROGRAMS}
    for number in range(times + 1):
        for name in Random(number).sample(list(PROGRAMS), len(PROGRAMS)):
            outcome = _started(PROGRAMS[name])
            # The first time may compile modules and read a cold disk.
            if number:
                outcomes[name].append(outcome)

    def median(program: str, mark: str) -> float:
        return statistics.median(outcome[mark] for outcome in outcomes[program])

    return Startup(
        bare=_bare(times),
        import_sqlite3=1e3 * median("import sqlite3", "elapsed"),
        import_dataflow=1e3 * median("import dataflow", "elapsed"),
        memory_after_import=median("import dataflow", "resident") - median("bare", "resident"),
        memory_after_use=median("first use", "resident") - median("bare", "resident"),
        first_row=1e3 * median("first use", "until the first row"),
        first_read=1e3 * median("first use", "until the first read"),
    )


def _started(program: str) -> dict[str, float]:
    code = FRAME.format(program=program, resident=RESIDENT)
    output = subprocess.run([sys.executable, "-I", "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    marks: dict[str, float] = json.loads(output.stdout)
    return marks


def _bare(times: int) -> float:
    from time import perf_counter

    seconds = []
    for _ in range(times):
        began = perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
        seconds.append(perf_counter() - began)
    return 1e3 * statistics.median(seconds)
