"""Patterns of ``$regex`` for RE2, DuckDB's engine, which bounds how often a part may be repeated within others."""

from functools import lru_cache

from dataflow.filters.regex import Choice, Repeat, Run, Tree, parse, render

__all__ = ["rendered"]

MOST_REPEATS = 1000


@lru_cache(maxsize=128)
def rendered(pattern: str) -> str:
    r"""A pattern as RE2 takes it.

    >>> rendered("^a+$")
    '^a+\\z'
    """
    return render(_spread(parse(pattern)), end=r"\z")


def _spread(tree: Tree) -> Tree:
    """The same, with those repeats written out that RE2 would refuse."""
    match tree:
        case Run(parts):
            return Run(tuple(map(_spread, parts)))
        case Choice(branches):
            return Choice(tuple(map(_spread, branches)))
        case Repeat(part, least, most):
            inner = _spread(part)
            if max(least, most or 0, 1) * _repeats(inner) > MOST_REPEATS:
                return _written_out(inner, least, most)
            return Repeat(inner, least, most)
    return tree


def _repeats(tree: Tree) -> int:
    """How often something in it is repeated at most, with repeats of repeats multiplied."""
    match tree:
        case Run(parts) | Choice(parts):
            return max(map(_repeats, parts), default=1)
        case Repeat(part, least, most):
            return max(least, most or 0, 1) * _repeats(part)
    return 1


def _written_out(part: Tree, least: int, most: int | None) -> Tree:
    more: tuple[Tree, ...] = ()
    if most is None:
        more = (Repeat(part, 0, None),)
    for _ in range((most or least) - least):
        more = (Repeat(Run((part, *more)), 0, 1),)
    return Run((*[part] * least, *more))
