"""Servers: the one that the user names, or one that is started for the run and gone after it."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.databases.addresses import Address

if TYPE_CHECKING:
    from dataflow.testing import Provision

__all__ = ["Server", "mysql_server", "postgres_server"]

# What would clean up in the middle of a batch is off; nothing else that makes the server quicker or slower for some.
POSTGRES = ("autovacuum=off", "max_wal_size=4GB", "shared_buffers=256MB", "timezone=UTC")
MYSQL = (
    "innodb_buffer_pool_size=512M",
    *("loose-innodb-log-file-size=512M", "loose-innodb-redo-log-capacity=512M"),  # of MariaDB, and of MySQL
    "local_infile=ON",
)


class Server(NamedTuple):
    """A server.

    :param address: of a database on it, by a user who may make others.
    :param said: what the report says of it.
    """

    address: Address
    said: str


@contextmanager
def postgres_server(folder: Path, url: str | None) -> Iterator[Server]:
    with ExitStack() as opened:
        if url is not None:
            yield _named(url, 5432)
        else:
            provision = resolve_name("dataflow.postgres.testing:Postgres")
            yield _started(opened, provision(own=True, settings=POSTGRES), folder, 5432)


@contextmanager
def mysql_server(folder: Path, url: str | None) -> Iterator[Server]:
    with ExitStack() as opened:
        if url is not None:
            yield _named(url, 3306)
        else:
            provision = resolve_name("dataflow.mysql.testing:MySQL")
            yield _started(opened, provision(own=True, settings=MYSQL), folder, 3306)


def _started(opened: ExitStack, provision: "Provision", folder: Path, port: int) -> Server:
    from dataflow.testing import Session

    with _on_processors_of_its_own(opened) as left:
        server = provision.start(Session("bench", folder, folder))
    opened.callback(server.stop)
    url = opened.enter_context(server.database())
    return _named(url, port)._replace(said=f"started for this run, without waiting for the disk; {left}")


@contextmanager
def _on_processors_of_its_own(opened: ExitStack) -> Iterator[str]:
    """What is started meanwhile has half of the processors, and this process with all that it starts later the others.

    As on two machines: else the system lets both share a processor for a while and then no more, and a ratio tells
    more of that than of the programs.

    :param opened: ends it.
    """
    processors = sorted(os.sched_getaffinity(0), key=_core) if sys.platform == "linux" else []
    if len(processors) < 2:
        yield "contestants on the same processors"
        return
    half = len(processors) // 2
    opened.callback(os.sched_setaffinity, 0, processors)
    os.sched_setaffinity(0, processors[:half])
    try:
        yield f"contestants on {len(processors) - half} of {len(processors)} processors, without the server"
    finally:
        os.sched_setaffinity(0, processors[half:])


def _core(processor: int) -> tuple[str, int]:
    """What sorts the threads of a core side by side, as two that share one are not two machines."""
    siblings = Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
    return siblings.read_text() if siblings.exists() else "", processor


def _named(url: str, port: int) -> Server:
    # A rival's process does without DataFlow.
    from dataflow.url import DatabaseURL

    parsed = DatabaseURL.parse(url)
    address = Address(
        parsed.host or "127.0.0.1",
        parsed.port or port,
        parsed.username or "",
        parsed.password or "",
        parsed.database or "",
    )
    return Server(address, "a server that was there")
