"""The conditions of edges: a small, safe expression language over the output of the source.

``status == 'failed'`` · ``count > 0 and record.status != "paid"`` · ``sum >= 10.5 or name in ('Ann', 'Jo')``

- ``status`` is the node's own outcome, ``success`` or ``failed``; a column of that name is ``record.status``.
- Values are numbers, texts in either quotes, ``true``, ``false``, ``null`` (or ``None``) and dotted paths.
- Tests are ``== != < <= > >=``, ``in`` and ``not in`` a list of values (or what a path leads to: a list,
  a text, the keys of a mapping), and a path alone. They are joined by ``not``, ``and``, ``or``, in this order
  of binding, and parentheses. Words may be in either case. Nothing is called and nothing calculated.
- Logic has two values, as in filters. What is missing is null. Null equals null only and is neither less nor
  greater than anything. A path alone holds unless its value is null, false, zero or empty.
- An Enum counts as its value; a text beside a date, a time or a UUID is read as one; a datetime without a
  zone is in UTC. Other values of unlike types are unequal, and to put them in an order is an error.
"""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

from dataflow.errors import WorkflowError
from dataflow.workflow.paths import Path, parse_path

__all__ = ["Condition"]

MAX_LENGTH: Final = 2000
MAX_DEPTH: Final = 30

