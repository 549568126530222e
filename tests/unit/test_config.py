"""Where each option comes from, how it is checked, and what is told about it."""

import os
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from dataflow.config import DataFlowConfig
from dataflow.errors import ConfigurationError, InvalidURL, UnknownOption
from dataflow.url import DatabaseURL

CANARY = "c4n4ry"
URL = f"postgresql://ann:{CANARY}@host/app"
SHOWN = "postgresql://ann:***@host/app"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("DATAFLOW_") or variable == "DATABASE_URL":
            monkeypatch.delenv(variable)


# Databases.


def test_without_anything_it_is_sqlite_in_memory() -> None:
    config = DataFlowConfig()
    assert config.database == DatabaseURL("sqlite", database=":memory:")
    assert config.databases == {"primary": config.database}
    assert (config.pool_size, config.pool_max_overflow, config.pool_timeout) == (None, 0, 30.0)
    assert (config.auto_migrate, config.existing_schema_mode) == (True, False)
    assert config.decisions == (
        "database: in-memory SQLite, as no URL was given",
        "auto_migrate is on, as DATAFLOW_ENV is not production",
    )


def test_a_url_may_be_parsed_already() -> None:
    url = DatabaseURL.parse(URL)
    assert DataFlowConfig(url).database is url


def test_the_usable_url_has_the_password() -> None:
    config = DataFlowConfig("postgresql://admin:MySecret#123$@localhost/db")
    assert config.database.get_connection_url() == "postgresql://admin:MySecret%23123%24@localhost/db"


def test_the_variable_of_dataflow_comes_before_the_common_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    assert DataFlowConfig().database.scheme == "postgresql"
    assert f"database from DATABASE_URL: {SHOWN}" in DataFlowConfig().decisions
    monkeypatch.setenv("DATAFLOW_DATABASE_URL", "mysql://host/app")
    assert DataFlowConfig().database.scheme == "mysql"
    assert "database from DATAFLOW_DATABASE_URL: mysql://host/app" in DataFlowConfig().decisions
    monkeypatch.setenv("DATAFLOW_DATABASE_URL", " ")
    assert DataFlowConfig().database.scheme == "postgresql"


def test_a_url_that_was_given_is_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://host/app")
    config = DataFlowConfig(URL, auto_migrate=True)
    assert str(config.database) == SHOWN
    assert config.decisions == ()


def test_further_databases_have_names() -> None:
    config = DataFlowConfig.resolve(
        "sqlite:///a.db",
        {"analytics_db": URL, "read_replica": "sqlite:///c.db", "databases": {"audit": "sqlite:///d.db"}},
    )
    assert {name: str(url) for name, url in config.databases.items()} == {
        "primary": "sqlite:///a.db",
        "analytics": SHOWN,
        "read_replica": "sqlite:///c.db",
        "audit": "sqlite:///d.db",
    }


def test_the_databases_of_one_config_can_be_given_to_another() -> None:
    config = DataFlowConfig(URL, analytics_db="sqlite:///a.db")
    assert DataFlowConfig(databases=config.databases) == config


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (URL, {"database_url": URL}),
        (URL, {"databases": {"primary": URL}}),
        (None, {"analytics_db": URL, "databases": {"analytics": URL}}),
        (None, {"read_replica": URL, "read_replica_db": URL}),
    ],
)
def test_a_database_is_given_once(given: str | None, options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="is given twice") as caught:
        DataFlowConfig.resolve(given, options)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"primary_db": URL}, "primary_db: .* the option database_url"),
        ({"_db": URL}, "_db: a database needs a name"),
        ({"my-own_db": URL}, "my-own_db: a database needs a name"),
        ({"databases": {"my own": URL}}, "databases must map names to URLs"),
        ({"databases": {URL: "analytics"}}, "databases must map names to URLs"),
        ({"databases": {1: URL}}, "databases must map names to URLs"),
        ({"databases": [URL]}, "databases must map names to URLs"),
        ({"databases": {"analytics": None}}, r"databases\['analytics'\] must be a URL"),
        ({"database_url": URL.encode()}, "database_url must be a URL: a str or a DatabaseURL"),
        ({"enable_db": True}, "enable_db must be a URL: a str or a DatabaseURL"),
        ({"database_url": ""}, "database_url: the database URL is empty"),
        ({"analytics_db": f"{URL}:x@host:port"}, "analytics_db: the port"),
        ({"databases": {"analytics": f"{URL}:x@host:port"}}, r"databases\['analytics'\]: the port"),
    ],
)
def test_a_bad_database_is_refused_without_showing_its_url(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        DataFlowConfig.resolve(None, options)
    assert CANARY not in str(caught.value)


def test_a_bad_url_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"ann:{CANARY}@host")
    with pytest.raises(InvalidURL, match=r"^environment variable DATABASE_URL: .* no scheme") as caught:
        DataFlowConfig()
    assert CANARY not in str(caught.value)


