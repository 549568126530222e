"""What a URL says of a PostgreSQL database."""

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from dataflow.errors import InvalidURL, nearest
from dataflow.url import DatabaseURL

__all__ = ["PostgresOptions"]

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
ROOT = "~/.postgresql/root.crt"
FILES = {"sslrootcert", "sslcert", "sslkey"}
TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword")
KNOWN = ("application_name", "connect_timeout", "host", "schema", "statement_cache", "timeout", *TLS)


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """Where the database is and how to speak to it.

    :param host: the name of a host, or the folder of a Unix socket; None for what the driver finds in the environment.
    :param tls: the options about TLS, as libpq names them.
    :param connect_timeout: how many seconds a connection may take to open.
    :param timeout: how many seconds a statement may take; None for as long as it wants.
    :param application_name: what the server's views call the connections.
    :param schema: where tables are made and looked for, where it is not the server's own choice.
    :param statement_cache: how many prepared statements a connection keeps; 0 prepares none, and uses no COPY, as
        poolers need it that hand every transaction to another connection of theirs.
    """

    host: str | None = None
    port: int | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: str | None = None
    tls: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    connect_timeout: float = 10.0
    timeout: float | None = None
    application_name: str = "dataflow"
    schema: str | None = None
    statement_cache: int = 500

    @classmethod
    def of(cls, url: DatabaseURL) -> "PostgresOptions":
        """Read them from a URL such as ``postgresql://ann:secret@host/shop?sslmode=verify-full``.

        :raises InvalidURL: for an option that does not exist or a value that makes no sense.
        """
        options = url.options
        for name in options:
            if name not in KNOWN:
                raise InvalidURL(f"PostgreSQL has no option {name!r}{nearest(name, KNOWN)}")
        if "host" in options and url.host is not None:
            raise InvalidURL(
                "a PostgreSQL URL names its host once: before the database, or as the option host"
            )
        if options.get("sslmode", "prefer") not in SSL_MODES:
            raise InvalidURL(f"the option sslmode of a PostgreSQL URL is one of {', '.join(SSL_MODES)}")
        return cls(
            host=options.get("host") or url.host,
            port=url.port,
            username=url.username,
            password=url.password,
            database=url.database,
            tls=tuple((name, options[name]) for name in TLS if name in options),
            connect_timeout=_seconds("connect_timeout", options.get("connect_timeout", "10")),
            timeout=_seconds("timeout", options["timeout"]) if "timeout" in options else None,
            application_name=options.get("application_name", "dataflow"),
            schema=options.get("schema"),
            statement_cache=_count("statement_cache", options.get("statement_cache", "500")),
        )

    def check_files(self) -> None:
        """Look for the files that TLS needs, which the driver does not name well.

        :raises InvalidURL: where one is not there or may not be read.
        """
        tls = dict(self.tls)
        for name in FILES & tls.keys():
            try:
                with open(tls[name], "rb"):
                    pass
            except OSError as error:
                raise InvalidURL(
                    f"the file of the option {name} of a PostgreSQL URL cannot be read: {error.strerror}"
                ) from error
        trusted = tls.get("sslrootcert") or os.environ.get("PGSSLROOTCERT") or os.path.expanduser(ROOT)
        if tls.get("sslmode") in ("verify-ca", "verify-full") and not os.path.exists(trusted):
            raise InvalidURL(
                f"sslmode={tls['sslmode']} needs to know whom to trust: the option sslrootcert of a PostgreSQL URL, or "
                f"the file {ROOT}"
            )

    def arguments(self) -> dict[str, Any]:
        """The arguments for the driver's ``connect``."""
        settings = {
            "application_name": self.application_name,
            "timezone": "UTC",  # in which datetimes of columns without a zone are read and written
            "standard_conforming_strings": "on",  # as literals are written here, with backslashes as they are
        }
        if self.schema is not None:
            settings["search_path"] = '"' + self.schema.replace('"', '""') + '"'
        return {
            "dsn": f"postgresql:///?{urlencode(self.tls)}" if self.tls else None,
            "host": self.host,
            "port": self.port,
            "user": self.username,
            "password": self.password,
            "database": self.database,
            "timeout": self.connect_timeout,
            "command_timeout": self.timeout,
            "statement_cache_size": self.statement_cache,
            "max_cached_statement_lifetime": 0,
            "server_settings": settings,
        }


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise InvalidURL(
            f"the option {name} of a PostgreSQL URL is a number of seconds, above 0 and at most 86400"
        )
    return seconds


def _count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 10_000):
        raise InvalidURL(f"the option {name} of a PostgreSQL URL is a whole number of at most 10000")
    return int(text)
