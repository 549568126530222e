"""Statements that travel with the one that follows them, which spares each of them a trip to the server."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

__all__ = ["DEFERRED", "write"]

DEFERRED = ("SAVEPOINT ", "RELEASE SAVEPOINT ")
"""How those begin, besides the plain ``BEGIN``: they bring nothing, and whoever waits for them learns nothing."""

UNNAMED = b"\0"
"""The name of a statement and of a portal that have none."""


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
