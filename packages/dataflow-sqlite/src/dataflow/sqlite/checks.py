"""The CHECK constraints of a table, which SQLite keeps in its statement and nowhere else."""

import re
from collections.abc import Iterator

from dataflow.catalog import CatalogConstraint

__all__ = ["checks_of"]

TOKEN = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|\w+|[^\w\s]""", re.DOTALL
)


def checks_of(sql: str) -> tuple[CatalogConstraint, ...]:
    """The conditions that a statement ``CREATE TABLE`` holds.

    >>> checks_of("CREATE TABLE t (n INTEGER CHECK (n > 0), CONSTRAINT odd CHECK (n % 2 = 1))")
    (CatalogConstraint(name='', kind='check', definition='CHECK (n > 0)', columns=()), \
CatalogConstraint(name='odd', kind='check', definition='CHECK (n % 2 = 1)', columns=()))
    """
    return tuple(_checks(sql))


def _checks(sql: str) -> Iterator[CatalogConstraint]:
    tokens = [match for match in TOKEN.finditer(sql) if not match[0].startswith(("--", "/*"))]
    words = [match[0].upper() for match in tokens]
    for place, word in enumerate(words[:-1]):
        if word == "CHECK" and words[place + 1] == "(":
            end = tokens[_closing(words, place + 1)].end()
            is_named = place >= 2 and words[place - 2] == "CONSTRAINT"
            name = tokens[place - 1][0].strip('"`[]') if is_named else ""
            yield CatalogConstraint(name, "check", f"CHECK {sql[tokens[place + 1].start() : end]}")


def _closing(words: list[str], opening: int) -> int:
    """Where the parenthesis ends that opens there."""
    depth = 0
    for place, word in enumerate(words[opening:], opening):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0:
            return place
    return len(words) - 1
