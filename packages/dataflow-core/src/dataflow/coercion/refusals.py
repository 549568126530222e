"""What every coercer is built on: strict tests for types, and refusals that show no value."""

from collections.abc import Callable
from typing import TypeVar

from dataflow.errors import InvalidValue

__all__ = ["Coercer", "attempt", "is_a", "or_none", "refusal"]

Coercer = Callable[[object], object]
Value = TypeVar("Value")


def refusal(where: str, expected: str, value: object) -> InvalidValue:
    """Make the error that names the place and the two types, never the value."""
    return InvalidValue(f"{where}: expected {expected}, got {type(value).__name__}")


def or_none(convert: Callable[[object, str], object], nullable: bool, where: str) -> Coercer:
    """Make a coercer that settles None itself and gives everything else to a function."""

    def coerce(value: object) -> object:
        if value is not None:
            return convert(value, where)
        if nullable:
            return None
        raise InvalidValue(f"{where} must not be None")

    return coerce


def is_a(value: object, *kinds: type) -> bool:
    """Test for a type or a subclass; unlike isinstance, a proxy that only claims to be one does not pass."""
    return issubclass(type(value), kinds)


def attempt(convert: Callable[..., Value], *arguments: object) -> Value | None:
    """Call a constructor of the standard library; None where it refuses."""
    try:
        return convert(*arguments)
    except (ValueError, TypeError, OverflowError):
        return None
