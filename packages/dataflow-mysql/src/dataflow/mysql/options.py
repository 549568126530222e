"""What a URL says of a MySQL server."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from dataflow.errors import InvalidURL, nearest
from dataflow.url import DatabaseURL

__all__ = ["MySQLOptions"]

NAMES = (
    "connect_timeout",
    "driver",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
    "ssl_mode",
    "timeout",
    "unix_socket",
)
DRIVERS = ("asyncmy", "aiomysql")
SSL_MODES = ("disabled", "required", "verify_ca", "verify_identity")
A_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class MySQLOptions:
    """Where the server is, who asks, and how patiently.

    :param database: may be None, for whoever makes databases.
    :param connect_timeout: how many seconds connecting may take.
    :param timeout: how many seconds a statement may take; None is without end.
    :param driver: which driver to use; None for the fastest that is installed.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str | None
    unix_socket: str | None = None
    connect_timeout: float = 10.0
    timeout: float | None = None
    driver: str | None = None
    tls: ssl.SSLContext | None = None

    @property
    def knows_the_server(self) -> bool:
        """Whether it is certain who listens: by a certificate that is checked, or as it is on this machine."""
        checked = self.tls is not None and self.tls.verify_mode is ssl.CERT_REQUIRED
        return checked or self.unix_socket is not None

    @classmethod
    def of(cls, url: DatabaseURL) -> "MySQLOptions":
        """Read them from a URL such as ``mysql://ann:secret@db.example.org/shop?timeout=30``.

        :raises InvalidURL: for an option that does not exist or a value that makes no sense.
        """
        options = url.options
        for name in options:
            if name not in NAMES:
                raise InvalidURL(f"MySQL has no option {name!r}{nearest(name, NAMES)}")
        timeout = options.get("timeout")
        return cls(
            host=url.host or "localhost",
            port=url.port or 3306,
            user=url.username or "root",
            password=url.password or "",
            database=url.database,
            unix_socket=options.get("unix_socket"),
            connect_timeout=_seconds("connect_timeout", options.get("connect_timeout", "10")),
            timeout=None if timeout is None else _seconds("timeout", timeout),
            driver=_choice("driver", options["driver"], DRIVERS) if "driver" in options else None,
            tls=_tls(options),
        )


def _tls(options: Mapping[str, str]) -> ssl.SSLContext | None:
    files = {name: options[name] for name in ("ssl_ca", "ssl_cert", "ssl_key") if name in options}
    usual = "verify_identity" if "ssl_ca" in files else "required" if files else "disabled"
    mode = _choice("ssl_mode", options.get("ssl_mode", usual), SSL_MODES)
    if mode == "disabled":
        if files:
            raise InvalidURL(
                "the options ssl_ca, ssl_cert and ssl_key of a MySQL URL need TLS: drop ssl_mode=disabled"
            )
        return None
    if "ssl_key" in files and "ssl_cert" not in files:
        raise InvalidURL("the option ssl_key of a MySQL URL belongs to an ssl_cert")
    failure, context = "", None
    try:
        context = ssl.create_default_context(cafile=files.get("ssl_ca"))
        if "ssl_cert" in files:
            context.load_cert_chain(files["ssl_cert"], files.get("ssl_key"))
    except OSError as error:
        failure = error.strerror or type(error).__name__
    if context is None or failure:
        raise InvalidURL(
            f"a file of the options ssl_ca, ssl_cert and ssl_key of a MySQL URL cannot be read: {failure}"
        )
    context.check_hostname = mode == "verify_identity"
    if mode == "required":
        context.verify_mode = ssl.CERT_NONE
    return context


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InvalidURL(f"the option {name} of a MySQL URL is one of {', '.join(choices)}")
    return value


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= A_DAY:
        raise InvalidURL(f"the option {name} of a MySQL URL is a number of seconds, at most {A_DAY:g}")
    return seconds
