"""Database URLs: what they mean, what they show, and what is refused."""

import copy
import pickle
import re
import string
import traceback
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dataflow.errors import InvalidURL
from dataflow.url import DatabaseURL

CANARY = "c4n4ry"


def parts(text: str) -> tuple[str, str | None, str | None, str | None, int | None, str | None]:
    url = DatabaseURL.parse(text)
    return url.scheme, url.username, url.password, url.host, url.port, url.database


# The examples of the seeds.


def test_a_password_with_a_hash_and_a_dollar() -> None:
    text = "postgresql://admin:MySecret#123$@localhost:5432/mydb"
    assert parts(text) == ("postgresql", "admin", "MySecret#123$", "localhost", 5432, "mydb")


def test_a_password_with_an_at_sign() -> None:
    text = "postgresql://user:P@ssw0rd!@db.example.com:5432/production"
    assert parts(text) == ("postgresql", "user", "P@ssw0rd!", "db.example.com", 5432, "production")


def test_a_password_with_a_question_mark() -> None:
    text = "mysql://service:Complex$ecret?@mysql.internal:3306/analytics"
    assert parts(text) == ("mysql", "service", "Complex$ecret?", "mysql.internal", 3306, "analytics")


def test_a_password_with_a_hash() -> None:
    text = "postgresql://readonly:temp#pass@replica.host:5432/reports"
    assert parts(text) == ("postgresql", "readonly", "temp#pass", "replica.host", 5432, "reports")


def test_a_password_of_a_replica_with_an_at_sign() -> None:
    text = "postgresql://readonly:Complex@Pass!@replica:5432/production"
    assert parts(text) == ("postgresql", "readonly", "Complex@Pass!", "replica", 5432, "production")


def test_an_odd_password_without_a_port() -> None:
    text = "postgresql://admin:MySecret#123$@localhost/db"
    assert parts(text) == ("postgresql", "admin", "MySecret#123$", "localhost", None, "db")


def test_a_percent_encoded_password_is_decoded() -> None:
    text = "postgresql://admin:MySecret%23123%24@localhost/db"
    assert parts(text) == ("postgresql", "admin", "MySecret#123$", "localhost", None, "db")


def test_a_url_without_anything_odd() -> None:
    text = "postgresql://username:password@localhost:5432/database_name"
    assert parts(text) == ("postgresql", "username", "password", "localhost", 5432, "database_name")


def test_options_follow_the_question_mark() -> None:
    text = "mysql://user:pass@host:3306/db_name?charset=utf8mb4"
    assert parts(text) == ("mysql", "user", "pass", "host", 3306, "db_name")
    assert DatabaseURL.parse(text).options == {"charset": "utf8mb4"}


def test_the_sqlite_example_is_a_relative_path() -> None:
    assert parts("sqlite:///path/to/database.db") == ("sqlite", None, None, None, None, "path/to/database.db")


# Users and passwords.


@pytest.mark.parametrize(
    ("user_info", "username", "password"),
    [
        ("ann", "ann", None),
        ("ann:", "ann", ""),
        (":secret", None, "secret"),
        ("", None, None),
        ("ann:a:b", "ann", "a:b"),
        ("ann:a/b", "ann", "a/b"),
        ("ann:@/?#:[]", "ann", "@/?#:[]"),
        ("ann:p@host/db?x=y", "ann", "p@host/db?x=y"),
        ("ann:100%", "ann", "100%"),
        ("ann:%zz%4", "ann", "%zz%4"),
        ("ann:%2541", "ann", "%41"),
        ("ann:%C3%A9 é 🔑", "ann", "é é 🔑"),
        ("ann: space and\nline ", "ann", " space and\nline "),
        ("ann@server:secret", "ann@server", "secret"),
        ("ann#1:secret", "ann#1", "secret"),
        ("d%3Aann:secret", "d:ann", "secret"),
    ],
)
def test_the_last_at_sign_ends_the_user_information(
    user_info: str, username: str | None, password: str | None
) -> None:
    assert parts(f"postgresql://{user_info}@host/db") == (
        "postgresql", username, password, "host", None, "db",
    )  # fmt: skip


