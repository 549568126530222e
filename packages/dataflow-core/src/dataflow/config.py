"""The options of a database object, each of them decided.

An option comes from the first place that says something: an argument of ``DataFlow(...)``, the
``DataFlowConfig`` that was handed to it, an environment variable, a default. None says nothing, nor does an
empty environment variable.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, Self, TypeVar

from dataflow.errors import ConfigurationError, InvalidURL, UnknownOption
from dataflow.url import DatabaseURL

__all__ = ["PRIMARY", "READ_REPLICA", "DataFlowConfig"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

PRIMARY = "primary"
NAMED_DATABASE = "_db"  # analytics_db=url names the database "analytics"
READ_REPLICA = "read_replica"  # the one database whose option bears its bare name
DATABASE_VARIABLES = ("DATAFLOW_DATABASE_URL", "DATABASE_URL")
LONGEST_TIMEOUT = 365 * 24 * 3600.0
PRODUCTION = ("production", "prod")
ON = ("true", "yes", "on", "1")
OFF = ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class _Option(Generic[T_co]):
    """An option: what it must be, as a check and in words, and how the text of its variable is read.

    ``accept`` returns the value as it is kept, None where it is refused.
    """

    name: str
    accept: Callable[[object], T_co | None]
    must_be: str
    read: Callable[[str], object]

    @property
    def variable(self) -> str:
        return f"DATAFLOW_{self.name.upper()}"

    def check(self, value: object, source: str) -> T_co:
        accepted = self.accept(value)
        if accepted is None:
            raise ConfigurationError(f"{source} must be {self.must_be}")
        return accepted

    def from_environment(self) -> T_co | None:
        text = _environment(self.variable)
        if not text:
            return None
        value: object = None  # which no option accepts
        with suppress(ValueError):
            value = self.read(text)
        return self.check(value, f"environment variable {self.variable}")


def _accept_switch(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _accept_whole_number(least: int) -> Callable[[object], int | None]:
    def accept(value: object) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        return value if value >= least else None

    return accept


def _accept_seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= LONGEST_TIMEOUT else None


def _read_switch(text: str) -> bool | None:
    word = text.casefold()
    return True if word in ON else False if word in OFF else None


POOL_SIZE = _Option("pool_size", _accept_whole_number(1), "a whole number, 1 or more", int)
POOL_MAX_OVERFLOW = _Option("pool_max_overflow", _accept_whole_number(0), "a whole number, 0 or more", int)
POOL_TIMEOUT = _Option("pool_timeout", _accept_seconds, "a number of seconds above 0, at most a year", float)
TRANSACTION_IDLE_TIMEOUT = _Option(
    "transaction_idle_timeout", _accept_seconds, "a number of seconds above 0, at most a year", float
)
AUTO_MIGRATE = _Option("auto_migrate", _accept_switch, "True or False", _read_switch)
EXISTING_SCHEMA_MODE = _Option("existing_schema_mode", _accept_switch, "True or False", _read_switch)
ENABLE_MODEL_PERSISTENCE = _Option("enable_model_persistence", _accept_switch, "True or False", _read_switch)
OPTIONS = (
    POOL_SIZE,
    POOL_MAX_OVERFLOW,
    POOL_TIMEOUT,
    TRANSACTION_IDLE_TIMEOUT,
    AUTO_MIGRATE,
    EXISTING_SCHEMA_MODE,
    ENABLE_MODEL_PERSISTENCE,
)
OPTION_NAMES = tuple(option.name for option in OPTIONS)


@dataclass(frozen=True, slots=True)
class _Said:
    """What somebody asked for, and nothing else."""

    urls: Mapping[str, DatabaseURL]
    options: Mapping[str, object]

    @classmethod
    def read(cls, given: Iterable[tuple[str, object]]) -> Self:
        urls: dict[str, DatabaseURL] = {}
        options: dict[str, object] = {}

        def add_url(name: str, value: object, source: str) -> None:
            if name in urls:
                raise ConfigurationError(f"the database {name!r} is given twice: keep one of its URLs")
            urls[name] = _to_url(value, source)

        for option, value in given:
            if option in OPTION_NAMES:
                if value is not None:
                    options[option] = value
            elif option == "databases":
                for name, url in _check_databases(value).items():
                    add_url(name, url, f"databases[{name!r}]")
            else:
                name = _database_name(option)
                if value is not None:
                    add_url(name, value, option)
        return cls(urls, options)

    def overridden_by(self, other: "_Said") -> "_Said":
        return _Said({**self.urls, **other.urls}, {**self.options, **other.options})


@dataclass(frozen=True, slots=True, init=False)
class DataFlowConfig:
    """Every option of a database object, decided; it never shows a password.

    What is not given comes from the environment, then from a default. The environment is asked when the
    config is made, and again when ``DataFlow`` takes it.

    >>> config = DataFlowConfig("postgresql://ann:p@ss@host/app", pool_size=20, analytics_db="sqlite:///a.db")
    >>> str(config.database), config.pool_size, list(config.databases)
    ('postgresql://ann:***@host/app', 20, ['primary', 'analytics'])

    :param database_url: the primary database; without it ``DATAFLOW_DATABASE_URL``, ``DATABASE_URL`` or
        SQLite in memory.
    :param databases: further databases by name; ``analytics_db=url`` does the same. The one under ``read_replica``, or
        ``read_replica=url``, is a copy of the primary that serves those who only read.
    :param pool_size: how many connections a pool keeps; without it the dialect decides.
    :param pool_max_overflow: how many more it may open under load (0).
    :param pool_timeout: how many seconds to wait for a connection (30).
    :param transaction_idle_timeout: how many seconds a transaction may be idle while a function of its run works (5).
    :param auto_migrate: whether tables are created and extended (yes, unless ``DATAFLOW_ENV`` is production).
    :param existing_schema_mode: whether all DDL is forbidden, whatever else is asked (no).
    :param enable_model_persistence: whether models that were made of existing tables are kept for other processes, in
        the table ``dataflow_model_registry`` (yes, where that is there or may be made).
    :raises ConfigurationError: if an option does not exist or has a value that it cannot have.
    """

    databases: Mapping[str, DatabaseURL] = field(hash=False)
    pool_size: int | None
    pool_max_overflow: int
    pool_timeout: float
    transaction_idle_timeout: float
    auto_migrate: bool
    existing_schema_mode: bool
    enable_model_persistence: bool
    decisions: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """What was decided without being asked for: sentences without secrets, to be logged."""
    _said: _Said = field(init=False, repr=False, compare=False)

    def __init__(
        self,
        database_url: str | DatabaseURL | None = None,
        *,
        databases: Mapping[str, str | DatabaseURL] | None = None,
        pool_size: int | None = None,
        pool_max_overflow: int | None = None,
        pool_timeout: float | None = None,
        transaction_idle_timeout: float | None = None,
        auto_migrate: bool | None = None,
        existing_schema_mode: bool | None = None,
        enable_model_persistence: bool | None = None,
        **named_databases: str | DatabaseURL | None,
    ) -> None:
        given: dict[str, object] = {
            "database_url": database_url,
            "databases": databases,
            "pool_size": pool_size,
            "pool_max_overflow": pool_max_overflow,
            "pool_timeout": pool_timeout,
            "transaction_idle_timeout": transaction_idle_timeout,
            "auto_migrate": auto_migrate,
            "existing_schema_mode": existing_schema_mode,
            "enable_model_persistence": enable_model_persistence,
        }
        self._decide(_Said.read([*given.items(), *named_databases.items()]))

    @classmethod
    def resolve(
        cls, given: "str | DatabaseURL | DataFlowConfig | None", options: Mapping[str, object]
    ) -> "DataFlowConfig":
        """Decide what ``DataFlow(given, **options)`` means.

        :param given: a URL, or a config whose options the other argument overrides.
        :param options: any of the parameters of ``DataFlowConfig``, not checked yet.
        :raises ConfigurationError: if an option does not exist or has a value that it cannot have.
        """
        if isinstance(given, DataFlowConfig):
            said = given._said.overridden_by(_Said.read(options.items()))
        else:
            said = _Said.read([("database_url", given), *options.items()])
        arguments: dict[str, Any] = {"databases": said.urls, **said.options}
        return cls(**arguments)

    @property
    def database(self) -> DatabaseURL:
        """The primary database."""
        return self.databases[PRIMARY]

    def _decide(self, said: _Said) -> None:
        notes: list[str] = []

        def choose(option: _Option[T]) -> T | None:
            if option.name in said.options:
                return option.check(said.options[option.name], option.name)
            value = option.from_environment()
            if value is not None:
                notes.append(f"{option.name} is {value}, from {option.variable}")
            return value

        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        primary = said.urls.get(PRIMARY) or _default_database(notes)
        put("databases", MappingProxyType({PRIMARY: primary, **said.urls}))
        put("pool_size", choose(POOL_SIZE))
        put("pool_max_overflow", choose(POOL_MAX_OVERFLOW) or 0)
        put("pool_timeout", choose(POOL_TIMEOUT) or 30.0)
        put("transaction_idle_timeout", choose(TRANSACTION_IDLE_TIMEOUT) or 5.0)
        put("existing_schema_mode", choose(EXISTING_SCHEMA_MODE) or False)
        put("enable_model_persistence", choose(ENABLE_MODEL_PERSISTENCE) is not False)
        put("auto_migrate", _may_migrate(choose(AUTO_MIGRATE), self.existing_schema_mode, notes))
        put("decisions", tuple(notes))
        put("_said", said)


def _check_databases(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(map(_is_name, value)):
        # The message quotes no name: it could be a URL, from somebody who mixed up the two.
        raise ConfigurationError('databases must map names to URLs, as in {"analytics": "sqlite:///file.db"}')
    return value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier()


def _database_name(option: str) -> str:
    if option == "database_url":
        return PRIMARY
    if option == READ_REPLICA:
        return READ_REPLICA
    if not option.endswith(NAMED_DATABASE):
        raise UnknownOption(option, ["database_url", "databases", READ_REPLICA, *OPTION_NAMES])
    name = option.removesuffix(NAMED_DATABASE)
    if name == PRIMARY:
        raise ConfigurationError(f"{option}: the URL of the primary database is the option database_url")
    if not _is_name(name):
        raise ConfigurationError(f"{option}: a database needs a name before {NAMED_DATABASE}")
    return name


def _to_url(value: object, source: str) -> DatabaseURL:
    if isinstance(value, DatabaseURL):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(f"{source} must be a URL: a str or a DatabaseURL")
    try:
        return DatabaseURL.parse(value)
    except InvalidURL as error:
        raise InvalidURL(f"{source}: {error}") from None


def _default_database(notes: list[str]) -> DatabaseURL:
    for variable in DATABASE_VARIABLES:
        if text := _environment(variable):
            url = _to_url(text, f"environment variable {variable}")
            notes.append(f"database from {variable}: {url}")
            return url
    notes.append("database: in-memory SQLite, as no URL was given")
    return DatabaseURL("sqlite", database=":memory:")


def _may_migrate(asked: bool | None, existing_schema_mode: bool, notes: list[str]) -> bool:
    if existing_schema_mode:
        if asked is not False:
            although = ", although it was asked for" if asked else ""
            notes.append(f"auto_migrate is off{although}, as existing_schema_mode is on")
        return False
    if asked is not None:
        return asked
    if _environment("DATAFLOW_ENV").casefold() in PRODUCTION:
        notes.append("auto_migrate is off, as DATAFLOW_ENV is production")
        return False
    notes.append("auto_migrate is on, as DATAFLOW_ENV is not production")
    return True


def _environment(variable: str) -> str:
    return os.environ.get(variable, "").strip()