# Options.


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("pool_size", "20", 20),
        ("pool_max_overflow", "0", 0),
        ("pool_max_overflow", " 50 ", 50),
        ("pool_timeout", "5", 5.0),
        ("pool_timeout", "0.5", 0.5),
        ("transaction_idle_timeout", "2", 2.0),
        *[("auto_migrate", text, True) for text in ("true", "True", "1", "yes", "ON")],
        *[("auto_migrate", text, False) for text in ("false", "FALSE", "0", "no", "off")],
        ("existing_schema_mode", "yes", True),
        ("existing_schema_mode", "0", False),
    ],
)
def test_an_option_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, option: str, text: str, value: object
) -> None:
    variable = f"DATAFLOW_{option.upper()}"
    monkeypatch.setenv(variable, text)
    config = DataFlowConfig()
    assert getattr(config, option) == value
    assert type(getattr(config, option)) is type(value)
    assert f"{option} is {value}, from {variable}" in config.decisions


BAD_VALUES: list[tuple[str, object, str, str]] = [
    ("pool_size", 0, "0", "a whole number, 1 or more"),
    ("pool_size", True, "true", "a whole number, 1 or more"),
    ("pool_size", 2.0, "2.0", "a whole number, 1 or more"),
    ("pool_size", "20", "twenty", "a whole number, 1 or more"),
    ("pool_max_overflow", -1, "-1", "a whole number, 0 or more"),
    ("pool_max_overflow", False, "false", "a whole number, 0 or more"),
    ("transaction_idle_timeout", 0, "0", "a number of seconds above 0, at most a year"),
    ("pool_timeout", 0, "0", "a number of seconds above 0, at most a year"),
    ("pool_timeout", -1.0, "-1", "a number of seconds above 0, at most a year"),
    ("pool_timeout", True, "true", "a number of seconds above 0, at most a year"),
    ("pool_timeout", float("inf"), "inf", "a number of seconds above 0, at most a year"),
    ("pool_timeout", float("nan"), "nan", "a number of seconds above 0, at most a year"),
    ("pool_timeout", 10**400, "1e400", "a number of seconds above 0, at most a year"),
    ("pool_timeout", "30", "30s", "a number of seconds above 0, at most a year"),
    ("auto_migrate", 1, "2", "True or False"),
    ("auto_migrate", "yes", "maybe", "True or False"),
    ("existing_schema_mode", 0, "none", "True or False"),
]


@pytest.mark.parametrize(("option", "value", "text", "must_be"), BAD_VALUES)
def test_a_value_that_an_option_cannot_have_names_the_option(
    option: str, value: object, text: str, must_be: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{option} must be {must_be}$"):
        DataFlowConfig.resolve(None, {option: value})


@pytest.mark.parametrize(("option", "value", "text", "must_be"), BAD_VALUES)
def test_a_value_that_an_option_cannot_have_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, option: str, value: object, text: str, must_be: str
) -> None:
    variable = f"DATAFLOW_{option.upper()}"
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=f"^environment variable {variable} must be {must_be}$"):
        DataFlowConfig()


def test_a_whole_number_of_seconds_becomes_a_float() -> None:
    assert type(DataFlowConfig(pool_timeout=5).pool_timeout) is float


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("pool_sise", "; did you mean 'pool_size'?"),
        ("automigrate", "; did you mean 'auto_migrate'?"),
        ("databse_url", "; did you mean 'database_url'?"),
        ("read_replicas", "; did you mean 'read_replica'?"),
        ("monitoring", ""),
    ],
)
@pytest.mark.parametrize("value", [1, None])
def test_an_unknown_option_suggests_the_nearest_one(name: str, hint: str, value: object) -> None:
    with pytest.raises(UnknownOption) as caught:
        DataFlowConfig.resolve(None, {name: value})
    assert str(caught.value) == f"unknown option {name!r}{hint}"