def test_a_password_with_a_slash_needs_no_database_behind_it() -> None:
    assert parts("postgresql://ann:a@b/c@host") == ("postgresql", "ann", "a@b/c", "host", None, None)


# Hosts, ports, databases, options.


@pytest.mark.parametrize(
    ("location", "host", "port", "database", "options"),
    [
        ("host", "host", None, None, {}),
        ("host/", "host", None, None, {}),
        ("host:5432", "host", 5432, None, {}),
        ("host:/db", "host", None, "db", {}),
        ("my_host-1.lan/db", "my_host-1.lan", None, "db", {}),
        ("bücher.example/db", "bücher.example", None, "db", {}),
        ("[::1]:5432/db", "::1", 5432, "db", {}),
        ("[::1]", "::1", None, None, {}),
        ("[::ffff:10.0.0.1]/db", "::ffff:10.0.0.1", None, "db", {}),
        ("[fe80::1%25eth0]:1/db", "fe80::1%eth0", 1, "db", {}),
        ("%2Fvar%2Frun%2Fpg/db", "/var/run/pg", None, "db", {}),
        ("/db?host=/var/run", None, None, "db", {"host": "/var/run"}),
        (":5433/db", None, 5433, "db", {}),
        ("host/a/b", "host", None, "a/b", {}),
        ("host/my db#1", "host", None, "my db#1", {}),
        ("host/a%3Fb%40c", "host", None, "a?b@c", {}),
        ("host?a=b", "host", None, None, {"a": "b"}),
        ("host/db?", "host", None, "db", {}),
        ("host/db?a=&b=c=d&", "host", None, "db", {"a": "", "b": "c=d"}),
        ("host/db?a=x+y%20z%26&b=?/", "host", None, "db", {"a": "x+y z&", "b": "?/"}),
        ("host/db?mail=ann%40example.org", "host", None, "db", {"mail": "ann@example.org"}),
    ],
)
@pytest.mark.parametrize("user_info", ["", "ann:secret@"])
def test_what_follows_the_user_information(
    user_info: str,
    location: str,
    host: str | None,
    port: int | None,
    database: str | None,
    options: Mapping[str, str],
) -> None:
    url = DatabaseURL.parse(f"postgresql://{user_info}{location}")
    assert (url.host, url.port, url.database, url.options) == (host, port, database, options)


def test_without_a_host_an_option_may_hold_an_at_sign() -> None:
    url = DatabaseURL.parse("postgresql:///db?host=/run/a@b")
    assert (url.username, url.database, url.options) == (None, "db", {"host": "/run/a@b"})


def test_nothing_but_a_scheme_leaves_everything_to_the_dialect() -> None:
    assert parts("postgresql://") == ("postgresql", None, None, None, None, None)


def test_white_space_around_a_url_does_not_count() -> None:
    assert DatabaseURL.parse(" postgresql://host/db\r\n") == DatabaseURL.parse("postgresql://host/db")


def test_a_scheme_is_kept_in_lower_case() -> None:
    assert DatabaseURL.parse("Postgres://host/db").scheme == "postgres"


def test_an_unknown_scheme_is_a_matter_for_the_plugins() -> None:
    assert parts("duckdb:///:memory:") == ("duckdb", None, None, None, None, ":memory:")


# SQLite.


