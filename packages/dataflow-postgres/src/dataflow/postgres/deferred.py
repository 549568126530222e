"""Statements that travel with the one that follows them, which spares each of them a trip to the server."""

import select
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

__all__ = ["CAN_BE_DEFERRED", "DEFERRED", "Silence", "write"]

DEFERRED = ("SAVEPOINT ", "RELEASE SAVEPOINT ")
"""How those begin, besides the plain ``BEGIN``: they bring nothing, and whoever waits for them learns nothing."""

CAN_BE_DEFERRED = hasattr(select, "poll")
"""Whether the system tells cheaply what has arrived; Windows does not."""

UNNAMED = b"\0"
"""The name of a statement and of a portal that have none."""


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


def write(raw: Any, statements: Iterable[str]) -> None:
    """Say some statements, whose answers come with that to the next one; that one must have a name."""
    raw._transport.write(b"".join(map(_messages, statements)))


@lru_cache(maxsize=64)
def _messages(statement: str) -> bytes:
    """Parse, Bind and Execute without a Sync: the server goes on with what follows, and skips it if this fails."""
    return (
        _message(b"P", UNNAMED + statement.encode() + b"\0" + bytes(2))
        + _message(b"B", UNNAMED + UNNAMED + bytes(6))
        + _message(b"E", UNNAMED + bytes(4))
    )


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body