def test_a_config_refuses_an_unknown_option_as_well() -> None:
    wrong: dict[str, Any] = {"pool_sise": 5}
    with pytest.raises(UnknownOption, match="did you mean 'pool_size'"):
        DataFlowConfig(**wrong)


# Which source comes first.


def test_an_argument_beats_a_config_and_a_config_beats_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("DATAFLOW_POOL_SIZE", "DATAFLOW_POOL_MAX_OVERFLOW", "DATAFLOW_POOL_TIMEOUT"):
        monkeypatch.setenv(variable, "7")
    given = DataFlowConfig(URL, pool_size=2, pool_max_overflow=0, analytics_db="sqlite:///a.db")
    config = DataFlowConfig.resolve(given, {"pool_size": 1, "analytics_db": "sqlite:///b.db"})
    assert (config.pool_size, config.pool_max_overflow, config.pool_timeout) == (1, 0, 7.0)
    assert config.database == given.database
    assert str(config.databases["analytics"]) == "sqlite:///b.db"


def test_an_argument_may_replace_the_url_of_a_config() -> None:
    assert (
        DataFlowConfig.resolve(DataFlowConfig("sqlite:///a.db"), {"database_url": URL}).database.host
        == "host"
    )


def test_none_says_nothing() -> None:
    given = DataFlowConfig(URL, pool_size=2, auto_migrate=False)
    options = {"database_url": None, "pool_size": None, "auto_migrate": None, "databases": None, "a_db": None}
    assert DataFlowConfig.resolve(given, options) == given
    assert DataFlowConfig.resolve(None, options) == DataFlowConfig()


def test_what_a_config_did_not_say_is_decided_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    given = DataFlowConfig()
    monkeypatch.setenv("DATABASE_URL", URL)
    assert DataFlowConfig.resolve(given, {}).database.host == "host"


def test_an_option_with_a_valid_value_hides_a_broken_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAFLOW_POOL_SIZE", "many")
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    assert DataFlowConfig(URL, pool_size=3).pool_size == 3


# Migrations.


@pytest.mark.parametrize("mode", ["production", " Production ", "prod"])
def test_in_production_nothing_migrates_by_itself(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("DATAFLOW_ENV", mode)
    config = DataFlowConfig(URL)
    assert config.auto_migrate is False
    assert config.decisions == ("auto_migrate is off, as DATAFLOW_ENV is production",)
    assert DataFlowConfig(URL, auto_migrate=True).auto_migrate is True


def test_outside_production_it_migrates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAFLOW_ENV", "staging")
    assert DataFlowConfig(URL).auto_migrate is True


@pytest.mark.parametrize(
    ("asked", "decisions"),
    [
        (None, ("auto_migrate is off, as existing_schema_mode is on",)),
        (True, ("auto_migrate is off, although it was asked for, as existing_schema_mode is on",)),
        (False, ()),
    ],
)
def test_an_existing_schema_is_never_migrated(asked: bool | None, decisions: tuple[str, ...]) -> None:
    config = DataFlowConfig(URL, auto_migrate=asked, existing_schema_mode=True)
    assert config.auto_migrate is False
    assert config.decisions == decisions


def test_leaving_the_existing_schema_mode_brings_migrations_back() -> None:
    given = DataFlowConfig(URL, existing_schema_mode=True)
    assert DataFlowConfig.resolve(given, {"existing_schema_mode": False}).auto_migrate is True


# It is a value.


def test_it_is_a_frozen_value() -> None:
    config = DataFlowConfig(URL, pool_size=2)
    with pytest.raises(FrozenInstanceError):
        config.pool_size = 3  # type: ignore[misc]
    with pytest.raises(TypeError, match="item assignment"):
        config.databases["x"] = config.database  # type: ignore[index]
    assert len({config, DataFlowConfig(URL, pool_size=2)}) == 1
    assert replace(config, pool_size=3) == DataFlowConfig(URL, pool_size=3)


def test_it_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    config = DataFlowConfig(analytics_db=URL)
    assert SHOWN in repr(config)
    assert repr(config).endswith("existing_schema_mode=False, enable_model_persistence=True)")
    assert CANARY not in f"{config} {config!r} {config.decisions} {config.databases}"