@pytest.mark.parametrize(
    ("text", "database"),
    [
        ("sqlite://", ":memory:"),
        ("sqlite:///", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite:///relative/path.db", "relative/path.db"),
        ("sqlite:////absolute/path.db", "/absolute/path.db"),
        ("sqlite:///C:/data/app.db", "C:/data/app.db"),
        (r"sqlite:///C:\data\app.db", r"C:\data\app.db"),
        ("sqlite:////home/ann@example.org/a.db", "/home/ann@example.org/a.db"),
        ("sqlite:///ann:secret@host/a.db", "ann:secret@host/a.db"),
        ("sqlite:///with spaces/#1 100%.db", "with spaces/#1 100%.db"),
        ("sqlite:///with%20spaces%3F.db", "with spaces?.db"),
    ],
)
def test_a_sqlite_url_names_a_file(text: str, database: str) -> None:
    assert parts(text) == ("sqlite", None, None, None, None, database)


def test_a_sqlite_url_may_have_options() -> None:
    url = DatabaseURL.parse("sqlite:///a@b.db?mode=ro&owner=x@y")
    assert (url.database, url.options) == ("a@b.db", {"mode": "ro", "owner": "x@y"})


# What is refused, and how.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: write sqlite:///"),
        ("  \n", "is empty: write sqlite:///"),
        ("app.db", "no scheme: write sqlite:///"),
        (r"C:\data\app.db", "no scheme: write sqlite:///"),
        ("C://data/app.db", "no scheme: write sqlite:///"),
        ("://host/db", "no scheme"),
        ("sqlite::memory:", "no scheme"),
        ("jdbc:postgresql://host/db", "no scheme"),
        (f"ann:{CANARY}@host/db", "no scheme"),
        (f"ann:{CANARY}://@host/db", "no scheme"),
        (f"'postgresql://ann:{CANARY}@host/db'", "no scheme"),
        (f"postgresql+asyncpg://ann:{CANARY}@host/db", "write postgresql:// without the [+]"),
        ("sqlite+aiosqlite:///a.db", "write sqlite:// without the [+]"),
        ("sqlite://a.db", "three slashes: write sqlite:///file.db"),
        ("sqlite://:memory:", "or sqlite:///:memory:"),
        ("sqlite:///with spaces?.db", "a [?] in the name of a database or file is written %3F"),
        (f"postgresql://ann:{CANARY}", "an @ must follow it"),
        (f"postgresql://ann:{CANARY}/db", "an @ must follow it"),
        (f"postgresql://ann:{CANARY}@host:port/db", "port .* whole number from 1 to 65535"),
        (f"postgresql://ann:{CANARY}@host:0/db", "port .* whole number from 1 to 65535"),
        (f"postgresql://ann:{CANARY}@host:65536/db", "port .* whole number from 1 to 65535"),
        (f"postgresql://ann:{CANARY}@host:-1/db", "port .* whole number from 1 to 65535"),
        (f"postgresql://ann:{CANARY}@host:٣/db", "port .* whole number from 1 to 65535"),
        (f"postgresql://ann:{CANARY}@host:{'9' * 5000}/db", "port .* whole number from 1 to 65535"),
        (f"postgresql://ann:{CANARY}@::1:5432/db", r"brackets: write \[::1\]:5432"),
        (f"postgresql://ann:{CANARY}@[{CANARY}]/db", "no IPv6 address"),
        (f"postgresql://ann:{CANARY}@a,b/db", "several hosts: write one"),
        (f"postgresql://ann:{CANARY}@a:1,b:2/db", "several hosts: write one"),
        (f"postgresql://ann:{CANARY}@two hosts/db", "character that no host has"),
        (f"postgresql:///ann:{CANARY}@host/db", "has two slashes"),
        (f"postgresql://ann/x:{CANARY}@host/db", "user name .* %2F"),
        ("postgresql://host/d@b", "and an @ behind the host, .* an option, %40"),
        (f"postgresql://ann:{CANARY}@host/db?mail=ann@b.org", "seems to stand in an option"),
        (f"postgresql://ann:{CANARY}@host?mail=ann@b.org", "seems to stand in an option"),
        (f"postgresql://ann:{CANARY}@[::1]:1/db?a=b&mail=ann@b.org", "seems to stand in an option"),
        ("postgresql://host/db?user=ann@server", "seems to stand in an option"),
        ("postgresql://host:5432/db?mail=ann@b.org", "seems to stand in an option"),
        (f"postgresql://ann:{CANARY}@host/db?a=x@y&b=z", "seems to stand in an option"),
        (f"postgresql://ann:{CANARY}@host/db?{CANARY}", "must be name=value"),
        (f"postgresql://ann:{CANARY}@host/db?={CANARY}", "an option of a database URL must have a name"),
        (f"postgresql://host/db?password={CANARY}&password={CANARY}", "an option twice"),
        (f"postgresql://ann:{CANARY}%FF@host/db", "not UTF-8"),
        (f"postgresql://ann:{CANARY}\udcff@host/db", "not UTF-8"),
        (f"postgresql://ann:{CANARY}%00@host/db", "NUL"),
        ("postgresql://host/db?a=%00", "NUL"),
        ("sqlite:///a%00.db", "NUL"),
    ],
)
def test_a_bad_url_is_refused_without_showing_the_password(text: str, message: str) -> None:
    with pytest.raises(InvalidURL, match=message) as caught:
        DatabaseURL.parse(text)
    shown = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value.args)
    assert CANARY not in shown
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "bad",
    [
        {"scheme": "PostgreSQL"},
        {"scheme": "a b"},
        {"port": 0},
        {"port": 65536},
        {"scheme": "sqlite"},
        {"host": "a\0b"},
        {"options": {"": "x"}},
        {"options": {"x": "\ud800"}},
    ],
)
def test_a_url_that_is_made_by_hand_is_checked_too(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidURL):
        replace(DatabaseURL("postgresql", host="host"), **bad)


