"""The driver with one face: asyncmy where it is installed, else aiomysql. No other module imports either.

Both stem from PyMySQL and read the protocol alike. What is used of them beyond their cursors stands here and in
:mod:`dataflow.mysql.driver`: ``query``, ``next_result`` and the result that they leave behind.
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from dataflow.errors import AccessDenied, ConfigurationError, ConnectionLost
from dataflow.mysql.options import DRIVERS, MySQLOptions

__all__ = ["Client", "asks_for_a_file", "client"]

FOUND_ROWS = 2
"""The client's flag that an UPDATE counts the rows that it meets and not only those that it changes."""

LOCAL_FILES = 128
"""The client's flag that a server may ask for a file. The drivers give none; see :meth:`Client.upload`."""

QUIT = b"\x01\x00\x00\x00\x01"
QUERY = 3
MORE_RESULTS = 8
"""The flag in the server's status that the answer to another statement follows."""

BYTES_PER_PACKET = 1 << 16

IN_CLEAR = frozenset({"dialog", "mysql_clear_password"})
"""The ways to log in for which the drivers send the password as it is, to whoever asks."""

# What is not here arrives as text or, of binary columns, as bytes; the codecs know better what it is.
CONVERTERS: dict[int, Callable[[Any], Any]] = {
    **dict.fromkeys((1, 2, 3, 8, 9, 13), int),
    **dict.fromkeys((4, 5), float),
}


class Client(NamedTuple):
    """A driver.

    :param make: makes a connection that is not open, of keywords.
    :param open: opens it.
    :param transport: its transport, while it is open.
    :param read_packet: reads a packet of the protocol.
    :param drain: waits until what was written is on its way.
    :param error: the base of all its errors.
    """

    name: str
    make: Callable[..., Any]
    open: Callable[[Any], Awaitable[object]]
    transport: Callable[[Any], Any]
    read_packet: Callable[[Any], Awaitable[Any]]
    drain: Callable[[Any], Awaitable[object]]
    error: type[Exception]

    def connection(self, options: MySQLOptions) -> Any:
        """A connection that is not open, for whoever is on an event loop."""
        raw = self.make(
            host=options.host,
            port=options.port,
            user=options.user,
            # The drivers would write it in Latin-1, which has not all letters.
            password=options.password.encode().decode("latin-1"),
            db=options.database,
            unix_socket=options.unix_socket,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=options.connect_timeout,
            ssl=options.tls,
            client_flag=FOUND_ROWS | LOCAL_FILES,
            conv=CONVERTERS,
            program_name="dataflow",
        )
        raw.knows_the_server = options.knows_the_server
        return raw

    async def query(self, raw: Any, text: str) -> list[Any]:
        """Run the text of one statement or several; the driver's result of each."""
        await raw.query(text)
        results = [raw._result]
        while results[-1].has_next:
            await raw.next_result()
            results.append(raw._result)
        return results

    async def upload(self, raw: Any, text: str, blocks: Iterator[bytes]) -> tuple[int, int]:
        """Run the text of statements without rows, one of which reads a file; it gets the blocks, whatever it names.

        :returns: of the last statement how many rows it has stored, and how many warnings there are.
        """
        await raw._execute_command(QUERY, text)
        while True:
            packet = await self.read_packet(raw)
            if packet.is_load_local_packet():
                await self._send(raw, blocks)
                continue
            if not packet.is_ok_packet():
                raise ConnectionLost("the server answered with something that was not asked for")
            rows, warnings, raw.server_status = _read_ok(packet)
            if not raw.server_status & MORE_RESULTS:
                return rows, warnings

    async def _send(self, raw: Any, blocks: Iterator[bytes]) -> None:
        for block in blocks:
            for start in range(0, len(block), BYTES_PER_PACKET):
                raw.write_packet(block[start : start + BYTES_PER_PACKET])
                await self.drain(raw)
        raw.write_packet(b"")

    def leave(self, raw: Any) -> None:
        """Take leave of the server, and close the socket without waiting."""
        transport = self.transport(raw)
        if transport is not None and not transport.is_closing():
            transport.write(QUIT)
            # The end of TLS would be negotiated, for longer than the event loop may live.
            transport.abort()
        self.forget(raw)

    @staticmethod
    def forget(raw: Any) -> None:
        """Have the driver think that the connection is closed, so that it does nothing when it is collected."""
        if hasattr(raw, "_writer"):
            raw._writer = raw._reader = None
        else:
            raw._transport = None
            raw._connected = False


