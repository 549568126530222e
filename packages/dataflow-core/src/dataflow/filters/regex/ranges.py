"""Sets of characters, as ranges of code points."""

from collections.abc import Iterable
from sys import maxunicode
from typing import Final

from dataflow.filters.regex.tree import Ranges

__all__ = [
    "CLASSES",
    "CONTROLS",
    "LAST",
    "NO_NEWLINE",
    "complement",
    "folded",
    "is_single",
    "merged",
    "single",
]

FIRST: Final = 1  # no text holds NUL, nor half of a surrogate pair
SURROGATES: Final = (0xD800, 0xDFFF)
LAST: Final = maxunicode


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """These characters, whichever way they were listed."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """All other characters that a text can hold."""
    gaps, start = [], FIRST
    for low, high in merged([*ranges, SURROGATES]):
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        gaps.append((start, LAST))
    return tuple(gaps)


def folded(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """These characters, and of ASCII letters those of the other case."""
    found = list(ranges)
    for low, high in tuple(found):
        for first, last, shift in ((ord("A"), ord("Z"), 32), (ord("a"), ord("z"), -32)):
            start, end = max(low, first), min(high, last)
            if start <= end:
                found.append((start + shift, end + shift))
    return merged(found)


DIGITS: Final = ((ord("0"), ord("9")),)
WORDS: Final = (*DIGITS, (ord("A"), ord("Z")), (ord("_"), ord("_")), (ord("a"), ord("z")))
SPACES: Final = ((9, 13), (32, 32))
CLASSES: Final[dict[str, Ranges]] = {
    "d": DIGITS,
    "w": WORDS,
    "s": SPACES,
    "D": complement(DIGITS),
    "W": complement(WORDS),
    "S": complement(SPACES),
}
CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
NO_NEWLINE: Final = complement([(10, 10)])


def single(character: str) -> Ranges:
    """This character alone."""
    return ((ord(character), ord(character)),)


def is_single(ranges: Ranges) -> bool:
    """Whether this is one character alone."""
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]
