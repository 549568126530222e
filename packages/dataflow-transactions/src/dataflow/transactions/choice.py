"""How several steps become one piece of work: what users may ask for."""

from collections.abc import Mapping

from dataflow.errors import InvalidValue, nearest

__all__ = ["PATTERNS", "PATTERN_NAMES", "read_pattern", "without_pattern"]

PATTERNS = ("auto", "saga", "two_phase")
PATTERN_NAMES = ("pattern", "transaction_type")


def read_pattern(parameters: Mapping[str, object]) -> str:
    """The pattern that is asked for, under either name.

    :raises InvalidValue: for one that does not exist, and where both names are given.
    """
    given = [name for name in PATTERN_NAMES if name in parameters]
    if len(given) > 1:
        raise InvalidValue("pattern and transaction_type are the same; give one of them")
    pattern = parameters[given[0]] if given else "auto"
    if not isinstance(pattern, str) or pattern not in PATTERNS:
        hint = nearest(pattern, PATTERNS) or f"; it is one of {', '.join(PATTERNS)}"
        raise InvalidValue(f"{given[0]}: there is no such pattern{hint}")
    return pattern


def without_pattern(parameters: Mapping[str, object]) -> Mapping[str, object]:
    """What else was given."""
    return {name: value for name, value in parameters.items() if name not in PATTERN_NAMES}
