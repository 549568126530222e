"""Statements that travel with the one that follows them, which spares each of them a trip to the server."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["BEGIN", "DEFERRED", "bind_after", "query_after"]

BEGIN = "BEGIN"
DEFERRED = ("SAVEPOINT ", "RELEASE SAVEPOINT ")
"""How others begin that may be deferred: they bring nothing, and whoever waits for them learns nothing."""

PATIENCE = 2.0  # seconds for an answer that is there already
UNNAMED = b"\0"
"""The name of a statement and of a portal that have none."""


async def query_after(raw: Any, deferred: Sequence[str], *, sql: str) -> str:
    """Say what was deferred, and a statement without parameters if there is one; what the server says at its end."""
    status: str = await raw._protocol.query("; ".join((*deferred, sql) if sql else deferred), None)
    return status


async def bind_after(
    raw: Any, deferred: Sequence[str], *, sql: str, parameters: Sequence[object], told: bool
) -> Any:
    """Say what was deferred, and run a statement with parameters.

    :param told: whether what the server says at its end is wanted beside the rows.
    """
    protocol = raw._protocol
    if not raw._stmt_cache.has((sql, protocol.get_record_class(), False)):
        # To prepare it is a trip of its own, and its failure one of the transaction.
        await query_after(raw, deferred, sql="")
        statement = await raw._get_statement(sql, None)
        return await protocol.bind_execute(statement, parameters, "", 0, told, None)
    statement = await raw._get_statement(sql, None)
    said = protocol.queries_count
    raw._transport.write(_messages(deferred))
    try:
        return await protocol.bind_execute(statement, parameters, "", 0, told, None)
    except Exception:  # of whatever kind, the driver and the server must be in step when it goes on
        if protocol.queries_count == said and protocol.is_connected():
            # The parameters were refused before they were sent: the others' answer is yet to be asked for.
            try:
                await protocol.query("", PATIENCE)
            except BaseException:
                raw.terminate()
                raise
        raise


def _messages(statements: Iterable[str]) -> bytes:
    return b"".join(map(_parse_bind_execute, statements))


@lru_cache(maxsize=64)
def _parse_bind_execute(statement: str) -> bytes:
    """Without a Sync the server goes on with what follows, and skips it if this fails."""
    no_types, no_formats, all_rows = bytes(2), bytes(6), bytes(4)
    return (
        _message(b"P", UNNAMED + statement.encode() + b"\0" + no_types)
        + _message(b"B", UNNAMED + UNNAMED + no_formats)
        + _message(b"E", UNNAMED + all_rows)
    )


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body
