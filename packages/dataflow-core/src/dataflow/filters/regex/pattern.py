"""A regular expression in its canonical form, with what is known of the texts that it matches."""

from functools import lru_cache
from typing import Final, NamedTuple

from dataflow.errors import InvalidValue
from dataflow.filters.regex.ranges import is_single
from dataflow.filters.regex.reader import parse
from dataflow.filters.regex.rendering import render
from dataflow.filters.regex.tree import Anchor, Characters, Choice, Repeat, Run, Tree
from dataflow.filters.wildcards import After

__all__ = ["Pattern", "read"]

MAX_LENGTH: Final = 1000
MAX_SIZE: Final = 2000


class Pattern(NamedTuple):
    """A pattern that was read.

    :param text: the pattern in one canonical form, with the case folded in; ``parse`` reads it again.
    :param prefix: what every text that matches begins with, where the pattern says so.
    :param after: what may follow the prefix: ``"any"`` text, the ``"end"`` alone, or what the ``"rest"`` says.
    """

    text: str
    prefix: str
    after: After


@lru_cache(maxsize=512)
def read(pattern: str, fold: bool, where: str) -> Pattern:
    """Read a pattern.

    :param fold: whether capital and small ASCII letters are the same.
    :param where: the place that messages name.
    :raises InvalidValue: for what is outside of the subset; the message names the construct and its place.

    >>> read("^Jo[hn]+", False, "filter")
    Pattern(text='^Jo[hn]+', prefix='Jo', after='rest')
    >>> read("jo", True, "filter").text
    '[Jj][Oo]'
    """
    if len(pattern) > MAX_LENGTH:
        raise InvalidValue(f"{where}: the pattern has more than {MAX_LENGTH} characters")
    tree = parse(pattern, fold, where)
    if _size(tree) > MAX_SIZE:
        raise InvalidValue(
            f"{where}: with its repeats written out, the pattern has more than {MAX_SIZE} characters"
        )
    prefix, after = _prefix(tree)
    return Pattern(render(tree), prefix, after)


def _size(tree: Tree) -> int:
    match tree:
        case Run(parts) | Choice(parts):
            return 1 + sum(map(_size, parts))
        case Repeat(part, least, most):
            return 1 + _size(part) * max(1, least, most or 0)
    return 1


def _prefix(tree: Tree) -> tuple[str, After]:
    parts = tree.parts if isinstance(tree, Run) else (tree,)
    if parts[:1] != (Anchor.START,):
        return "", "rest"
    letters: list[str] = []
    for part in parts[1:]:
        if not isinstance(part, Characters) or not is_single(part.ranges):
            break
        letters.append(chr(part.ranges[0][0]))
    rest = parts[1 + len(letters) :]
    return "".join(letters), "any" if not rest else "end" if rest == (Anchor.END,) else "rest"
