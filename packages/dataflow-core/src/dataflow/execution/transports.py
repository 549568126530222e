"""Closing a connection to a server where its event loop does not run, and so cannot do it."""

from contextlib import suppress
from typing import Any

__all__ = ["drop"]


def drop(transport: Any) -> None:
    """Close the socket of a transport at once, without a word to the server; its event loop is stopped or closed.

    There is no public way. What asyncio would do in its loop is done here; a transport of another make is aborted.
    """
    inner = transport
    while (protocol := getattr(inner, "_ssl_protocol", None)) is not None:
        inner = protocol._transport
    if inner is None or getattr(inner, "_sock", None) is None:
        with suppress(Exception):
            transport.abort()
        return
    # A loop that was stopped, and may go on, must not look at the socket any more.
    with suppress(Exception):
        inner._closing = True
        inner._loop._remove_reader(inner._sock_fd)
        inner._loop._remove_writer(inner._sock_fd)
    with suppress(Exception):
        inner._call_connection_lost(None)
