"""What the URL of a MySQL server may say, and how values are written into statements."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from dataflow.errors import ConfigurationError, InvalidURL
from dataflow.mysql.flavors import MARIADB, MYSQL, read_version
from dataflow.mysql.literals import Members, interpolated, literal
from dataflow.mysql.options import MySQLOptions
from dataflow.url import DatabaseURL


def options(text: str) -> MySQLOptions:
    return MySQLOptions.of(DatabaseURL.parse(text))


def test_a_url_that_says_nothing_more_leads_to_this_machine() -> None:
    read = options("mysql:///shop")
    assert (read.host, read.port, read.user, read.database) == ("localhost", 3306, "root", "shop")
    assert (read.connect_timeout, read.timeout, read.unix_socket, read.tls) == (10.0, None, None, None)


def test_a_password_is_not_shown() -> None:
    assert "canary" not in repr(options("mysql://ann:canary@host/shop"))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("timeot=1", "did you mean 'timeout'"),
        ("charset=latin1", "no option 'charset'"),
        ("timeout=0", "number of seconds"),
        ("connect_timeout=x", "number of seconds"),
        ("timeout=nan", "number of seconds"),
        ("driver=mysqldb", "asyncmy, aiomysql"),
        ("ssl_mode=preferred", "disabled, required"),
        ("ssl_mode=disabled&ssl_ca=/ca.pem", "need TLS"),
        ("ssl_key=/key.pem", "belongs to an ssl_cert"),
        ("ssl_ca=/no/such/file", "cannot be read: No such file"),
    ],
)
def test_what_makes_no_sense_is_refused(query: str, message: str) -> None:
    with pytest.raises(InvalidURL, match=message):
        options(f"mysql://host/shop?{query}")


@pytest.mark.parametrize(("mode", "checks_name"), [("required", False), ("verify_identity", True)])
def test_tls_checks_what_was_asked_for(mode: str, checks_name: bool) -> None:
    context = options(f"mysql://host/shop?ssl_mode={mode}").tls
    assert context is not None
    assert context.check_hostname is checks_name


@pytest.mark.parametrize(
    ("version", "flavor"),
    [
        ("8.0.19", MYSQL),
        ("9.7.4-2", MYSQL),
        ("10.6.0-MariaDB", MARIADB),
        ("5.5.5-10.11.19-MariaDB-0+deb12u1", MARIADB),
    ],
)
def test_servers_are_told_apart(version: str, flavor: object) -> None:
    assert read_version(version) is flavor


@pytest.mark.parametrize("version", ["8.0.18", "5.7.44", "10.5.9-MariaDB", "something else"])
def test_a_server_that_is_too_old_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError, match="or newer"):
        read_version(version)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (True, "1"),
        (-5, "-5"),
        (0.1, "0.1e0"),
        (1e300, "1e+300"),
        ("it's \\ \n", "'it\\'s \\\\ \n'"),
        (b"\x00\xff", "X'00ff'"),
        (Decimal("1E+5"), "100000."),
        (Decimal("-1.50"), "-1.50"),
        (datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "TIMESTAMP'2024-01-02 03:04:05.000006'"),
        (datetime(2024, 1, 2, 3, tzinfo=timezone(timedelta(hours=1))), "TIMESTAMP'2024-01-02 02:00:00'"),
        (date(1, 1, 1), "DATE'0001-01-01'"),
        (time(1, 2, 3), "TIME'01:02:03.000000'"),
        (timedelta(days=-1), "-86400000000"),
        (UUID(int=255), "X'000000000000000000000000000000ff'"),
        (Members((1, "a")), "(1, 'a')"),
        (Members(), "(SELECT 1 FROM DUAL WHERE FALSE)"),
    ],
)
def test_a_value_is_written_so_that_nothing_in_it_is_sql(value: object, text: str) -> None:
    assert literal(value) == text


def test_a_percent_sign_of_a_value_is_no_placeholder() -> None:
    assert interpolated("a = %s AND b LIKE '100%%'", ["%s"]) == "a = '%s' AND b LIKE '100%'"
