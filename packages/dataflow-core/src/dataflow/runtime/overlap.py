"""Asynchronous functions of one run that overlap."""

import asyncio
from collections.abc import Awaitable, Callable

from dataflow.workflow.graph import Block, Segment, Step

__all__ = ["overlap"]


async def overlap(
    block: Block,
    concurrency: int,
    in_place: Callable[[Segment], Awaitable[None]],
    on_loop: Callable[[Step], Awaitable[None]],
) -> None:
    """Run asynchronous functions as tasks, and everything else in order, each as soon as what it depends on has ended.

    :param concurrency: how many functions may overlap.
    :param in_place: runs steps where they belong.
    :param on_loop: runs a step that awaits.
    """
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        for segment in block.segments:
            for step in segment.steps:
                # What a savepoint or an inner scope holds is to be theirs alone: beside it nothing else may run.
                apart = step.handled or step.block is not None or step.outside
                await _until_done(tasks, set(tasks) if apart else _sources(step))
                if not step.node.waits or apart:
                    await in_place(Segment((step,), segment.database, segment.blocking))
                    continue
                while len(tasks) >= concurrency:
                    await _next_done(tasks)
                tasks[step.id] = asyncio.ensure_future(on_loop(step))
        await _until_done(tasks, set(tasks))
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _until_done(tasks: dict[str, asyncio.Task[None]], wanted: set[str]) -> None:
    while not wanted.isdisjoint(tasks):
        await _next_done(tasks)


async def _next_done(tasks: dict[str, asyncio.Task[None]]) -> None:
    """Wait for whichever ends first; a failure is raised at once, whatever else was waited for."""
    await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
    for id in [id for id, task in tasks.items() if task.done()]:
        await tasks.pop(id)


def _sources(step: Step) -> set[str]:
    return {edge.source for edges in (*step.inputs.values(), step.gates) for edge in edges}
