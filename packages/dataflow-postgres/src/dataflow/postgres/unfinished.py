"""What an attempt to connect leaves behind that has failed."""

import asyncio
from contextlib import suppress
from traceback import walk_tb

__all__ = ["end_unfinished"]


def end_unfinished(error: BaseException) -> None:
    """Abort the transports of an attempt to connect that has failed.

    The driver closes them, which over TLS takes another answer of the server; the event loop may not live as long, and
    nobody else knows of them.
    """
    cause: BaseException | None = error
    while cause is not None:
        for frame, _ in walk_tb(cause.__traceback__):
            transport = frame.f_locals.get("tr")
            if isinstance(transport, asyncio.Transport):
                # Where the server was faster nothing is left to abort, which Python 3.11.2 takes for an error.
                with suppress(AttributeError):
                    transport.abort()
        cause = cause.__context__
