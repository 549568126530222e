r"""The patterns of ``$like`` and ``$ilike``: ``%`` is any text, ``_`` is any character, ``\`` takes both literally."""

from collections.abc import Iterator
from enum import Enum
from typing import Final, Literal, TypeAlias

from dataflow.errors import InvalidValue

__all__ = ["After", "Wildcard", "quoted", "read_prefix", "tokens"]

MAX_LENGTH: Final = 10_000


After: TypeAlias = Literal["any", "end", "rest"]
"""What a pattern lets follow its prefix: any text, nothing, or what the rest of the pattern says."""


class Wildcard(Enum):
    """What stands for something else in a pattern."""

    ANY = "%"
    ONE = "_"


def tokens(pattern: str) -> Iterator[str | Wildcard]:
    r"""Each character of a pattern, and each wildcard.

    >>> list(tokens(r"a\_%"))
    ['a', '_', <Wildcard.ANY: '%'>]
    """
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            yield next(characters)
        elif character in "%_":
            yield Wildcard(character)
        else:
            yield character


def read_prefix(pattern: str, where: str) -> tuple[str, After]:
    r"""What every text that matches begins with, and what may follow.

    :raises InvalidValue: for a pattern that is too long, or that ends within an escape.

    >>> read_prefix("Jo%", "filter"), read_prefix("Jo", "filter"), read_prefix("J_", "filter")
    (('Jo', 'any'), ('Jo', 'end'), ('J', 'rest'))
    """
    if len(pattern) > MAX_LENGTH:
        raise InvalidValue(f"{where}: the pattern has more than {MAX_LENGTH} characters")
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise InvalidValue(f"{where}: the pattern ends with a single \\; write \\\\ for the character")
    letters: list[str] = []
    wildcards: list[str | Wildcard] = []
    for token in tokens(pattern):
        if wildcards or isinstance(token, Wildcard):
            wildcards.append(token)
        else:
            letters.append(token)
    return "".join(letters), "end" if not wildcards else "any" if wildcards == [Wildcard.ANY] else "rest"


def quoted(text: str) -> str:
    r"""A text as a pattern that matches just that.

    >>> quoted("5%")
    '5\\%'
    """
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
