"""What a URL says of an SQLite database."""

import pytest

from dataflow.errors import InvalidURL
from dataflow.sqlite.options import SQLiteOptions
from dataflow.url import DatabaseURL


def read(text: str, *, existing: bool = False) -> SQLiteOptions:
    return SQLiteOptions.of(DatabaseURL.parse(text), existing=existing)


@pytest.mark.parametrize(
    ("url", "path", "in_memory"),
    [
        ("sqlite:///:memory:", ":memory:", True),
        ("sqlite://", ":memory:", True),
        ("sqlite:///", ":memory:", True),
        ("sqlite:///shop.db", "shop.db", False),
        ("sqlite:////var/shop.db", "/var/shop.db", False),
        ("sqlite:///a%20b/%3F%23.db", "a b/?#.db", False),
        ("sqlite:///ann@home.db", "ann@home.db", False),
    ],
)
def test_the_path_is_that_of_the_url(url: str, path: str, in_memory: bool) -> None:
    options = read(url)
    assert (options.path, options.in_memory) == (path, in_memory)


def test_defaults_are_safe() -> None:
    options = read("sqlite:///shop.db")
    assert (options.mode, options.timeout, options.synchronous, options.wal) == ("rwc", 5.0, "full", True)


@pytest.mark.parametrize(
    ("url", "existing", "wal"),
    [
        ("sqlite:///shop.db", False, True),
        ("sqlite:///shop.db", True, False),
        ("sqlite:///shop.db?mode=rw", False, True),
        ("sqlite:///shop.db?mode=ro", False, False),
        ("sqlite:///:memory:", False, False),
    ],
)
def test_the_journal_is_only_changed_where_that_is_allowed(url: str, existing: bool, wal: bool) -> None:
    assert read(url, existing=existing).wal is wal


def test_a_database_that_exists_is_not_made() -> None:
    assert read("sqlite:///shop.db", existing=True).mode == "rw"
    assert read("sqlite:///shop.db?mode=rwc", existing=True).mode == "rwc"


def test_options_are_read() -> None:
    options = read("sqlite:///shop.db?mode=rw&timeout=0.5&synchronous=normal")
    assert (options.mode, options.timeout, options.synchronous) == ("rw", 0.5, "normal")
    assert read("sqlite:///shop.db?timeout=0").timeout == 0
    assert read("sqlite:///shop.db?timeout=86400").timeout == 86400


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("mod=ro", "did you mean 'mode'"),
        ("timeouts=1", "did you mean 'timeout'"),
        ("cache=shared", "no option 'cache'"),
        ("mode=", "one of rwc, rw, ro"),
        ("mode=RO", "one of rwc, rw, ro"),
        ("timeout=", "number of seconds"),
        ("timeout=1s", "number of seconds"),
        ("timeout=inf", "number of seconds"),
        ("timeout=86401", "number of seconds"),
        ("synchronous=on", "one of full, normal, off"),
    ],
)
def test_options_that_make_no_sense_are_refused(query: str, message: str) -> None:
    with pytest.raises(InvalidURL, match=message):
        read(f"sqlite:///shop.db?{query}")
