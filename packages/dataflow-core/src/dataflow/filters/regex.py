r"""The regular expressions of ``$regex``: the subset that every database matches alike, as a tree.

A pattern is found anywhere in the text, unless it is anchored. It is made of

- characters, and ``\`` before any punctuation to mean just that; ``\t \n \r \f \v``;
- ``.``, which is any character but a newline; classes such as ``[a-z_]`` and ``[^0-9]``;
- ``\d \w \s`` and ``\D \W \S``, with their ASCII meaning: ``[0-9]``, ``[0-9A-Za-z_]``, ``[ \t\n\r\f\v]``;
- ``^`` and ``$``, the very beginning and the very end of the text;
- groups ``(...)`` and ``(?:...)``, alternatives ``a|b``;
- ``* + ? {m} {m,} {m,n}``, also lazy, which changes nothing about whether a text matches.

Whatever else an engine knows is refused by its name, so that no pattern means one thing here and another there.
Case is folded into the classes, of ASCII letters alone: no engine's own idea of it is asked.
"""

from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn, TypeAlias

from dataflow.errors import InvalidValue
from dataflow.filters.wildcards import After

__all__ = [
    "Anchor",
    "Characters",
    "Choice",
    "Pattern",
    "Ranges",
    "Repeat",
    "Run",
    "Tree",
    "parse",
    "read",
    "render",
]

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points: disjoint, ascending, both ends included."""

MAX_LENGTH: Final = 1000
MAX_SIZE: Final = 2000
MAX_DEPTH: Final = 40
MAX_REPEATS: Final = 255  # of PostgreSQL, the least of all
LAST: Final = 0x10FFFF
HOLES: Final = ((0, 0), (0xD800, 0xDFFF))
"""No text holds NUL or half of a surrogate pair."""


class Anchor(Enum):
    """A place in the text."""

    START = "^"
    END = "$"


class Characters(NamedTuple):
    """One character out of these."""

    ranges: Ranges


class Run(NamedTuple):
    """One after the other."""

    parts: tuple["Tree", ...]


class Choice(NamedTuple):
    """One of several."""

    branches: tuple["Tree", ...]


class Repeat(NamedTuple):
    """The same again, from ``least`` to ``most`` times; None is without end."""

    part: "Tree"
    least: int
    most: int | None


Tree: TypeAlias = Anchor | Characters | Run | Choice | Repeat


class Pattern(NamedTuple):
    """A pattern that was read.

    :param text: the pattern in one canonical form, with the case folded in; :func:`parse` reads it again.
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


def parse(pattern: str, fold: bool = False, where: str = "$regex") -> Tree:
    """Read a pattern, perhaps one that :func:`render` wrote, as a tree.

    :raises InvalidValue: as :func:`read` does.
    """
    return _Reader(pattern, fold, where).whole()


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
        if (
            not isinstance(part, Characters)
            or len(part.ranges) != 1
            or part.ranges[0][0] != part.ranges[0][1]
        ):
            break
        letters.append(chr(part.ranges[0][0]))
    rest = parts[1 + len(letters) :]
    return "".join(letters), "any" if not rest else "end" if rest == (Anchor.END,) else "rest"


def _merged(ranges: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: list[tuple[int, int]]) -> Ranges:
    gaps, start = [], 0
    for low, high in _merged([*ranges, *HOLES]):
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        gaps.append((start, LAST))
    return tuple(gaps)


