"""Streams on SQLite: in memory, in a file, and beside those who write."""

import asyncio
from pathlib import Path

import pytest

from dataflow import DataFlow
from dataflow.errors import PoolTimeout
from dataflow.testing.conformance.streams import COUNT, define


def test_a_stream_sees_the_rows_as_they_were_and_keeps_nobody_from_writing(file: Path) -> None:
    with DataFlow(f"sqlite:///{file}", pool_timeout=2) as db:
        define(db)

        async def main() -> None:
            seen = 0
            async for _ in db.stream("EventListNode"):
                seen += 1
                if seen % 300 == 0:
                    await db.nodes.EventCreateNode(name="new", value=0)
            assert seen == COUNT
            assert (await db.nodes.EventListNode(count_only=True))["count"] == COUNT + COUNT // 300

        asyncio.run(main())


def test_in_memory_others_wait_until_a_stream_has_ended() -> None:
    with DataFlow("sqlite:///:memory:", pool_timeout=0.05) as db:
        define(db)

        async def main() -> None:
            rows = aiter(db.stream("EventListNode"))
            await anext(rows)
            with pytest.raises(PoolTimeout, match="held by: a stream"):
                await db.nodes.EventReadNode(id=1)
            await rows.aclose()
            assert (await db.nodes.EventReadNode(id=1))["found"]

        asyncio.run(main())
