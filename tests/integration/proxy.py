"""A connection between a program and a server that can be stalled, as networks are, or lead elsewhere next time."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["Proxy", "proxied"]


class Proxy:
    """Forwards what both sides say, until it is stalled."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._answering = asyncio.Event()
        self._answering.set()
        self.holds = threading.Event()
        """Whether something that was said has been held back."""
        self.passed = 0
        """How many bytes have been said."""
        self._allowance: dict[asyncio.Event, int] = {}
        """How many bytes may still pass before a gate closes."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self.port: int = self._run(self._listen())

    def stall(self, *, after: int = 0, answers_only: bool = False) -> None:
        """From now on nothing arrives; or nothing of what the server says.

        :param after: how many bytes still do, to either side.
        """
        self._run(self._stall(after, self._answering if answers_only else self._flowing))

    def go_on(self) -> None:
        """Forward again, also what was held back."""
        self._run(self._let_flow())

    def lead_to(self, host: str, port: int) -> None:
        """Connect to another server from now on; the connections that there are stay with theirs."""
        self._target = (host, port)

    def cut(self) -> None:
        """End all connections."""
        self._run(self._end())

    def close(self) -> None:
        self._run(self._end(stop=True))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _let_flow(self) -> int:
        self._allowance.clear()
        self._flowing.set()
        self._answering.set()
        return 0

    async def _stall(self, after: int, gate: asyncio.Event) -> int:
        self.holds.clear()
        if after:
            self._allowance[gate] = after
        else:
            gate.clear()
        return 0

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _end(self, *, stop: bool = False) -> int:
        if stop:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            try:
                await asyncio.gather(
                    self._forward(reader, far_writer, self._flowing),
                    self._forward(far_reader, writer, self._flowing, self._answering),
                )
            finally:
                far_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *gates: asyncio.Event
    ) -> None:
        while chunk := await reader.read(65536):
            self.passed += len(chunk)
            for gate in gates:
                self._count(gate, len(chunk))
                if not gate.is_set():
                    self.holds.set()
                await gate.wait()
            writer.write(chunk)
            with suppress(ConnectionError):
                await writer.drain()
        raise ConnectionResetError

    def _count(self, gate: asyncio.Event, passing: int) -> None:
        if gate in self._allowance:
            self._allowance[gate] -= passing
            if self._allowance[gate] <= 0:
                del self._allowance[gate]
                gate.clear()


@contextmanager
def proxied(host: str, port: int) -> Iterator[Proxy]:
    """A proxy before a server."""
    proxy = Proxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