def _folded(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    folded = list(ranges)
    for low, high in ranges:
        for first, last, shift in ((ord("A"), ord("Z"), 32), (ord("a"), ord("z"), -32)):
            start, end = max(low, first), min(high, last)
            if start <= end:
                folded.append((start + shift, end + shift))
    return folded


DIGITS: Final = ((ord("0"), ord("9")),)
WORDS: Final = (*DIGITS, (ord("A"), ord("Z")), (ord("_"), ord("_")), (ord("a"), ord("z")))
SPACES: Final = ((9, 13), (32, 32))
CLASSES: Final[dict[str, Ranges]] = {
    "d": DIGITS,
    "w": WORDS,
    "s": SPACES,
    "D": _complement(list(DIGITS)),
    "W": _complement(list(WORDS)),
    "S": _complement(list(SPACES)),
}
CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
NO_NEWLINE: Final = _complement([(10, 10)])

GROUPS: Final = {
    "=": "look-ahead (?=",
    "!": "look-ahead (?!",
    "<": "look-behind or a named group (?<",
    "P": "a named group (?P",
    ">": "an atomic group (?>",
    "#": "a comment (?#",
    "|": "a branch reset (?|",
    "(": "a conditional group (?(",
}
ESCAPES: Final = {
    "b": r"a word boundary \b",
    "B": r"a word boundary \B",
    "A": r"\A (write ^)",
    "Z": r"\Z (write $)",
    "z": r"\z (write $)",
    "x": r"an escape by number \x (write the character itself)",
    "u": r"an escape by number \u (write the character itself)",
    "U": r"an escape by number \U (write the character itself)",
    "p": r"a Unicode property \p",
    "P": r"a Unicode property \P",
    "Q": r"a quotation \Q",
    "R": r"any line ending \R",
    "X": r"a grapheme \X",
    "k": r"a back-reference \k",
    "g": r"a back-reference \g",
    "K": r"\K",
    "G": r"\G",
}


class _Reader:
    """Walks once over the pattern, from left to right."""

    def __init__(self, pattern: str, fold: bool, where: str) -> None:
        self._text = pattern
        self._fold = fold
        self._where = where
        self._at = 0
        self._depth = 0

    def whole(self) -> Tree:
        tree = self._choice()
        if self._at < len(self._text):
            self._refuse("a ) closes no group; write \\) for the character")
        return tree

    def _choice(self) -> Tree:
        branches = [self._run()]
        while self._take("|"):
            branches.append(self._run())
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _run(self) -> Tree:
        parts: list[Tree] = []
        while self._next() and self._next() not in "|)":
            parts.append(self._repeated(self._atom()))
        return parts[0] if len(parts) == 1 else Run(tuple(parts))

    def _atom(self) -> Tree:
        if self._next() in "*+?{":
            self._refuse("a quantifier has nothing to repeat; write \\ before it for the character")
        character = self._advance()
        if character == "(":
            return self._group()
        if character == "[":
            return self._class()
        if character == ".":
            return Characters(NO_NEWLINE)
        if character in "^$":
            return Anchor(character)
        return self._characters(self._escape() if character == "\\" else _single(character))

    def _group(self) -> Tree:
        if self._take("?") and not self._take(":"):
            self._refuse(f"{GROUPS.get(self._next(), 'a group with flags (?')} is not in the portable subset")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"groups are nested deeper than {MAX_DEPTH} levels")
        inner = self._choice()
        self._depth -= 1
        if not self._take(")"):
            self._refuse("a group is not closed; write \\( for the character")
        return Run((inner,)) if isinstance(inner, Anchor) else inner

    def _repeated(self, part: Tree) -> Tree:
        bounds = self._quantifier()
        if bounds is None:
            return part
        if isinstance(part, Anchor):
            self._refuse("an anchor cannot be repeated")
        least, most = bounds
        self._take("?")
        if self._next() == "+":
            self._refuse("a possessive quantifier is not in the portable subset")
        if self._next() and self._next() in "*?{":
            self._refuse("a quantifier follows a quantifier; put the first one into a group")
        return Repeat(part, least, most)

    def _quantifier(self) -> tuple[int, int | None] | None:
        if self._take("*"):
            return 0, None
        if self._take("+"):
            return 1, None
        if self._take("?"):
            return 0, 1
        return self._braces() if self._take("{") else None

    def _braces(self) -> tuple[int, int | None]:
        least = self._number()
        most: int | None = least
        if self._take(","):
            most = self._number() if self._next() != "}" else None
        if least is None or not self._take("}"):
            self._refuse(
                "after { comes a number of repeats, as in {2}, {2,} or {2,5}; write \\{ for the character"
            )
        if max(least, most or 0) > MAX_REPEATS:
            self._refuse(f"more than {MAX_REPEATS} repeats are not in the portable subset")
        if most is not None and most < least:
            self._refuse("the numbers of the repeat are in the wrong order")
        return least, most

    def _number(self) -> int | None:
        start = self._at
        while self._next() and self._next() in "0123456789":
            self._at += 1
        digits = self._text[start : self._at]
        return int(digits) if 0 < len(digits) <= 5 else None

    def _class(self) -> Tree:
        negated = self._take("^")
        if self._next() == "]":
            self._refuse("a class is empty, or its first ] is a character: write \\] for that")
        ranges: list[tuple[int, int]] = []
        while not self._take("]"):
            ranges.extend(self._member())
        if self._fold:
            ranges = _folded(ranges)
        allowed = _complement(ranges) if negated else _merged(ranges)
        if not allowed:
            self._refuse("a class excludes every character")
        return Characters(allowed)

    def _member(self) -> Ranges:
        first = self._class_character()
        if self._next() != "-" or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return first
        self._at += 1
        last = self._class_character()
        if not (_is_single(first) and _is_single(last)):
            self._refuse("a range needs a character on both sides; write \\- for the character")
        if last[0][0] < first[0][0]:
            self._refuse("the ends of a range are in the wrong order")
        return ((first[0][0], last[0][0]),)

    def _class_character(self) -> Ranges:
        if not self._next():
            self._refuse("a class is not closed; write \\[ for the character")
        if self._next() == "[" and self._text[self._at + 1 : self._at + 2] in (":", ".", "="):
            self._refuse("a POSIX class such as [:alpha:] is not in the portable subset")
        character = self._advance()
        return self._escape() if character == "\\" else _single(character)

    def _escape(self) -> Ranges:
        character = self._advance() if self._next() else self._refuse("a \\ stands at the end")
        if character in CLASSES:
            return CLASSES[character]
        if character in CONTROLS:
            return _single(CONTROLS[character])
        if character.isascii() and character.isprintable() and not character.isalnum():
            return _single(character)
        if character in "0123456789":
            self._refuse("a back-reference or an escape by number is not in the portable subset")
        name = ESCAPES.get(character)
        self._refuse(f"{name or 'this escape'} is not in the portable subset")

    def _characters(self, ranges: Ranges) -> Characters:
        return Characters(_merged(_folded(list(ranges))) if self._fold else ranges)

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _advance(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, character: str) -> bool:
        if self._next() != character:
            return False
        self._at += 1
        return True

    def _refuse(self, problem: str) -> NoReturn:
        raise InvalidValue(f"{self._where}, near character {self._at + 1} of the pattern: {problem}")


