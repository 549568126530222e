"""Servers in containers, for tests on machines that have Docker and not the server's software."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dataflow.testing.provision import NoDatabase
from dataflow.testing.waiting import free_port, wait_until

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

__all__ = ["Container", "Image"]


class Image(NamedTuple):
    """What runs in a container.

    :param name: as Docker knows it, ``postgres:18``.
    :param port: where the server listens inside.
    :param environment: variables; the image reads from them how it is to be set up.
    :param command: what is run instead of the image's own command.
    """

    name: str
    port: int
    environment: Mapping[str, str]
    command: Sequence[str]


class Container:
    """A server in a container of this process; testcontainers removes it, even where the process is killed."""

    def __init__(self, url: str, container: "DockerContainer", answers: Callable[[str], bool]) -> None:
        self.url = url
        self._container = container
        self._answers = answers

    @classmethod
    def run(cls, image: Image, url: Callable[[str, int], str], answers: Callable[[str], bool]) -> "Container":
        """Start a container.

        :param url: makes the URL of the server from its host and its port.
        :param answers: whether the server at a URL is ready.
        :raises NoDatabase: where testcontainers is not installed, or Docker does not start the container.
        """
        try:
            from testcontainers.core.container import DockerContainer
        except ModuleNotFoundError:
            raise NoDatabase("start Docker, and pip install testcontainers") from None
        port = free_port()  # chosen here, as Docker would choose another one for each start
        container = (
            DockerContainer(image.name).with_bind_ports(image.port, port).with_command(list(image.command))
        )
        for name, value in image.environment.items():
            container.with_env(name, value)
        try:
            container.start()
            server = cls(url(container.get_container_host_ip(), port), container, answers)
        except Exception as error:
            raise NoDatabase(f"see to it that Docker can start {image.name}: {error}") from error
        server._wait_until_it_answers()
        return server

    def stop(self) -> None:
        self._container.stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def shut_down(self) -> None:
        self._container.get_wrapped_container().stop()

    def restart(self) -> None:
        self._container.get_wrapped_container().start()
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        wait_until(
            lambda: self._answers(self.url), lambda: NoDatabase("the server in the container does not answer")
        )