@cache
def client(name: str | None) -> Client:
    """The driver of a name, or the fastest that is installed.

    :raises ConfigurationError: where it is not.
    """
    missing = None
    for candidate in DRIVERS if name is None else (name,):
        try:
            return _MAKERS[candidate]()
        except ModuleNotFoundError as error:
            missing = error
    extra = "[asyncmy]" if name == "asyncmy" else ""
    raise ConfigurationError(
        f"the driver {name or DRIVERS[-1]} is not installed: pip install 'dataflow-mysql{extra}'"
    ) from missing


def asks_for_a_file(error: BaseException) -> bool:
    """Whether the driver says so of a server that asks for a file where none was announced."""
    return isinstance(error, RuntimeError) and "LOAD_LOCAL" in str(error)


def _read_ok(packet: Any) -> tuple[int, int, int]:
    """Of the packet that ends a statement: its number of rows, that of its warnings, and the server's status."""
    packet.advance(1)
    rows: int = packet.read_length_encoded_integer()
    packet.read_length_encoded_integer()
    status: int = packet.read_uint16()
    return rows, packet.read_uint16(), status


def _check_way(way: str, *, knows_the_server: bool) -> None:
    if way in IN_CLEAR and not knows_the_server:
        raise AccessDenied(
            f"the server asks for the password in clear ({way}), and may be another one than it says: "
            "set ssl_mode=verify_identity or unix_socket"
        )


def _asyncmy() -> Client:
    module: Any = import_module("asyncmy.connection")
    errors: Any = import_module("asyncmy.errors")

    class Connection(module.Connection):  # type: ignore[misc]
        """Tells the password in clear to nobody whom it does not know."""

        async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
            _check_way(plugin_name.decode("latin-1"), knows_the_server=self.knows_the_server)
            return await super()._process_auth(plugin_name, auth_packet)

    return Client(
        "asyncmy",
        Connection,
        lambda raw: raw.connect(),
        lambda raw: raw._transport,
        lambda raw: raw.read_packet(),
        lambda raw: raw._proto.drain(),
        errors.MySQLError,
    )


def _aiomysql() -> Client:
    module: Any = import_module("aiomysql.connection")
    errors: Any = import_module("pymysql.err")
    constants: Any = import_module("pymysql.constants.CLIENT")

    class Connection(module.Connection):  # type: ignore[misc]
        """Refuses to go on without TLS where it was asked for, and to tell the password in clear to anybody."""

        async def _request_authentication(self) -> None:
            if self._ssl_context is not None and not self.server_capabilities & constants.SSL:
                raise ConnectionLost("the server offers no TLS; set ssl_mode=disabled to do without")
            _check_way(self._server_auth_plugin, knows_the_server=self.knows_the_server)
            await super()._request_authentication()

        async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
            _check_way(plugin_name.decode("latin-1"), knows_the_server=self.knows_the_server)
            return await super()._process_auth(plugin_name, auth_packet)

    return Client(
        "aiomysql",
        Connection,
        lambda raw: raw._connect(),
        lambda raw: None if raw._writer is None else raw._writer.transport,
        lambda raw: raw._read_packet(),
        lambda raw: raw._writer.drain(),
        errors.MySQLError,
    )


_MAKERS: dict[str, Callable[[], Client]] = {"asyncmy": _asyncmy, "aiomysql": _aiomysql}
