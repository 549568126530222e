"""What the start of any server needs: a port, and patience."""

import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress

__all__ = ["free_port", "wait_until"]

PATIENCE = 60.0
PORTS = range(15_000, 30_000)
"""Below those that systems give to outgoing connections: a server that is started again finds its port free."""


def free_port() -> int:
    """A port of 127.0.0.1 where nobody listens."""
    while True:
        port = random.SystemRandom().choice(PORTS)  # not that of tests, which is the same in every process
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(done: Callable[[], bool], failure: Callable[[], Exception]) -> None:
    """Ask again and again, for a minute.

    :param failure: makes what is raised then.
    """
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise failure()
        time.sleep(0.02)
