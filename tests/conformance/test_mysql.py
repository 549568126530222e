"""MySQL and MariaDB pass the conformance suite, with either driver."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dataflow.mysql.testing import MySQL
from dataflow.testing import Conformance, Provision, Server, Session


@dataclass(frozen=True)
class WithDriver(Provision):
    """Databases whose URL names the driver."""

    name = "mysql"
    driver: str
    inner: MySQL = MySQL()  # noqa: RUF009 - it is frozen

    def start(self, session: Session) -> Server:
        return _Naming(self.inner.start(session), self.driver)


class _Naming(Server):
    def __init__(self, server: Server, driver: str) -> None:
        self._server, self._driver = server, driver

    @contextmanager
    def database(self) -> Iterator[str]:
        with self._server.database() as url:
            yield f"{url}{'&' if '?' in url else '?'}driver={self._driver}"

    def stop(self) -> None:
        self._server.stop()


NAMES = {
    f"test_a_name_that_needs_quotes_or_is_not_ascii_simply_works[{name}]": reason
    for name, reason in {
        "\\U0001f600": "a name in MySQL has no characters beyond U+FFFF",
        " space ": "a name in MySQL cannot end with a space",
    }.items()
}


class TestAsyncmy(Conformance):
    provision = WithDriver("asyncmy")
    differences = NAMES


class TestAiomysql(Conformance):
    provision = WithDriver("aiomysql")
    differences = NAMES
