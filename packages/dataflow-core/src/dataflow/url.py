"""Database URLs whose passwords may be typed as they are.

    scheme://[username[:password]@][host[:port]][/database][?name=value&name=value]

1. The last ``@`` ends the user information, so a password may hold ``# $ @ ? ! / :`` and anything else.
   Behind it, in the name of a database or in an option, an ``@`` is written ``%40``.
2. The first ``:`` ends the user name, where ``:``, ``/`` and ``?`` are written ``%3A``, ``%2F`` and ``%3F``.
3. ``%XX`` is decoded everywhere; a ``%`` without two hexadecimal digits behind it stands for itself.
4. Three slashes mean that there is neither user nor host: ``sqlite:///ann@home.db``,
   ``postgresql:///app?host=/run``.
5. Where the last ``@`` seems to stand in an option, the URL is refused rather than guessed at.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from dataflow.errors import InvalidURL

__all__ = ["DatabaseURL"]

MASK = "***"

# Patterns are compiled (and kept) by `re` at their first use, not when this module is imported.
SCHEME = r"[a-z][a-z0-9.-]+"  # two characters at least: C:// is a drive
DRIVER_SUFFIX = r"([a-z][a-z0-9.-]+)\+[a-z0-9.+-]*"
HOST = r"[\w.~%-]*"
IPV6 = r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%.+)?"  # %eth0: a zone
PORT = r"[0-9]{1,5}"
SECRET_OPTION = r"(?i)pass|pwd|secret|token|key"
NO_TEXT = "[\0\ud800-\udfff]"  # no database takes NUL; a lone surrogate stands for bytes that are not UTF-8
OPTION_BEFORE_AT = (  # "user:secret@host/db?mail=ann", to be followed by "@example.org"
    r"(?s)(?:[^/?#]*@)?(?:\[[^\]]*\]|[^/?#@:]*)(?::[0-9]*)?(?:/[^?#]*)?\?[A-Za-z_][\w.-]*=.*"
)

SERVER_EXAMPLE = "postgresql://user:password@host/database"
FILE_EXAMPLE = "sqlite:///path/to/file.db"
FILE_SAFE = "/:@!$&'()*+,;="  # what a path may hold as it is (RFC 3986)


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseURL:
    """Where a database is and who asks; it prints itself without its secrets.

    An empty user name, host or database is None; an empty password is not the same as none.
    The database of a SQLite URL is its file, ``:memory:`` where it names none.

    >>> url = DatabaseURL.parse("postgresql://ann:p@ss/w#rd?@db.example.com:5432/shop")
    >>> url
    DatabaseURL('postgresql://ann:***@db.example.com:5432/shop')
    >>> url.password
    'p@ss/w#rd?'
    >>> url.get_connection_url()
    'postgresql://ann:p%40ss%2Fw%23rd%3F@db.example.com:5432/shop'
    """

    scheme: str
    username: str | None = None
    password: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "username", self.username or None)
        put(self, "host", self.host or None)
        put(self, "database", self.database or (":memory:" if self.scheme == "sqlite" else None))
        put(self, "options", MappingProxyType(dict(self.options)))
        self._check()

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        # A mapping proxy cannot be pickled or copied, its content can.
        parts = (self.username, self.password, self.host, self.port, self.database, dict(self.options))
        return type(self), (self.scheme, *parts)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL; white space around it does not count.

        :param text: the URL, with the password as it is or percent-encoded.
        :raises InvalidURL: if it cannot be understood, or in two ways; the message quotes at most the scheme.
        """
        scheme, rest = _split_scheme(text.strip())
        user_info, location = _split_user_info(scheme, rest)
        location, _, query = location.partition("?")
        authority, _, database = location.partition("/")
        username, password = _split_credentials(user_info)
        host, port = _split_host(authority)
        return cls(scheme, username, password, host, port, _decode(database), _read_options(query))

    def get_connection_url(self) -> str:
        """Write the URL with its password, percent-encoded as every driver and tool reads it."""
        return self._write(quote_secret=_encode)

    def __str__(self) -> str:
        return self._write(quote_secret=lambda secret: MASK)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def _write(self, quote_secret: Callable[[str], str]) -> str:
        user_info = _encode(self.username or "")
        if self.password is not None:
            user_info += ":" + quote_secret(self.password)
        at = "@" if user_info else ""
        port = f":{self.port}" if self.port is not None else ""
        query = "&".join(
            f"{_encode(name)}={quote_secret(value) if re.search(SECRET_OPTION, name) else _encode(value)}"
            for name, value in self.options.items()
        )
        options = f"?{query}" if query else ""
        return f"{self.scheme}://{user_info}{at}{_encode_host(self.host)}{port}{self._path()}{options}"

    def _path(self) -> str:
        if self.database is None:
            return ""
        return "/" + _encode(self.database, FILE_SAFE if self.scheme == "sqlite" else "")

    def _check(self) -> None:
        if not re.fullmatch(SCHEME, self.scheme):
            raise InvalidURL(f"the scheme of a database URL is a name in lower case, as in {SERVER_EXAMPLE}")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise InvalidURL("the port of a database URL must be a whole number from 1 to 65535")
        server_parts = (self.username, self.password, self.host, self.port)
        if self.scheme == "sqlite" and server_parts != (None,) * 4:
            raise InvalidURL(f"a SQLite URL names a file and no server: write {FILE_EXAMPLE}")
        if "" in self.options:
            raise InvalidURL("an option of a database URL must have a name: write name=value")
        if any(re.search(NO_TEXT, text) for text in self._texts()):
            raise InvalidURL(
                "the database URL holds a NUL character or bytes that are not UTF-8; write a plain % as %25"
            )

    def _texts(self) -> Iterator[str]:
        yield from (text or "" for text in (self.username, self.password, self.host, self.database))
        for option in self.options.items():
            yield from option


