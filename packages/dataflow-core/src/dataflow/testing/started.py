"""Servers that tests share: one that somebody names, one of this machine's software, or one in a container."""

import hashlib
import secrets
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from dataflow.testing.provision import (
    NoDatabase,
    Provision,
    Server,
    Session,
    first_available,
    url_from_environment,
)
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataflow.testing.containers import Image
    from dataflow.testing.local_server import Launch, Site

__all__ = ["Databases", "ServerProvision", "Started"]


class Started(Protocol):
    """A server that was started for these tests, in a container or out of it."""

    url: str

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def shut_down(self) -> None: ...

    def restart(self) -> None: ...


class Databases(Server):
    """Databases of a server.

    :param url: of a database that is always there.
    :param worker: the name of the process, for the names of databases.
    :param started: the server, where it was started for these tests.
    :param own: whether no other process uses it.
    """

    def __init__(self, url: str, worker: str, started: Started | None = None, *, own: bool = False) -> None:
        self.place = DatabaseURL.parse(url)
        """The URL, read."""
        self.prefix = f"dataflow_test_{secrets.token_hex(3)}_{worker}"
        """How the names of databases begin."""
        self._started = started
        self._own = own

    @abstractmethod
    def ask(self) -> None:
        """Have the server answer anything, or raise what keeps it from that."""

    @abstractmethod
    def close(self, *, server_goes_on: bool) -> None:
        """Let go of the server.

        :param server_goes_on: whether the databases that were made would stay.
        """

    def check(self) -> None:
        """:raises NoDatabase: where the server does not answer."""
        try:
            self.ask()
        except Exception as error:
            self.stop()
            raise NoDatabase(f"{self.place} cannot be reached: {error}") from error

    def stop(self) -> None:
        self.close(server_goes_on=self._started is None)
        if self._started is not None:
            self._started.stop()

    def kill(self) -> None:
        self._of_ones_own().kill()

    def shut_down(self) -> None:
        self._of_ones_own().shut_down()

    def restart(self) -> None:
        self._of_ones_own().restart()

    def _of_ones_own(self) -> Started:
        if self._started is None or not self._own:
            raise NoDatabase(
                "this server serves other tests too; one that may be killed is of a provision made with (own=True)"
            )
        return self._started


@dataclass(frozen=True)
class ServerProvision(Provision):
    """Databases on a server of one kind.

    It is the one of the variable ``DATAFLOW_TEST_..._URL``; else one that is started from this machine's software,
    which all processes of the run share; else one in a container.

    :param own: a server of this process alone, which may be killed and then has what was committed. It is never
        that of the URL.
    :param settings: of a server that is started, such as ``("max-connections=10",)``. It is never that of the URL.
    """

    title: ClassVar[str]
    """What the server is called where there is none."""
    always: ClassVar[tuple[str, ...]]
    """The settings of each server that is started."""
    quick: ClassVar[tuple[str, ...]]
    """Those that lose what was committed where the server is killed."""
    own: bool = False
    settings: tuple[str, ...] = ()

    @abstractmethod
    def databases(self, url: str, worker: str, started: Started | None = None) -> Databases:
        """The databases of a server, as :class:`Databases` takes it."""

    @abstractmethod
    def set_up(self, site: "Site") -> "Launch":
        """Prepare a server, and say how it is started."""

    @abstractmethod
    def image(self, password: str) -> "Image":
        """What runs in a container."""

    @staticmethod
    @abstractmethod
    def url(password: str, host: str, port: int) -> str:
        """A database of the server that is always there, for a user who may make and drop databases."""

    @staticmethod
    @abstractmethod
    def answers(url: str) -> bool:
        """Whether the server at a URL is ready."""

    def start(self, session: Session) -> Server:
        ways: list[Callable[[], Databases]] = [
            lambda: self._local(session),
            lambda: self._contained(session),
        ]
        if not self.own and not self.settings:
            ways.insert(0, lambda: self.databases(url_from_environment(self.name), session.worker))
        server = first_available(self.title, *ways)
        server.check()  # one that was named and is not there is a mistake, and not replaced by another
        return server

    def options(self, *place: str) -> list[str]:
        """The settings of the server as arguments of its command.

        :param place: those that say where it lives.
        """
        settings = (*self.always, *(() if self.own else self.quick), *self.settings)
        return [f"--{setting}" for setting in (*place, *settings)]

    def _local(self, session: Session) -> Databases:
        try:
            from dataflow.testing.local_server import LocalServer
        except ModuleNotFoundError as error:
            raise NoDatabase(f"(none can be started here: Python has no module {error.name})") from None
        name = f"{self.name}-" + hashlib.sha256(repr(self).encode()).hexdigest()[:8]
        where = session.folder if self.own else session.shared
        return self._of(LocalServer.share(where, name, self.name, self.set_up, self.answers), session)

    def _contained(self, session: Session) -> Databases:
        from dataflow.testing.containers import Container

        password = secrets.token_hex()
        return self._of(
            Container.run(
                self.image(password), lambda host, port: self.url(password, host, port), self.answers
            ),
            session,
        )

    def _of(self, started: Started, session: Session) -> Databases:
        return self.databases(started.url, session.worker, started)
