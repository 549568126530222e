"""Where a database on a server is."""

from typing import NamedTuple
from urllib.parse import quote

__all__ = ["CONNECTIONS", "Address"]

CONNECTIONS = 10
"""How many connections a pool may have, everybody's."""


class Address(NamedTuple):
    host: str
    port: int
    user: str
    password: str
    database: str

    def url(self, scheme: str) -> str:
        """
        >>> Address("127.0.0.1", 5432, "ann", "", "app").url("postgresql")
        'postgresql://ann@127.0.0.1:5432/app'
        """
        password = f":{quote(self.password, safe='')}" if self.password else ""
        user = quote(self.user, safe="")
        return f"{scheme}://{user}{password}@{self.host}:{self.port}/{self.database}"