_COMPARISONS: Final[dict[str, Callable[[Any, Any], object]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDER: Final = frozenset({"<", "<=", ">", ">="})
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


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of an edge, read once and tested at every run.

    :param text: the condition as it was written.
    :param names: the outputs that it uses, ``status`` among them.
    """

    text: str
    names: frozenset[str]
    _test: "_Test" = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read a condition.

        :raises WorkflowError: where it cannot be understood; the message marks the place.

        >>> sorted(Condition.parse("count > 0 and record.status != 'paid'").names)
        ['count', 'record']
        """
        if len(text) > MAX_LENGTH:
            raise WorkflowError(f"a condition has at most {MAX_LENGTH} characters; let a node decide instead")
        reader = _Reader(text)
        test = reader.whole()
        return cls(text, frozenset(reader.names), test)

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        """Tell whether the edge is taken.

        :param status: the outcome of the source, "success" or "failed".
        :param output: what the source returned.
        :raises WorkflowError: where values of unlike types would have to be put in an order.

        >>> Condition.parse("result.0.total >= 10.5").holds("success", {"result": [{"total": 12}]})
        True
        """
        try:
            return self._test.holds(status, output)
        except _Unlike as error:
            raise WorkflowError(f"condition {self.text!r}: {error}") from None
        except Exception as error:  # an output may hold any object, and comparing it may raise anything
            problem = f"condition {self.text!r} cannot be tested: {type(error).__name__}"
            raise WorkflowError(problem) from error

    def possible(self, status: str) -> bool:
        """Tell whether it can hold after this outcome, whatever the output may be.

        >>> Condition.parse("status == 'failed' and count > 0").possible("success")
        False
        """
        return self._test.known(status) is not False


class _Unlike(TypeError):
    """Two values that cannot be compared as the condition asks; the text is ours and shows no value."""


class _Literal(NamedTuple):
    content: object

    def value(self, status: str, output: Mapping[str, object]) -> object:
        return self.content


class _Status(NamedTuple):
    def value(self, status: str, output: Mapping[str, object]) -> object:
        return status


class _Output(NamedTuple):
    path: Path

    def value(self, status: str, output: Mapping[str, object]) -> object:
        return self.path.find(output)


_Operand: TypeAlias = _Literal | _Status | _Output


class _Truth(NamedTuple):
    operand: _Operand

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        return bool(_plain(self.operand.value(status, output)))

    def known(self, status: str) -> bool | None:
        return None if isinstance(self.operand, _Output) else self.holds(status, {})


class _Compare(NamedTuple):
    left: _Operand
    sign: str
    compare: Callable[[Any, Any], object]
    right: _Operand

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        left, right = _alike(self.left.value(status, output), self.right.value(status, output))
        if (left is None or right is None) and self.sign in _ORDER:
            return False
        try:
            return bool(self.compare(left, right))
        except TypeError:
            raise _Unlike(f"{self.sign} cannot compare {_kind(left)} with {_kind(right)}") from None

    def known(self, status: str) -> bool | None:
        return _known(self, status)


class _Member(NamedTuple):
    left: _Operand
    right: _Operand

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        item, container = _plain(self.left.value(status, output)), _plain(self.right.value(status, output))
        if isinstance(container, _LISTS) and not isinstance(container, _TEXTS):
            return any(_equal(item, other) for other in container)
        if container is None or (item is None and isinstance(container, str)):
            return False
        if isinstance(item, str) and isinstance(container, str):
            return item in container
        raise _Unlike(f"in cannot look for {_kind(item)} inside {_kind(container)}")

    def known(self, status: str) -> bool | None:
        return _known(self, status)


class _Not(NamedTuple):
    test: "_Test"

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        return not self.test.holds(status, output)

    def known(self, status: str) -> bool | None:
        inner = self.test.known(status)
        return None if inner is None else not inner


class _Chain(NamedTuple):
    """Tests joined by ``and``, which one false test decides, or by ``or``, which one true test decides."""

    tests: "tuple[_Test, ...]"
    decisive: bool

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        decisive = self.decisive
        for test in self.tests:
            if test.holds(status, output) is decisive:
                return decisive
        return not decisive

    def known(self, status: str) -> bool | None:
        answers = {test.known(status) for test in self.tests}
        if self.decisive in answers:
            return self.decisive
        return None if None in answers else not self.decisive


_Test: TypeAlias = _Truth | _Compare | _Member | _Not | _Chain


def _known(test: _Compare | _Member, status: str) -> bool | None:
    """Answer a comparison that does not depend on the output."""
    if isinstance(test.left, _Output) or isinstance(test.right, _Output):
        return None
    return test.holds(status, {})


_DIRECT: Final = frozenset({str, int, float, bool})
_LISTS: Final = (tuple, list, Collection)  # the plain types first: they spare the slower abstract one
_TEXTS: Final = (str, bytes, bytearray, memoryview)


def _equal(left: object, right: object) -> bool:
    left, right = _alike(left, right)
    return bool(left == right)


def _alike(left: object, right: object) -> tuple[object, object]:
    """Bring two values to one type, where there is one sensible reading."""
    if type(left) is type(right) and type(left) in _DIRECT:
        return left, right
    left, right = _plain(left), _plain(right)
    if left is None or right is None:
        return left, right
    if isinstance(left, str) and not isinstance(right, str):
        return _read_as(right, left), right
    if isinstance(right, str) and not isinstance(left, str):
        return left, _read_as(left, right)
    if isinstance(left, Decimal) and isinstance(right, float):
        return left, _as_written(right)
    if isinstance(left, float) and isinstance(right, Decimal):
        return _as_written(left), right
    return left, right


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _as_written(number: float) -> Decimal:
    """Read a float as its digits say: 10.1 equals Decimal("10.1"), though not in binary."""
    return Decimal(float.__repr__(number))


def _read_as(other: object, text: str) -> object:
    kind: type = type(other)
    return _parse(kind, text) if len(text) <= 64 else text  # only short ones are worth remembering


@lru_cache(maxsize=256)
def _parse(kind: type, text: str) -> object:
    """Read a text as this type; where it cannot be, it stays a text and equals nothing of that type."""
    from uuid import UUID

    try:
        if issubclass(kind, datetime):
            return _plain(datetime.fromisoformat(text))
        if issubclass(kind, date):
            return date.fromisoformat(text)
        if issubclass(kind, time):
            return time.fromisoformat(text)
        if issubclass(kind, UUID):
            return UUID(text)
    except ValueError:
        pass
    return text


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Reader:
    """A recursive descent over the text, bounded in depth."""

    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._text = text
        self._depth = 0
        self._tokens = iter(self._scan())
        self._next = next(self._tokens)

    def whole(self) -> _Test:
        if self._next.kind == "end":
            self._refuse("the condition is empty; an edge that is always taken has none")
        test = self._either()
        if self._next.kind != "end":
            self._refuse("expected 'and', 'or' or the end")
        return test

    def _either(self) -> _Test:
        tests = [self._both()]
        while self._accept("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else _Chain(tuple(tests), decisive=True)

    def _both(self) -> _Test:
        tests = [self._single()]
        while self._accept("and"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else _Chain(tuple(tests), decisive=False)

    def _single(self) -> _Test:
        if self._depth == MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels")
        self._depth += 1
        try:
            if self._accept("not"):
                return _Not(self._single())
            if self._accept("("):
                test = self._either()
                self._expect(")")
                return test
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> _Test:
        start = self._next
        left = self._operand()
        sign = self._next.text if self._next.kind == "mark" else ""
        test: _Test
        if sign in _COMPARISONS:
            self._advance()
            test = _Compare(left, sign, _COMPARISONS[sign], self._operand())
        elif self._accept("in"):
            test = _Member(left, self._container())
        elif self._accept("not"):
            self._expect("in")
            test = _Not(_Member(left, self._container()))
        else:
            test = _Truth(left)
            if isinstance(left, _Literal) and not isinstance(left.content, bool):
                self._refuse("a value alone decides nothing; compare it, as in status == 'failed'", start)
        self._check(test, start)
        return test

    def _check(self, test: _Test, start: _Token) -> None:
        try:
            test.known("success")  # values that never fit are told now, not at the first run
        except _Unlike as error:
            self._refuse(str(error), start)
        if self._next.kind == "mark" and (self._next.text in _COMPARISONS or self._next.text == "in"):
            self._refuse("comparisons do not chain; join two with 'and'")
        if self._next.kind == "name" and self._next.text.casefold() == "is":
            self._refuse("null is tested with == null or != null")

    def _operand(self) -> _Operand:
        token = self._next
        if token.kind == "name":
            self._advance()
            return self._named(token)
        return _Literal(self._literal("a value: a name, a number, a text, true, false or null"))

    def _named(self, token: _Token) -> _Operand:
        if self._next.text == "(":
            self._refuse("conditions call nothing; let the node return what is to be tested")
        if self._next.text == "[":
            self._refuse(f"a position is written with a dot, as in {token.text}.0")
        path = parse_path(token.text)
        self.names.add(path.root)
        if path.root != "status":
            return _Output(path)
        if path.rest:
            self._refuse("status is the outcome of the node; a column of that name is record.status", token)
        return _Status()

    def _container(self) -> _Operand:
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
        return _Literal(tuple(values))

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
        return value if _as_written(value) == exact else exact

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