# What it shows.


@pytest.mark.parametrize("password", [CANARY, f"@{CANARY}/?#", ""])
def test_it_never_shows_its_password(password: str) -> None:
    url = DatabaseURL.parse(f"postgresql://ann:{password}@host:1/db?a=b")
    assert str(url) == "postgresql://ann:***@host:1/db?a=b"
    assert repr(url) == "DatabaseURL('postgresql://ann:***@host:1/db?a=b')"
    assert f"{url} {url!r} {[url]}".count(CANARY) == 0


@pytest.mark.parametrize(
    "name", ["password", "PASSWD", "sslpassword", "pwd", "client_secret", "auth_token", "key"]
)
def test_it_does_not_show_the_secrets_among_its_options(name: str) -> None:
    url = DatabaseURL.parse(f"postgresql://host/db?{name}={CANARY}&x=1")
    assert str(url) == f"postgresql://host/db?{name}=***&x=1"
    assert url.get_connection_url() == f"postgresql://host/db?{name}={CANARY}&x=1"


def test_without_a_password_nothing_is_masked() -> None:
    assert str(DatabaseURL.parse("postgresql://ann@host/db")) == "postgresql://ann@host/db"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:p%40ss%2Fw%23rd%3F@host:5432/db?application_name=a%20b%2Bc",
        "postgresql://ann:@[::1]:5432/db",
        "postgresql://[fe80::1%25eth0]/db",
        "postgresql:///db?host=%2Fvar%2Frun",
        "postgresql://%2Fvar%2Frun/db",
        "postgresql://",
        "sqlite:///:memory:",
        "sqlite:////home/ann@example.org/a%20b%3Fc%23d%25.db?mode=ro",
    ],
)
def test_the_connection_url_is_percent_encoded(text: str) -> None:
    assert DatabaseURL.parse(text).get_connection_url() == text


# It is a value.


def test_it_is_a_frozen_value() -> None:
    url = DatabaseURL.parse("postgresql://host/db?a=b")
    with pytest.raises(FrozenInstanceError):
        url.host = "other"  # type: ignore[misc]
    with pytest.raises(TypeError, match="item assignment"):
        url.options["a"] = "c"  # type: ignore[index]


def test_equal_urls_are_one_key() -> None:
    one = DatabaseURL.parse("postgresql://ann:p@ss@host/db?a=b&c=d")
    other = DatabaseURL.parse("postgresql://ann:p%40ss@host/db?c=d&a=b")
    assert one == other
    assert len({one, other}) == 1
    assert one != replace(other, options={})


