"""Where tests get their databases: a description that several suites can share, and the server that it starts."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, NamedTuple, TypeVar

from dataflow.errors import DataFlowError

__all__ = ["NoDatabase", "Provision", "Server", "Session", "first_available", "url_from_environment"]

T = TypeVar("T")


class NoDatabase(DataFlowError):
    """A database that tests need cannot be had here; the message says how to get it."""


class Session(NamedTuple):
    """A run of tests as one process sees it.

    :param worker: the name of the process: ``gw0``, ``gw1``, ... under pytest-xdist, else ``main``. Where workers
        share a server, it tells their databases apart.
    :param folder: an empty folder of this process's own, for files, sockets and logs.
    :param shared: a folder that all processes of this run of tests share, so that one server serves them all.
    """

    worker: str
    folder: Path
    shared: Path


class Server(ABC):
    """What a provision started: it hands out empty databases until the session ends."""

    @abstractmethod
    def database(self) -> AbstractContextManager[str]:
        """An empty database for one test, by its URL; at the end it is removed, or emptied for the next.

        Two may be asked for at the same time, and must not be the same.
        """

    def stop(self) -> None:  # noqa: B027 - where nothing was started, there is nothing to end
        """End what was started, once, after the last test. Nothing is left behind."""

    def kill(self) -> None:
        """End the server as a crash would (``kill -9``).

        :raises NoDatabase: where these tests did not start it: nobody else's server is killed.
        """
        raise NoDatabase(f"{type(self).__name__} started no server that could be killed")

    def shut_down(self) -> None:
        """End the server in order; its clients are told, and not waited for.

        :raises NoDatabase: where these tests did not start it.
        """
        raise NoDatabase(f"{type(self).__name__} started no server that could be shut down")

    def restart(self) -> None:
        """Start the server again after :meth:`kill` or :meth:`shut_down`, with the same URLs and what was committed."""
        raise NoDatabase(f"{type(self).__name__} started no server that could be started again")


class Provision(ABC):
    """How tests get databases of one kind.

    A provision is a frozen value, such as a frozen dataclass. Nothing happens before a test asks; suites with equal
    provisions share the server of their process.
    """

    name: ClassVar[str]
    """What the databases are called, in messages and in the names of folders."""

    @abstractmethod
    def start(self, session: Session) -> Server:
        """Start what is needed, or find what runs; called once per process.

        :raises NoDatabase: saying how to get one. The tests fail with it; none is skipped silently.
        """


def url_from_environment(name: str) -> str:
    """The URL of a server that somebody else runs, out of ``DATAFLOW_TEST_<NAME>_URL``.

    :param name: the database: ``"postgres"`` reads ``DATAFLOW_TEST_POSTGRES_URL``.
    :raises NoDatabase: where the variable is not set.
    """
    variable = f"DATAFLOW_TEST_{name.upper()}_URL"
    url = os.environ.get(variable, "")
    if not url:
        raise NoDatabase(f"set {variable} to the URL of a server where databases may be made and dropped")
    return url


def first_available(name: str, *ways: Callable[[], T]) -> T:
    """What the first way brings that does not raise :class:`NoDatabase`.

    :param name: what is looked for, for the message.
    :raises NoDatabase: with the reasons of all of them.

    >>> def installed() -> str:
    ...     raise NoDatabase("install ants, which puts antd into the PATH")
    >>> first_available("Ants", lambda: url_from_environment("ants"), installed)
    Traceback (most recent call last):
    ...
    dataflow.testing.provision.NoDatabase: no Ants for the tests; do one of these:
      - set DATAFLOW_TEST_ANTS_URL to the URL of a server where databases may be made and dropped
      - install ants, which puts antd into the PATH
    """
    reasons = []
    for way in ways:
        try:
            return way()
        except NoDatabase as error:
            reasons.append(f"\n  - {error}")
    raise NoDatabase(f"no {name} for the tests; do one of these:{''.join(reasons)}")
