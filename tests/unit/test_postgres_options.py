"""What the URL of a PostgreSQL database says."""

import pytest

from dataflow.errors import InvalidURL
from dataflow.postgres.options import PostgresOptions
from dataflow.url import DatabaseURL

OF_EVERY_SESSION = {"timezone": "UTC", "standard_conforming_strings": "on"}


def options(url: str) -> PostgresOptions:
    return PostgresOptions.of(DatabaseURL.parse(url))


def test_what_a_url_leaves_out_is_left_to_the_driver() -> None:
    arguments = options("postgresql:///shop").arguments()
    assert [arguments[name] for name in ("host", "port", "user", "password", "dsn")] == [None] * 5
    assert (arguments["database"], arguments["timeout"], arguments["command_timeout"]) == ("shop", 10.0, None)
    assert arguments["server_settings"] == {"application_name": "dataflow", **OF_EVERY_SESSION}


def test_every_option_reaches_the_driver() -> None:
    arguments = options(
        "postgres://ann:p%40ss@host:5433/shop?connect_timeout=2.5&timeout=30&application_name=till&schema=a%22b"
        "&statement_cache=0&sslmode=verify-ca&sslrootcert=/etc/a b.crt"
    ).arguments()
    assert arguments == {
        "dsn": "postgresql:///?sslmode=verify-ca&sslrootcert=%2Fetc%2Fa+b.crt",
        "host": "host",
        "port": 5433,
        "user": "ann",
        "password": "p@ss",
        "database": "shop",
        "timeout": 2.5,
        "command_timeout": 30.0,
        "statement_cache_size": 0,
        "max_cached_statement_lifetime": 0,
        "server_settings": {"application_name": "till", **OF_EVERY_SESSION, "search_path": '"a""b"'},
    }


def test_a_socket_is_the_host() -> None:
    assert options("postgresql:///shop?host=/var/run/postgresql").host == "/var/run/postgresql"


def test_a_password_is_not_shown() -> None:
    assert "canary" not in repr(options("postgresql://ann:canary@host/shop?sslpassword=canary"))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sslmod=require", "did you mean 'sslmode'"),
        ("sslmode=canary", "sslmode .* is one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("host=other", "names its host once"),
        ("timeout=0", "timeout .* number of seconds"),
        ("timeout=canary", "timeout .* number of seconds"),
        ("timeout=nan", "timeout .* number of seconds"),
        ("connect_timeout=90000", "connect_timeout .* number of seconds"),
        ("statement_cache=-1", "statement_cache .* whole number"),
        ("statement_cache=10001", "statement_cache .* whole number"),
        ("statement_cache=\u0663", "statement_cache .* whole number"),
    ],
)
def test_what_makes_no_sense_is_refused_and_not_repeated(query: str, message: str) -> None:
    with pytest.raises(InvalidURL, match=message) as caught:
        options(f"postgresql://host/shop?{query}")
    assert "canary" not in str(caught.value)