def _single(character: str) -> Ranges:
    return ((ord(character), ord(character)),)


def _is_single(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def render(tree: Tree, end: str = "$") -> str:
    r"""Write a tree as a pattern that Perl's family of engines and PostgreSQL read alike.

    :param end: how the engine says "the very end of the text", such as ``\z``.
    """
    match tree:
        case Anchor.START:
            return "^"
        case Anchor.END:
            return end
        case Characters(ranges):
            return _rendered(ranges)
        case Run(parts):
            return "".join(_grouped(part, end, Choice) for part in parts) or "(?:)"
        case Choice(branches):
            return "|".join(render(branch, end) for branch in branches)
        case Repeat(part, least, most):
            return _grouped(part, end, Choice, Run, Repeat) + _quantified(least, most)


def _grouped(part: Tree, end: str, *kinds: type) -> str:
    text = render(part, end)
    return f"(?:{text})" if isinstance(part, kinds) and text != "(?:)" else text


def _quantified(least: int, most: int | None) -> str:
    known = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if known is not None:
        return known
    return f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"


def _rendered(ranges: Ranges) -> str:
    if _is_single(ranges):
        return _character(chr(ranges[0][0]))
    negated = ranges[-1][1] == LAST
    members = _complement(list(ranges)) if negated else ranges
    if negated and not members:
        members, negated = ranges, False
    inner = "".join(
        _character(chr(low)) + ("" if low == high else f"-{_character(chr(high))}") for low, high in members
    )
    return f"[{'^' if negated else ''}{inner}]"


def _character(character: str) -> str:
    for letter, control in CONTROLS.items():
        if character == control:
            return f"\\{letter}"
    if character.isascii() and character.isprintable() and not character.isalnum() and character not in " _":
        return f"\\{character}"
    return character
