"""Which process has a saga in hand, in a way that tells whether it is still there."""

import os
import socket
from functools import cache

__all__ = ["me"]


def me() -> str:
    """This process: host, number and when it began, as numbers are used again."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"


@cache
def _start_of(pid: int) -> str:
    """When a process began, in whatever the system counts by; nothing where it does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""