def _split_scheme(text: str) -> tuple[str, str]:
    if not text:
        raise InvalidURL(f"the database URL is empty: write {FILE_EXAMPLE} or {SERVER_EXAMPLE}")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if separator and (driver := re.fullmatch(DRIVER_SUFFIX, scheme)):
        raise InvalidURL(f"a database URL names no driver: write {driver[1]}:// without the + and the rest")
    if not separator or not re.fullmatch(SCHEME, scheme):
        raise InvalidURL(f"the database URL has no scheme: write {FILE_EXAMPLE} or {SERVER_EXAMPLE}")
    return scheme, rest


def _split_user_info(scheme: str, rest: str) -> tuple[str | None, str]:
    """Split at the last @; None where there is no user information."""
    without_host = rest[:1] in ("", "/", "?")
    if scheme == "sqlite":
        if not without_host:
            raise InvalidURL("a SQLite URL has three slashes: write sqlite:///file.db or sqlite:///:memory:")
        return None, rest
    if without_host:
        if "@" in rest.partition("?")[0]:
            raise InvalidURL(
                f"a URL with a user or a host has two slashes, as in {SERVER_EXAMPLE}; "
                "an @ in the name of a database is written %40"
            )
        return None, rest
    user_info, at, location = rest.rpartition("@")
    if at and "/" not in location and re.fullmatch(OPTION_BEFORE_AT, user_info):
        raise InvalidURL(
            "the last @ of the database URL seems to stand in an option, where it is written %40; "
            "if it ends the password, write the password's / as %2F and its ? as %3F"
        )
    return (user_info if at else None), location


def _split_credentials(user_info: str | None) -> tuple[str | None, str | None]:
    if user_info is None:
        return None, None
    username, colon, password = user_info.partition(":")
    if "/" in username or "?" in username:
        raise InvalidURL(
            "a / or ? in the user name of a database URL is written %2F or %3F, "
            "and an @ behind the host, in a database's name or an option, %40"
        )
    return _decode(username), (_decode(password) if colon else None)


def _split_host(authority: str) -> tuple[str | None, int | None]:
    if "," in authority:
        raise InvalidURL("the database URL names several hosts: write one")
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, ""
    if port and not re.fullmatch(PORT, port):
        raise InvalidURL(
            "the port of the database URL must be a whole number from 1 to 65535; "
            f"if there is a password, an @ must follow it, as in {SERVER_EXAMPLE}"
        )
    return _decode_host(host), (int(port) if port else None)


def _decode_host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        address = _decode(text[1:-1])
        if re.fullmatch(IPV6, address):
            return address
        raise InvalidURL("what stands in brackets in the database URL is no IPv6 address: write [::1]")
    if ":" in text:
        raise InvalidURL("an IPv6 address in a database URL stands in brackets: write [::1]:5432")
    if not re.fullmatch(HOST, text):
        raise InvalidURL(
            "the host of the database URL holds a character that no host has; "
            "an @ behind the host, in a database's name or an option, is written %40"
        )
    return _decode(text)


def _encode_host(host: str | None) -> str:
    if host is None:
        return ""
    return f"[{_encode(host, ':')}]" if re.fullmatch(IPV6, host) else _encode(host)


def _read_options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if not equals:
            raise InvalidURL(
                "what follows the ? of the database URL must be name=value; "
                "a ? in the name of a database or file is written %3F"
            )
        name = _decode(name)
        if name in options:
            raise InvalidURL("the database URL gives an option twice: keep one of them")
        options[name] = _decode(value)
    return options


def _encode(text: str, safe: str = "") -> str:
    from urllib.parse import quote

    return quote(text, safe)


def _decode(text: str) -> str:
    from urllib.parse import unquote

    # No UnicodeDecodeError, whose attributes would carry the password: the check finds the lone surrogates.
    return unquote(text, errors="surrogateescape")
