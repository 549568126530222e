"""Connecting through TLS, or not at all: a server that cannot prove who it is gets no password."""

import asyncio
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dataflow.errors import AccessDenied, ConnectionLost
from dataflow.mysql.driver import MySQLConnection
from dataflow.mysql.errors import refused
from dataflow.mysql.options import MySQLOptions
from dataflow.mysql.testing import MySQL
from dataflow.testing.suite import server_of
from dataflow.url import DatabaseURL

WITHOUT_TLS = MySQL(settings=("loose-ssl=OFF", "tls-version="))  # MariaDB's way and MySQL's


@pytest.fixture(scope="module")
def authority() -> Iterator[Path]:
    """A folder with an authority, ``ca.pem``, and a certificate of it for the name localhost."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    # Python 3.13 takes nobody for an authority who does not say so.
    named = ("-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
    with TemporaryDirectory(prefix="dataflow-tls-") as name:
        folder = Path(name)
        (folder / "names").write_text("subjectAltName=DNS:localhost")
        for arguments in (
            ("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", *named),
            ("req", *key, "-keyout", "key.pem", "-out", "asked.pem", "-subj", "/CN=localhost"),
            ("x509", "-req", "-in", "asked.pem", "-out", "cert.pem", *signed),
        ):
            subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
        # The server may run as another user.
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def secure(authority: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    names = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    settings = tuple(f"ssl-{name}={authority / file}" for name, file in names.items())
    with server_of(MySQL(settings=settings), request).database() as url:
        yield url


@pytest.fixture(params=["asyncmy", "aiomysql"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def cipher(url: str) -> str:
    """How a connection is encrypted; empty where it is not."""

    async def main() -> str:
        connection = MySQLConnection(MySQLOptions.of(DatabaseURL.parse(url)), {}, lambda settings: None)
        await connection.open()
        ((_, name),) = (await connection.run("SHOW STATUS LIKE 'Ssl_cipher'", ())).rows
        await connection.close()
        return str(name)

    return asyncio.run(main())


@pytest.mark.parametrize("mode", ["required", "verify_ca", "verify_identity"])
def test_what_is_sent_is_encrypted(secure: str, authority: Path, driver: str, mode: str) -> None:
    url = secure.replace("127.0.0.1", "localhost")
    assert cipher(f"{url}?driver={driver}&ssl_mode={mode}&ssl_ca={authority}/ca.pem")
    assert not cipher(f"{url}?driver={driver}")


def test_a_certificate_of_another_authority_is_refused(secure: str, driver: str) -> None:
    with pytest.raises(ConnectionLost, match="check ssl_mode and the certificates"):
        cipher(f"{secure}?driver={driver}&ssl_mode=verify_ca")
    assert cipher(f"{secure}?driver={driver}&ssl_mode=required")


def test_a_certificate_for_another_name_is_refused(secure: str, authority: Path, driver: str) -> None:
    url = f"{secure}?driver={driver}&ssl_ca={authority}/ca.pem"
    with pytest.raises(ConnectionLost, match="check ssl_mode and the certificates"):
        cipher(url)
    assert cipher(f"{url}&ssl_mode=verify_ca")


def test_a_server_without_tls_is_not_spoken_to(request: pytest.FixtureRequest, driver: str) -> None:
    with server_of(WITHOUT_TLS, request).database() as url:
        assert not cipher(f"{url}?driver={driver}")
        with pytest.raises(ConnectionLost, match="TLS"):
            cipher(f"{url}?driver={driver}&ssl_mode=required")


def test_a_password_that_must_not_be_read_asks_for_tls() -> None:
    told = RuntimeError("'cryptography' package is required for sha256_password")
    assert isinstance(refused(told), AccessDenied)
    assert refused(RuntimeError("canary")) is None


def test_a_wrong_password_is_denied(url: str, driver: str) -> None:
    with pytest.raises(AccessDenied) as caught:
        cipher(f"{url.replace('root', 'root:canary')}?driver={driver}")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("way", [b"mysql_clear_password", b"dialog"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_server_that_is_not_known_gets_no_password_in_clear(driver: str, way: bytes, at_once: bool) -> None:
    received = bytearray()
    # Its words: protocol 41, databases, secure connections, plugins for logging in.
    abilities = 0x00088208

    def packet(number: int, body: bytes) -> bytes:
        return struct.pack("<I", len(body))[:3] + bytes([number]) + body

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = way if at_once else b"mysql_native_password"
        numbers = struct.pack("<HBHHB", abilities & 0xFFFF, 45, 2, abilities >> 16, 21)
        greeting = b"\x0a8.0.30\0" + struct.pack("<I", 1) + b"8letters\0" + numbers
        writer.write(packet(0, greeting + bytes(10) + b"12 letters..\0" + first + b"\0"))
        received.extend(await reader.read(4096))
        switch = b"\xfe" + way + b"\0" + (b"\x04Password: " if way == b"dialog" else b"")
        writer.write(packet(2, switch))
        received.extend(await reader.read(4096))
        writer.transport.abort()
        done.set()

    done = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = f"mysql://ann:canary@127.0.0.1:{port}/shop?driver={driver}&connect_timeout=2"
        connection = MySQLConnection(MySQLOptions.of(DatabaseURL.parse(url)), {}, lambda settings: None)
        try:
            with pytest.raises(AccessDenied, match="in clear"):
                await connection.open()
            await done.wait()
        finally:
            server.close()
            await server.wait_closed()

    asyncio.run(main())
    assert b"canary" not in received
