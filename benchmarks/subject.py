"""What every contestant works on: the rows of one table. No framework is imported here."""

from collections.abc import Sequence
from typing import Any

__all__ = ["SEEDED", "STAMPS", "Row", "row", "rows"]

Row = dict[str, Any]

SEEDED = 5000
"""How many rows there are when a batch begins; their ids are 1 to this."""

STAMPS = ("created_at", "updated_at")
"""The fields that DataFlow fills by itself; a contestant without it fills them too."""


def row(number: int) -> Row:
    """A row; a different number makes a different email."""
    return {
        "name": f"Name {number}",
        "email": f"person{number}@example.org",
        "age": 18 + number % 60,
        "balance": number * 0.25,
        "active": number % 3 > 0,
        "meta": {"plan": "basic", "visits": number % 100},
    }


def rows(first: int, count: int) -> Sequence[Row]:
    return [row(number) for number in range(first, first + count)]
