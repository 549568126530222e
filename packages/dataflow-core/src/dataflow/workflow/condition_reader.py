"""The tokenizer and the parser of conditions: text becomes a test, or an error that marks the place."""

import re
from decimal import Decimal
from typing import Final, NamedTuple, NoReturn

from dataflow.errors import WorkflowError
from dataflow.workflow.comparisons import (
    COMPARISONS,
    Chain,
    Compare,
    Literal,
    Member,
    Not,
    Operand,
    Output,
    Status,
    Test,
    Truth,
    Unlike,
    as_written,
)
from dataflow.workflow.paths import parse_path

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "parse_condition"]

MAX_LENGTH: Final = 2000
MAX_DEPTH: Final = 30

_CONSTANTS: Final = {"true": True, "false": False, "null": None, "none": None}
_WORDS: Final = frozenset({"and", "or", "not", "in"})
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}

_TOKEN: Final = re.compile(
    r"""
      (?P<number> -?[0-9]{1,400} (?:\.[0-9]{1,400})? (?:[eE][+-]?[0-9]{1,3})? (?![\w.]) )
    | (?P<name>   [^\W\d]\w* (?:\.\w+)* (?![\w.]) )
    | (?P<text>   '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" )
    | (?P<mark>   [=!]=(?!=) | <(?!>) =? | >=? | [(),\[\]] )
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACE: Final = re.compile(r"\s*")
_HINTS: Final = (
    (re.compile(r"""['"]"""), "this text does not end; close it with the quote that opened it"),
    (re.compile(r"-?[0-9]"), "this is neither a number nor a name"),
    (re.compile(r"={3}|=(?!=)"), "a comparison is written =="),
    (re.compile("<>"), "unequal is written !="),
    (re.compile("!"), "a negation is written not, or !="),
    (re.compile("&"), "write and"),
    (re.compile(r"\|"), "write or"),
    (re.compile("[-+*/%]"), "conditions do not calculate; let the node return the figure"),
    (re.compile(r"[^\W\d]|\."), "a dot stands between two names or positions, as in result.0.total"),
)


def parse_condition(text: str) -> tuple[Test, frozenset[str]]:
    """Read a condition: what it tests, and the names of the outputs that it uses.

    :raises WorkflowError: where it cannot be understood; the message marks the place.
    """
    if len(text) > MAX_LENGTH:
        raise WorkflowError(f"a condition has at most {MAX_LENGTH} characters; let a node decide instead")
    parser = _Parser(text)
    test = parser.whole()
    return test, frozenset(parser.names)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Parser:
    """A recursive descent over the text, bounded in depth."""

    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._text = text
        self._depth = 0
        self._tokens = iter(self._scan())
        self._next = next(self._tokens)

    def whole(self) -> Test:
        if self._next.kind == "end":
            self._refuse("the condition is empty; an edge that is always taken has none")
        test = self._either()
        if self._next.kind != "end":
            self._refuse("expected 'and', 'or' or the end")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._accept("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else Chain(tuple(tests), decisive=True)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._accept("and"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else Chain(tuple(tests), decisive=False)

    def _single(self) -> Test:
        if self._depth == MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels")
        self._depth += 1
        try:
            if self._accept("not"):
                return Not(self._single())
            if self._accept("("):
                test = self._either()
                self._expect(")")
                return test
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Test:
        start = self._next
        left = self._operand()
        sign = self._next.text if self._next.kind == "mark" else ""
        test: Test
        if sign in COMPARISONS:
            self._advance()
            test = Compare(left, sign, COMPARISONS[sign], self._operand())
        elif self._accept("in"):
            test = Member(left, self._container())
        elif self._accept("not"):
            self._expect("in")
            test = Not(Member(left, self._container()))
        else:
            test = Truth(left)
            if isinstance(left, Literal) and not isinstance(left.content, bool):
                self._refuse("a value alone decides nothing; compare it, as in status == 'failed'", start)
        self._check(test, start)
        return test

    def _check(self, test: Test, start: _Token) -> None:
        try:
            test.known("success")  # values that never fit are told now, not at the first run
        except Unlike as error:
            self._refuse(str(error), start)
        if self._next.kind == "mark" and (self._next.text in COMPARISONS or self._next.text == "in"):
            self._refuse("comparisons do not chain; join two with 'and'")
        if self._next.kind == "name" and self._next.text.casefold() == "is":
            self._refuse("null is tested with == null or != null")

    def _operand(self) -> Operand:
        token = self._next
        if token.kind == "name":
            self._advance()
            return self._named(token)
        return Literal(self._literal("a value: a name, a number, a text, true, false or null"))

    def _named(self, token: _Token) -> Operand:
        if self._next.text == "(":
            self._refuse("conditions call nothing; let the node return what is to be tested")
        if self._next.text == "[":
            self._refuse(f"a position is written with a dot, as in {token.text}.0")
        path = parse_path(token.text)
        self.names.add(path.root)
        if path.root != "status":
            return Output(path)
        if path.rest:
            self._refuse("status is the outcome of the node; a column of that name is record.status", token)
        return Status()

    def _container(self) -> Operand:
        if self._next.kind == "name":
            token = self._next
            self._advance()
            return self._named(token)
        closing = {"(": ")", "[": "]"}.get(self._next.text if self._next.kind == "mark" else "")
        if closing is None:
            self._refuse("expected a list, such as ('a', 'b'), or the name of one")
        self._advance()
        values = [self._literal("a value: a number, a text, true, false or null")]
        while self._accept(",") and not self._is_mark(closing):
            values.append(self._literal("a value: a number, a text, true, false or null"))
        self._expect(closing)
        return Literal(tuple(values))

    def _literal(self, expected: str) -> object:
        token = self._next
        if token.kind == "number":
            value = self._number(token)
        elif token.kind == "text":
            value = self._unescape(token)
        elif token.kind == "constant":
            value = _CONSTANTS[token.text]
        else:
            self._refuse(f"expected {expected}")
        self._advance()
        return value

    def _number(self, token: _Token) -> object:
        if token.text.lstrip("-").isdigit():
            return int(token.text)
        value = float(token.text)
        if value in (float("inf"), float("-inf")):
            self._refuse("this number is too large", token)
        exact = Decimal(token.text)
        return value if as_written(value) == exact else exact

    def _unescape(self, token: _Token) -> str:
        def replace(match: re.Match[str]) -> str:
            code = match.group(1)
            if code[0] == "u" and len(code) == 5:
                return chr(int(code[1:], 16))
            if code not in _ESCAPES:
                self._refuse("an unknown escape; a backslash is written \\\\", token, match.start() + 1)
            return _ESCAPES[code]

        return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", replace, token.text[1:-1], flags=re.DOTALL)

    def _scan(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while True:
            space = _SPACE.match(self._text, at)
            at = space.end() if space else at
            if at == len(self._text):
                return [*tokens, _Token("end", "", at)]
            match = _TOKEN.match(self._text, at)
            if match is None:
                self._refuse(self._hint(at), _Token("unknown", "", at))
            tokens.append(_classify(match))
            at = match.end()

    def _hint(self, at: int) -> str:
        for pattern, hint in _HINTS:
            if pattern.match(self._text, at):
                return hint
        return f"{self._text[at]!r} has no meaning in a condition"

    def _is_mark(self, text: str) -> bool:
        return self._next.kind == "mark" and self._next.text == text

    def _accept(self, text: str) -> bool:
        if not self._is_mark(text):
            return False
        self._advance()
        return True

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            self._refuse(f"expected {text!r}")

    def _advance(self) -> None:
        self._next = next(self._tokens)

    def _refuse(self, problem: str, token: _Token | None = None, offset: int = 0) -> NoReturn:
        """Raise, with the line and a caret under the place."""
        at = (token or self._next).at + offset
        start = self._text.rfind("\n", 0, at) + 1
        line = self._text[start:].split("\n", 1)[0]
        shown = "".join(character if character.isprintable() else " " for character in line)
        raise WorkflowError(f"in a condition, {problem}\n  {shown}\n  {' ' * (at - start)}^")


def _classify(match: re.Match[str]) -> _Token:
    kind, text = match.lastgroup or "", match.group()
    word = text.casefold()
    if kind == "name" and word in _WORDS:
        return _Token("mark", word, match.start())
    if kind == "name" and word in _CONSTANTS:
        return _Token("constant", word, match.start())
    return _Token(kind, text, match.start())
