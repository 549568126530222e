"""TLS: each sslmode does what its name says, with a server whose certificate is made here."""

import asyncio
import gc
import os
import pwd
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from dataflow import DataFlow
from dataflow.errors import AccessDenied, ConnectionLost, InvalidURL
from dataflow.postgres.testing import Postgres
from dataflow.testing.suite import server_of
from dataflow.testing.waiting import wait_until
from dataflow.url import DatabaseURL

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")

ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

Address = Callable[..., str]


class Certificates(NamedTuple):
    """An authority, what it signed for a server called localhost and for a user, and an authority that nobody asked."""

    authority: Path
    server: Path
    server_key: Path
    user: Path
    user_key: Path
    stranger: Path


def openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def authority(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    made = ("-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", certificate)
    openssl("req", "-x509", "-days", "2", *made)
    return certificate, key


def signed(folder: Path, name: str, by: tuple[Path, Path]) -> tuple[Path, Path]:
    """A certificate for a name that an authority has signed, and its key."""
    request, certificate, key, names = (folder / f"{name}.{end}" for end in ("csr", "crt", "key", "names"))
    names.write_text(f"subjectAltName=DNS:{name}")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    authority = ("-CA", by[0], "-CAkey", by[1], "-CAcreateserial")
    openssl("x509", "-req", "-days", "2", "-in", request, *authority, "-extfile", names, "-out", certificate)
    return certificate, key


@pytest.fixture(scope="module")
def certificates() -> Iterator[Certificates]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = authority(folder, "authority")
        found = Certificates(
            own[0],
            *signed(folder, "localhost", own),
            *signed(folder, "postgres", own),
            authority(folder, "stranger")[0],
        )
        folder.chmod(0o755)
        if os.geteuid() == 0:  # the server, which is not root, must own its key
            with suppress(KeyError):
                shutil.chown(found.server_key, pwd.getpwnam("postgres").pw_name)
        yield found


@pytest.fixture
def address(certificates: Certificates, request: pytest.FixtureRequest) -> Iterator[Address]:
    """Makes URLs of a database on a server with TLS."""
    files = {
        "ssl_cert_file": certificates.server,
        "ssl_key_file": certificates.server_key,
        "ssl_ca_file": certificates.authority,
    }
    settings = ("ssl=on", *(f"{name}={file}" for name, file in files.items()))
    with server_of(Postgres(own=True, settings=settings), request).database() as url:

        def address(host: str = "localhost", **options: object) -> str:
            place = replace(DatabaseURL.parse(url), host=host)
            named = {name: str(value) for name, value in options.items()}
            return replace(place, options=named).get_connection_url()

        yield address


def is_encrypted(url: str) -> bool:
    with DataFlow(url) as db:
        answer: bool = db.run_sync(db.nodes.SQLNode(sql=ENCRYPTED))["records"][0]["ssl"]
        return answer


@pytest.mark.parametrize(
    ("mode", "encrypted"), [("disable", False), ("allow", False), ("prefer", True), ("require", True)]
)
def test_modes_that_check_nothing_take_any_certificate(address: Address, mode: str, encrypted: bool) -> None:
    assert is_encrypted(address("127.0.0.1", sslmode=mode)) is encrypted


def test_without_a_mode_a_server_that_offers_tls_gets_it(address: Address) -> None:
    assert is_encrypted(address())


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_modes_that_check_take_what_a_trusted_authority_has_signed(
    address: Address, certificates: Certificates, mode: str
) -> None:
    assert is_encrypted(address(sslmode=mode, sslrootcert=certificates.authority))


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_modes_that_check_refuse_what_nobody_trusted_has_signed(
    address: Address, certificates: Certificates, mode: str
) -> None:
    with pytest.raises(ConnectionLost, match="certificate is not trusted; see sslrootcert"):
        is_encrypted(address(sslmode=mode, sslrootcert=certificates.stranger))


def test_only_verify_full_asks_for_the_name_of_the_host(address: Address, certificates: Certificates) -> None:
    assert is_encrypted(address("127.0.0.1", sslmode="verify-ca", sslrootcert=certificates.authority))
    with pytest.raises(ConnectionLost, match="the host is the one that the certificate names"):
        is_encrypted(address("127.0.0.1", sslmode="verify-full", sslrootcert=certificates.authority))


def test_a_server_may_insist_on_tls_and_on_a_certificate_of_the_user(
    address: Address, certificates: Certificates
) -> None:
    usual = address(sslmode="require")
    own = {"sslcert": certificates.user, "sslkey": certificates.user_key}
    plain = address(sslmode="disable")
    with rules(usual, plain, "hostssl all all all cert"):
        with pytest.raises(AccessDenied, match="user or the password"):
            is_encrypted(plain)
        with pytest.raises(AccessDenied):
            is_encrypted(usual)
        assert is_encrypted(address(sslmode="allow", **own))
        assert is_encrypted(address(sslmode="verify-full", sslrootcert=certificates.authority, **own))


def test_a_login_that_is_refused_over_tls_leaves_no_socket_behind(address: Address) -> None:
    nowhere = replace(DatabaseURL.parse(address(sslmode="require")), database="nowhere").get_connection_url()

    async def log_in() -> None:
        async with DataFlow(nowhere) as db:
            await db.nodes.SQLNode(sql=ENCRYPTED)

    gc.collect()
    # The event loop ends at once, mostly before the server has ended its side of TLS.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(40):
            with pytest.raises(AccessDenied, match="no such database"):
                asyncio.run(log_in())
            gc.collect()
    assert [str(warning.message) for warning in caught] == []


def answers(url: str) -> bool:
    try:
        return not is_encrypted(url)
    except AccessDenied:
        return False


@contextmanager
def rules(url: str, plain: str, line: str) -> Iterator[None]:
    """Let nobody in but as a line says, and so nobody without TLS."""
    with DataFlow(url, pool_size=1) as db:

        def ask(sql: str, **values: str) -> str:
            return str(db.run_sync(db.nodes.SQLNode(sql=sql, **values))["records"][0]["it"])

        def write(text: str, lets_in_without_tls: bool) -> None:
            made = ask("SELECT lo_from_bytea(0, convert_to(:text, 'UTF8'))::text AS it", text=text)
            ask("SELECT lo_export(CAST(CAST(:made AS text) AS oid), :file) AS it", made=made, file=file)
            ask("SELECT pg_reload_conf() AS it")
            wait_until(lambda: answers(plain) is lets_in_without_tls, lambda: TimeoutError("no new rules"))

        file = ask("SELECT current_setting('hba_file') AS it")
        usual = ask("SELECT pg_read_file(current_setting('hba_file')) AS it")
        write(f"{line}\n", lets_in_without_tls=False)
        try:
            yield
        finally:
            write(usual, lets_in_without_tls=True)


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey"])
def test_a_file_that_is_not_there_is_told(address: Address, name: str) -> None:
    with pytest.raises(InvalidURL, match=f"{name} of a PostgreSQL URL cannot be read: No such file"):
        is_encrypted(address(sslmode="require", **{name: "/nowhere/canary"}))


def test_whom_to_trust_must_be_said(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InvalidURL, match="needs to know whom to trust"):
        is_encrypted(address(sslmode="verify-full"))


def test_a_server_without_tls_is_told(url: str) -> None:
    with pytest.raises(ConnectionLost, match="offers no TLS"):
        is_encrypted(f"{url}?sslmode=require")
