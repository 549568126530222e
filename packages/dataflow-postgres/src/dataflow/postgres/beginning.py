"""A transaction that begins with its first statement: both travel together, which spares a trip to the server."""

import select
from typing import Any

__all__ = ["Silence", "write_begin"]


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


UNNAMED = b"\0"
"""The name of a statement and of a portal that have none."""

BEGIN = (
    _message(b"P", UNNAMED + b"BEGIN\0" + bytes(2))
    + _message(b"B", UNNAMED + UNNAMED + bytes(6))
    + _message(b"E", UNNAMED + bytes(4))
)
"""Parse, Bind and Execute without a Sync: the server goes on with what follows, and skips it if this fails."""


class Silence:
    """Tells whether there is anything from a server that nobody has read yet, such as that it ends the connection.

    :param transport: of the connection.
    """

    def __init__(self, transport: Any) -> None:
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def holds(self) -> bool:
        """Whether there is nothing."""
        return not self._poll.poll(0)


def write_begin(raw: Any) -> None:
    """Say that a transaction begins; the answer comes with that to the next statement, which has a name."""
    raw._transport.write(BEGIN)
