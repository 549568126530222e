r"""Patterns as the regular expressions of MySQL (ICU) and MariaDB (PCRE), both of Perl's family.

The end of a text is ``\z``: a ``$`` would stand before a newline at the end too. Case is folded within the classes.

>>> rendered("^a$"), ilike_as_regex("a%")
('^a\\z', '^[Aa]')
"""

from dataflow.filters.regex import Anchor, Characters, Choice, Repeat, Run, Tree, parse, render
from dataflow.filters.wildcards import Wildcard, tokens

__all__ = ["ilike_as_regex", "rendered"]

END = r"\z"
LAST = 0x10FFFF
ANY = Characters(((1, 0xD7FF), (0xE000, LAST)))


def rendered(pattern: str) -> str:
    """A pattern of ``$regex``, in its canonical form."""
    return render(simplified(parse(pattern)), END)


def ilike_as_regex(pattern: str) -> str:
    """A pattern of ``$ilike``: LIKE itself would fold the case of all letters, or of none."""
    parts: list[Tree] = [Anchor.START]
    for token in tokens(pattern):
        if token is Wildcard.ANY:
            parts.append(Repeat(ANY, 0, None))
        elif token is Wildcard.ONE:
            parts.append(ANY)
        else:
            parts.append(Characters(_folded(str(token))))
    if parts[-1] != Repeat(ANY, 0, None):
        parts.append(Anchor.END)
    # What follows a last % need not be looked at.
    while parts[-1] == Repeat(ANY, 0, None):
        parts.pop()
    return render(Run(tuple(parts)), END)


def _folded(letter: str) -> tuple[tuple[int, int], ...]:
    forms = {letter.upper(), letter.lower()} if letter.isascii() else {letter}
    return tuple((ord(form), ord(form)) for form in sorted(forms))


def simplified(tree: Tree) -> Tree:
    """The same pattern, with fewer ways to match: alternatives of single characters are one class."""
    match tree:
        case Run(parts):
            return Run(tuple(map(simplified, parts)))
        case Repeat(part, least, most):
            return Repeat(simplified(part), least, most)
        case Choice(branches):
            return _choice([simplified(branch) for branch in branches])
    return tree


def _choice(branches: list[Tree]) -> Tree:
    classes = [branch for branch in branches if isinstance(branch, Characters)]
    others: list[Tree] = [branch for branch in dict.fromkeys(branches) if not isinstance(branch, Characters)]
    if classes:
        others.append(Characters(_union(classes)))
    return others[0] if len(others) == 1 else Choice(tuple(others))


def _union(classes: list[Characters]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(range_ for characters in classes for range_ in characters.ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)
