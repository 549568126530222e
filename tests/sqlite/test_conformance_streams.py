"""Streams on SQLite: in memory, in a file, and beside those who write."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from dataflow import DataFlow
from dataflow.errors import PoolTimeout
from dataflow.testing.conformance.streams import COUNT, StreamTests, define


class TestStreams(StreamTests):
    pass


class TestStreamsOfAFile(StreamTests):
    @pytest.fixture
    def db(self, file: Path) -> Iterator[DataFlow]:
        with DataFlow(f"sqlite:///{file}", pool_size=1, pool_max_overflow=1, pool_timeout=2) as db:
            yield db


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


GROWTH = """
import resource, sys
from dataflow import DataFlow

with DataFlow(f"sqlite:///{sys.argv[1]}?synchronous=off") as db:
    @db.model
    class Event:
        name: str
        value: float

    rows = ({"name": f"event {number}", "value": number / 2} for number in range(60_000))
    db.run_sync(db.nodes.EventBulkCreateNode(data=rows))
    for limit in (5_000, 60_000):
        assert sum(1 for row in db.stream("EventListNode", limit=limit)) == limit
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no resource module")
def test_memory_does_not_grow_with_the_rows_of_a_stream(file: Path) -> None:
    command = [sys.executable, "-c", GROWTH, file]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    unit = 1 if sys.platform == "darwin" else 1024
    [(few, many)] = pairwise(int(line) * unit for line in shown.splitlines())
    # As a list these rows take 50 MB.
    assert many - few < 8_000_000
