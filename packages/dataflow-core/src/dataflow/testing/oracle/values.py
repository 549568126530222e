"""What it means that a value came back as it went in."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["assert_same", "same"]


def same(read: object, written: object) -> bool:
    """Equal and of the same type, all the way down; datetimes in UTC. Dicts may list their keys in another order.

    >>> same(1.0, 1), same([{"a": 1}], [{"a": 1}]), same({"a": 1, "b": 2}, {"b": 2, "a": 1.0})
    (False, True, False)
    """
    if type(read) is not type(written):
        return False
    if isinstance(written, dict) and isinstance(read, dict):
        return read.keys() == written.keys() and all(same(read[name], written[name]) for name in written)
    if isinstance(written, list) and isinstance(read, list):
        return len(read) == len(written) and all(map(same, read, written))
    if isinstance(written, datetime) and isinstance(read, datetime) and read.tzinfo is not UTC:
        return False
    return read == written


def assert_same(read: Mapping[str, Any], written: Mapping[str, Any]) -> None:
    """Check every value of a row that was written."""
    for name, value in written.items():
        assert same(read[name], value), f"{name}: wrote {value!r}, read {read[name]!r}"
