"""Writes the table of ``docs/seed-examples.md`` from the headers of the examples: ``python -m tests.seeds.table``."""

from itertools import groupby
from pathlib import Path

from tests.seeds.seed import Example, examples

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).resolve().parents[2] / "docs/seed-examples.md"
INTRODUCTION = """\
# The examples that DataFlow grew from

Before there was any code there were five documents with examples of how it should be used. This page lists every
example in them, {total} in all, in their order. Each is kept word for word in `tests/seeds/examples`.

{counts}

A test runs each example that can run and looks at what it left in the database. Nothing in an example is changed. What
it takes for granted is supplied: a model, a row, a `workflow` to add to, the run at its end. "The imports" are those of
`DataFlow`, `LocalRuntime` and `WorkflowBuilder`, where an example leaves them out or imports them from another package.
"A URL" is that of an SQLite file in the place of a server.

What an example waits for is a package or a part of one. Where such an example has a test, that is expected to fail, and
says so when it no longer does; the others are only read as Python.

This page is written from the headers of the examples by `python -m tests.seeds.table`.
"""


def page() -> str:
    """The page as it must be."""
    everything = list(examples().values())
    parts = [INTRODUCTION.format(total=len(everything), counts=_counts(everything))]
    for document, found in groupby(everything, key=lambda example: example.document):
        lines = "".join(f"{_line(example)}\n" for example in found)
        parts.append(
            f"## {document}\n\n| | example | section | supplied | state |\n|---|---|---|---|---|\n{lines}"
        )
    return "\n".join(parts)


def _counts(everything: list[Example]) -> str:
    waiting = sum(bool(example.needs) for example in everything)
    silent = sum(bool(example.illustrates) for example in everything)
    return (
        f"{len(everything) - waiting - silent} run, {waiting} wait for something that is not there yet, and {silent}\n"
        "are nothing to be run: drawings, commands of a shell, other frameworks."
    )


def _line(example: Example) -> str:
    name = example.name.replace("_", " ")
    path = f"../tests/seeds/examples/{example.path.name}"
    supplied = ", ".join(f"`{one}`" if one.isidentifier() else one for one in example.supplied)
    return f"| {example.number} | [{name}]({path}) | {example.section} | {supplied} | {example.state} |"


if __name__ == "__main__":
    PAGE.write_text(page())
