"""The two servers: what one has and the other has not."""

import re
from typing import NamedTuple

from dataflow.errors import ConfigurationError

__all__ = ["MARIADB", "MYSQL", "Flavor", "read_version"]


class Flavor(NamedTuple):
    """A server, as far as its SQL matters.

    :param collation: compares texts by their code points and takes spaces at the end for what they are.
    :param row: what stands before each row of a list ``VALUES``.
    :param returning: whether INSERT and DELETE bring rows back.
    :param identity: the SQL for what tells a server from all others.
    :param oldest: the oldest version that will do.
    """

    name: str
    collation: str
    row: str
    returning: bool
    identity: str
    oldest: tuple[int, ...]


MYSQL = Flavor(
    "MySQL", "utf8mb4_0900_bin", "ROW", False, "CONCAT_WS('/', @@server_uuid, @@hostname, @@port)", (8, 0, 19)
)
MARIADB = Flavor(
    "MariaDB",
    "utf8mb4_nopad_bin",
    "",
    True,
    "CONCAT_WS('/', @@hostname, @@port, @@server_id, @@datadir)",
    (10, 6),
)

NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def read_version(text: str) -> Flavor:
    """The flavor of a server that calls itself so, such as ``"10.11.6-MariaDB-0+deb12u1"``.

    :raises ConfigurationError: where it is too old.

    >>> read_version("8.4.3").name, read_version("5.5.5-10.11.6-MariaDB").name
    ('MySQL', 'MariaDB')
    """
    flavor = MARIADB if "mariadb" in text.lower() else MYSQL
    # MariaDB puts a version of MySQL before its own, for those who know nothing else.
    found = NUMBERS.search(text.removeprefix("5.5.5-"))
    version = tuple(map(int, found.groups())) if found else ()
    if version < flavor.oldest:
        oldest = ".".join(map(str, flavor.oldest))
        raise ConfigurationError(f"the server is {flavor.name} {text}; DataFlow needs {oldest} or newer")
    return flavor
