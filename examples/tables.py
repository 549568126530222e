"""Tables and headings for the terminal, plain where it is none."""

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from unicodedata import combining, east_asian_width, normalize

WIDEST = 44


def table(rows: Iterable[Mapping[str, object]], /, **columns: str) -> str:
    """Draw rows as a table, numbers to the right.

    :param columns: the fields to show, each with its heading.

    >>> print(table([{"name": "Ann", "age": 9}, {"name": "Li", "age": 41}], name="Name", age="Age"))
      Name  Age
      ────  ───
      Ann     9
      Li     41
    """
    rows = list(rows)
    drawn = []
    for field, heading in columns.items():
        values = [row[field] for row in rows]
        cells = [cut(text(value), WIDEST) for value in (heading, *values)]
        width = max(map(seen, cells))
        right = bool(values) and all(isinstance(value, int | Decimal) for value in values)
        heading, *padded = [pad(cell, width, right=right) for cell in cells]
        drawn.append([heading, "─" * width, *padded])
    return "\n".join(("  " + "  ".join(line)).rstrip() for line in zip(*drawn, strict=True))


def text(value: object) -> str:
    """A value as people write it, on one line."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    written = normalize("NFC", "" if value is None else str(value))
    return "".join(character if character.isprintable() else " " for character in written)


def seen(cell: str) -> int:
    """How many columns of the terminal a text takes: an accent none, a Chinese character two."""
    return sum(0 if combining(character) else 1 + (east_asian_width(character) in "WF") for character in cell)


def cut(cell: str, limit: int) -> str:
    """The text, or its beginning and an ellipsis where it is too long."""
    if seen(cell) <= limit:
        return cell
    while seen(cell) >= limit:
        cell = cell[:-1]
    return cell.rstrip() + "…"


def pad(cell: str, width: int, *, right: bool) -> str:
    """The text, filled up with spaces."""
    space = " " * (width - seen(cell))
    return space + cell if right else cell + space


def bold(words: str) -> str:
    """Bold in a terminal."""
    return _styled(words, "1")


def dim(words: str) -> str:
    """Faint in a terminal."""
    return _styled(words, "2")


def green(words: str) -> str:
    """Green in a terminal."""
    return _styled(words, "32")


def _styled(words: str, code: str) -> str:
    wanted = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\033[{code}m{words}\033[0m" if wanted else words
