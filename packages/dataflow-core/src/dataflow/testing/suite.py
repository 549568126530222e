"""What makes test methods a suite: databases from a provision, and what the dialect does not do, said aloud."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, TypeVar

import pytest

from dataflow import DataFlow
from dataflow.capabilities import Capability
from dataflow.errors import ConfigurationError, UnknownName
from dataflow.testing.provision import NoDatabase, Provision, Server, Session

__all__ = ["MISTAKES", "Suite", "lacking", "requires", "server_of"]

Test = TypeVar("Test", bound=Callable[..., object])

PLUGIN = "dataflow.testing.plugin"
REQUIRED = "__dataflow_requires__"
SERVERS = pytest.StashKey[dict[Provision, Server | NoDatabase]]()
MISTAKES = pytest.StashKey[dict[type, UnknownName]]()
"""What is wrong with the differences of a suite, where only the collection of its tests could show it."""


def requires(*capabilities: Capability) -> Callable[[Test], Test]:
    """Mark a test that only a dialect with these capabilities passes.

    Where the dialect does not declare one, the test must fail: what works and is not declared is noticed.
    """

    def mark(test: Test) -> Test:
        setattr(test, REQUIRED, frozenset(capabilities))
        return test

    return mark


class Suite:
    """Tests against databases of one provision. Subclass it together with the topics that are wanted.

    Each test that uses ``db`` or ``url`` gets a database that is fresh and empty.
    """

    provision: ClassVar[Provision]
    """Where the databases come from."""
    differences: ClassVar[Mapping[str, str]] = {}
    """What this dialect does otherwise: the names of tests, as ``test_name`` or ``test_name[id]``, with the reason.
    These tests must fail; one that passes is an error, and so is a name that no test has."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _refuse_names_that_hide_others(cls)
        tests = [name for name in dir(cls) if name.startswith("test")]
        for name in cls.differences:
            if name.partition("[")[0] not in tests:
                raise UnknownName("test", name, cls.__name__, tests)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Bring the plugin along, so that a suite needs no configuration."""
        if not metafunc.config.pluginmanager.has_plugin(PLUGIN):
            metafunc.config.pluginmanager.import_plugin(PLUGIN)

    @pytest.fixture
    def url(self, request: pytest.FixtureRequest) -> Iterator[str]:
        """The URL of an empty database."""
        with server_of(self._own_provision(), request).database() as url:
            yield url

    @pytest.fixture
    def db(self, url: str) -> Iterator[DataFlow]:
        """An empty database."""
        with DataFlow(url, auto_migrate=True) as db:
            yield db

    @pytest.fixture(autouse=True)
    def _expectation(self, request: pytest.FixtureRequest, url: str) -> None:
        """Expect the failure of what the dialect does not do; that of the provision is never expected."""
        mistake = request.config.stash.get(MISTAKES, {}).get(type(self))
        if mistake is not None:
            raise mistake
        reason = self._difference(request.node.name) or lacking(request.function, url)
        if reason is not None:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    def _difference(self, name: str) -> str | None:
        return self.differences.get(name) or self.differences.get(name.partition("[")[0])

    def _own_provision(self) -> Provision:
        provision = getattr(self, "provision", None)
        if not isinstance(provision, Provision):
            raise ConfigurationError(
                f"{type(self).__name__} needs a provision: provision = ..., an instance of a Provision"
            )
        return provision


def lacking(test: object, url: str) -> str | None:
    """Why a test must fail on the dialect of a URL, if it asks for more than that declares."""
    required: frozenset[Capability] = getattr(test, REQUIRED, frozenset())
    if not required:
        return None
    with DataFlow(url) as db:
        missing = required - db.databases()["primary"].dialect.capabilities
    if not missing:
        return None
    return f"the dialect does not declare {', '.join(sorted(capability.name for capability in missing))}"


def server_of(provision: Provision, request: pytest.FixtureRequest) -> Server:
    """The server of a provision in this process, started when it is asked for first."""
    servers = request.config.stash.setdefault(SERVERS, {})
    if provision not in servers:
        folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        try:
            server = servers[provision] = provision.start(_session(provision.name, folders))
        except NoDatabase as error:
            servers[provision] = error  # to find out again for every test could take hours
        else:
            request.config.add_cleanup(server.stop)
    found = servers[provision]
    if isinstance(found, NoDatabase):
        raise found
    return found


def _session(name: str, folders: pytest.TempPathFactory) -> Session:
    own = folders.getbasetemp()
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return Session(worker or "main", folders.mktemp(name), own.parent if worker else own)


def _refuse_names_that_hide_others(cls: type) -> None:
    """A test that another one replaces would be lost without anybody noticing."""
    owners: dict[str, type] = dict.fromkeys(vars(Suite), Suite)
    for base in reversed(cls.__mro__[:-1]):
        for name, value in vars(base).items():
            other = owners.setdefault(name, base)
            if other not in (base, Suite) and callable(value) and not name.startswith("__"):
                raise ConfigurationError(
                    f"{base.__name__}.{name} hides {other.__name__}.{name}; rename it, and where the dialect differs, "
                    f"say so in differences"
                )
