"""Reads regular expressions of the portable subset as trees."""

from typing import Final, NoReturn

from dataflow.errors import InvalidValue
from dataflow.filters.regex.ranges import (
    CLASSES,
    CONTROLS,
    NO_NEWLINE,
    complement,
    folded,
    is_single,
    merged,
    single,
)
from dataflow.filters.regex.tree import Anchor, Characters, Choice, Ranges, Repeat, Run, Tree

__all__ = ["parse"]

MAX_DEPTH: Final = 40
MAX_REPEATS: Final = 255  # of PostgreSQL, the least of all

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
}


def parse(pattern: str, fold: bool = False, where: str = "$regex") -> Tree:
    """Read a pattern, perhaps one that :func:`render` wrote, as a tree.

    :raises InvalidValue: as :func:`read` does.
    """
    return _Reader(pattern, fold, where).whole()


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
        return self._characters(self._escape() if character == "\\" else single(character))

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
            most = self._number()
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
        return int(digits) if digits else None

    def _class(self) -> Tree:
        negated = self._take("^")
        if self._next() == "]":
            self._refuse("a class is empty, or its first ] is a character: write \\] for that")
        members: list[tuple[int, int]] = []
        while not self._take("]"):
            members.extend(self._member())
        ranges = folded(members) if self._fold else merged(members)
        allowed = complement(ranges) if negated else ranges
        if not allowed:
            self._refuse("a class excludes every character")
        return Characters(allowed)

    def _member(self) -> Ranges:
        first = self._class_character()
        if self._next() != "-" or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return first
        self._at += 1
        last = self._class_character()
        if not (is_single(first) and is_single(last)):
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
        return self._escape() if character == "\\" else single(character)

    def _escape(self) -> Ranges:
        character = self._advance() if self._next() else self._refuse("a \\ stands at the end")
        if character in CLASSES:
            return CLASSES[character]
        if character in CONTROLS:
            return single(CONTROLS[character])
        if character.isascii() and character.isprintable() and not character.isalnum():
            return single(character)
        if character in "0123456789":
            self._refuse("a back-reference or an escape by number is not in the portable subset")
        name = ESCAPES.get(character, f"the escape \\{character}")
        self._refuse(f"{name} is not in the portable subset")

    def _characters(self, ranges: Ranges) -> Characters:
        return Characters(folded(ranges) if self._fold else ranges)

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