def test_it_keeps_its_options_when_their_source_changes() -> None:
    options = {"a": "b"}
    url = DatabaseURL("postgresql", options=options)
    options["a"] = "c"
    assert url.options == {"a": "b"}


def test_it_can_be_copied_and_pickled() -> None:
    url = DatabaseURL.parse("postgresql://ann:secret@host:1/db?a=b")
    assert copy.deepcopy(url) == url
    assert pickle.loads(pickle.dumps(url)) == url


# Whatever is generated.

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
odd_texts = st.text("#$@?!/:%&=[]+ \\'\"é\n\t" + "0aF")
passwords = (texts | odd_texts).filter(lambda text: not re.search(r"%[0-9A-Fa-f]{2}", text))
names = st.text(string.ascii_letters + string.digits + "_-.", min_size=1)
ports = st.none() | st.integers(1, 65535)


@given(names, passwords, names, ports, names)
@example("ann", "@/?#:@", "host", None, "db")
@example("ann", "x@host/db?a=b", "host", 1, "db")
def test_any_raw_password_is_understood(
    user: str, password: str, host: str, port: int | None, database: str
) -> None:
    location = host if port is None else f"{host}:{port}"
    text = f"postgresql://{user}:{password}@{location}/{database}"
    assert parts(text) == ("postgresql", user, password, host, port, database)


@given(names, st.text("#$@?!/:" + string.ascii_letters + string.digits), names, ports)
def test_any_raw_password_of_the_promised_characters_needs_no_database(
    user: str, password: str, host: str, port: int | None
) -> None:
    location = host if port is None else f"{host}:{port}"
    text = f"postgresql://{user}:{password}@{location}"
    assert parts(text) == ("postgresql", user, password, host, port, None)


maybe = st.none() | texts | odd_texts
ipv6 = st.ip_addresses(v=6).map(str)
options = st.dictionaries((texts | odd_texts).filter(bool), texts | odd_texts, max_size=3)
servers = st.builds(
    DatabaseURL,
    scheme=st.sampled_from(["postgresql", "postgres", "mysql", "x-1.y"]),
    username=maybe,
    password=maybe,
    host=maybe | ipv6,
    port=ports,
    database=maybe,
    options=options,
)
files = st.builds(DatabaseURL, scheme=st.just("sqlite"), database=maybe, options=options)


@given(servers | files)
@example(DatabaseURL("postgresql", host="a:b:c%]"))
@example(DatabaseURL("postgresql", host="::1%\n"))
@example(DatabaseURL("postgresql", password=""))
@example(DatabaseURL("postgresql", database="/"))
@example(DatabaseURL("sqlite", database="/ "))
def test_the_connection_url_parses_back(url: DatabaseURL) -> None:
    assert DatabaseURL.parse(url.get_connection_url()) == url


@given(servers)
def test_a_standard_parser_reads_the_connection_url(url: DatabaseURL) -> None:
    assume(url.host is None or url.host.isascii())
    read = urlsplit(url.get_connection_url())
    assert read.scheme == url.scheme
    assert unquote(read.username or "") == (url.username or "")
    assert unquote(read.password or "") == (url.password or "")
    assert unquote(read.hostname or "").lower() == (url.host or "").lower()
    assert read.port == url.port
    assert unquote(read.path) == (f"/{url.database}" if url.database else "")


@given(servers | files)
def test_what_it_shows_does_not_depend_on_its_password(url: DatabaseURL) -> None:
    other = url if url.password is None else replace(url, password="another")
    assert str(url) == str(other)
    assert repr(url) == repr(other)


@given(texts | odd_texts.map("postgresql://".__add__))
def test_any_text_is_a_url_or_an_invalid_url(text: str) -> None:
    try:
        url = DatabaseURL.parse(text)
    except InvalidURL:
        return
    assert DatabaseURL.parse(url.get_connection_url()) == url
