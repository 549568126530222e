"""Which process has a saga in hand, in a way that tells whether it is still there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

__all__ = ["has_let_go", "holding", "me"]

BOOT = Path("/proc/sys/kernel/random/boot_id")
NAMESPACE = "/proc/self/ns/pid"

_held: set[str] = set()


@contextmanager
def holding(saga: str) -> Iterator[None]:
    """Have a saga in hand, as long as this lasts."""
    _held.add(saga)
    try:
        yield
    finally:
        _held.discard(saga)


@cache
def me() -> str:
    """This process: where its number means something, its number, and when it began, as numbers are used again."""
    return f"{_where()}:{os.getpid()}:{_start_of(os.getpid()) or ''}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=me.cache_clear)


def has_let_go(owner: str, saga: str) -> bool | None:
    """Whether a process has a saga in hand no more; None where that cannot be known.

    Of another process it can be known that it has ended, where both see the same processes: since the same start of
    the system, and in the same container. One that is alive may have let a saga go, as a database was away, and could
    not say so.
    """
    if owner == me():
        return saga not in _held
    where, process, start = owner.rsplit(":", 2)
    is_told = where == _where() and start
    return True if is_told and _has_ended(int(process), start) else None


def _where() -> str:
    """Among which processes a number means one of them; of the host alone where the system tells no more."""
    try:
        among = f"{BOOT.read_text().strip()}:{os.stat(NAMESPACE).st_ino}"
    except OSError:
        among = ""
    return f"{socket.gethostname()}:{among}"


def _has_ended(process: int, start: str) -> bool:
    now = _start_of(process)
    if now is not None:
        return now != start
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _start_of(process: int) -> str | None:
    """When a process began, in whatever the system counts by; nothing where it has ended, None where it is not told."""
    try:
        # The name of the program, in brackets, may hold spaces and brackets itself.
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "" if state in "ZX" else fields[18]
