"""How much memory this process had at most."""

import sys
from pathlib import Path

__all__ = ["peak"]


def peak() -> float:
    """MiB that were resident at most. Linux tells it of this program alone, others also of what it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
