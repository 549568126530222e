"""What a URL says of an SQLite database."""

from dataclasses import dataclass

from dataflow.errors import InvalidURL, nearest
from dataflow.url import DatabaseURL

__all__ = ["SQLiteOptions"]

MODES = ("rwc", "rw", "ro")
SYNCHRONOUS = ("full", "normal", "off")
MEMORY = ":memory:"


@dataclass(frozen=True, slots=True)
class SQLiteOptions:
    """Where the database is and how to open it.

    :param path: the path of the file, or ``:memory:``.
    :param mode: ``rwc`` makes the file if need be, ``rw`` needs it to exist, ``ro`` never writes.
    :param timeout: how many seconds to wait for a lock that another connection holds.
    :param synchronous: ``full`` survives a loss of power with every commit, ``normal`` may lose the last ones.
    :param wal: whether to turn on write-ahead logging.
    """

    path: str
    mode: str = "rwc"
    timeout: float = 5.0
    synchronous: str = "full"
    wal: bool = True

    @property
    def in_memory(self) -> bool:
        return self.path == MEMORY

    @classmethod
    def of(cls, url: DatabaseURL, *, existing: bool) -> "SQLiteOptions":
        """Read them from a URL such as ``sqlite:///shop.db?timeout=10``.

        :param existing: whether the file must be there, and keeps its journal mode.
        :raises InvalidURL: for an option that does not exist or a value that makes no sense.
        """
        for name in url.options:
            if name not in ("mode", "timeout", "synchronous"):
                raise InvalidURL(
                    f"SQLite has no option {name!r}{nearest(name, ('mode', 'timeout', 'synchronous'))}"
                )
        path = url.database or MEMORY
        if "\x00" in path:
            raise InvalidURL("the path of an SQLite database holds a NUL character")
        mode = _choice("mode", url.options.get("mode", "rw" if existing else "rwc"), MODES)
        synchronous = _choice("synchronous", url.options.get("synchronous", "full"), SYNCHRONOUS)
        memory = path == MEMORY
        wal = not memory and not existing and mode != "ro"
        return cls(
            path, "memory" if memory else mode, _seconds(url.options.get("timeout", "5")), synchronous, wal
        )


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InvalidURL(f"the option {name} of an SQLite URL is one of {', '.join(choices)}")
    return value


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise InvalidURL("the option timeout of an SQLite URL is a number of seconds, at most 86400")
    return seconds
