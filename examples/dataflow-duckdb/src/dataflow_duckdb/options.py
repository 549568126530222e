"""What a URL says of the database."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dataflow.errors import InvalidURL, nearest
from dataflow.url import DatabaseURL

__all__ = ["DuckDBOptions"]

OPTIONS = ("memory_limit", "threads")
SIZE = re.compile(r"[1-9][0-9]*(\.[0-9]+)?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)")
MEMORY = ":memory:"


@dataclass(frozen=True, slots=True)
class DuckDBOptions:
    """Where the database is and how to reach it.

    :param path: the path of the file, or ``:memory:``.
    :param memory_limit: how much memory DuckDB may take, such as ``4GB``; empty where DuckDB decides.
    :param threads: how many threads a statement may use; None where DuckDB decides.
    """

    path: str
    memory_limit: str = ""
    threads: int | None = None

    @property
    def in_memory(self) -> bool:
        return self.path == MEMORY

    @property
    def settings(self) -> Mapping[str, str]:
        """What DuckDB is told when the database is opened; all connections of a process to one file must agree."""
        given = {"memory_limit": self.memory_limit, "threads": str(self.threads or "")}
        return {name: value for name, value in given.items() if value}

    @classmethod
    def of(cls, url: DatabaseURL) -> "DuckDBOptions":
        """Read them from a URL such as ``duckdb:///shop.db?threads=4``.

        :raises InvalidURL: for an option that does not exist or a value that makes no sense.
        """
        for name in url.options:
            if name not in OPTIONS:
                raise InvalidURL(f"DuckDB has no option {name!r}{nearest(name, OPTIONS)}")
        memory_limit = url.options.get("memory_limit", "")
        if memory_limit and SIZE.fullmatch(memory_limit) is None:
            raise InvalidURL("the option memory_limit is a number and its unit, such as 500MB or 4GiB")
        threads = url.options.get("threads")
        if threads is not None and (not threads.isdecimal() or int(threads) < 1):
            raise InvalidURL("the option threads is a whole number, 1 or more")
        return cls(url.database or MEMORY, memory_limit, None if threads is None else int(threads))
