"""Which process has a saga in hand, in a way that tells whether it is still there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["has_let_go", "holding", "me"]

_held: set[str] = set()


@contextmanager
def holding(saga: str) -> Iterator[None]:
    """Have a saga in hand, as long as this lasts."""
    _held.add(saga)
    try:
        yield
    finally:
        _held.discard(saga)


def me() -> str:
    """This process: its host, its number, and when it began, as numbers are used again."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"


def has_let_go(owner: str, saga: str) -> bool | None:
    """Whether a process has a saga in hand no more; None where that is another one, which is alive or on another host.

    One that is alive may have let it go, as a database was away, and could not say so.
    """
    if owner == me():
        return saga not in _held
    host, pid, start = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return None
    is_gone = not _is_alive(int(pid)) or _start_of(int(pid)) != start
    return True if is_gone else None


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # to send it nothing would end it there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _start_of(pid: int) -> str:
    """When a process began, in whatever the system counts by; nothing where it does not tell, or it has ended."""
    try:
        # The name of the program, in brackets, may hold spaces and brackets itself.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
