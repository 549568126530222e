"""The string conditions that select one row: ``"id = :product_id AND active = :active"``.

A deliberately small grammar. Values never stand in the text, they are bound by name, so there is nothing to
inject into; whatever needs more is written as a filter document. A message says where the text went wrong and
never repeats what stands there, for it may be a value.
"""

import re
from typing import Final, NamedTuple, NoReturn

from dataflow.errors import InvalidValue, MissingValue

__all__ = ["Comparison", "parse_selector"]

MAX_LENGTH: Final = 2000

_OPERATORS: Final = {
    "=": "$eq",
    "==": "$eq",
    "!=": "$ne",
    "<>": "$ne",
    "<": "$lt",
    "<=": "$lte",
    ">": "$gt",
    ">=": "$gte",
}
_FILTER_OPERATORS: Final = frozenset({"in", "like", "ilike", "between", "contains", "exists", "regex", "not"})
_RESERVED: Final = frozenset({"and", "or", "not"})

_SPACE: Final = re.compile(r"\s*")
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"')
_OPERATOR: Final = re.compile(r"[=!<>]+")


class Comparison(NamedTuple):
    """A field, compared with a bound value.

    :param field: the name of the field, not yet checked against a model.
    :param operator: the comparison in MongoDB's words, such as ``"$eq"``.
    :param parameter: the name under which the value is bound.
    """

    field: str
    operator: str
    parameter: str


def parse_selector(text: str, where: str = "conditions") -> tuple[Comparison, ...]:
    """Read a string condition; all of its comparisons must hold.

    :param text: ``field operator :name``, joined by AND; a field with an odd name stands in double quotes.
    :param where: the place that messages name, such as ``"UserReadNode conditions"``.
    :raises MissingValue: for an empty text.
    :raises InvalidValue: for a text outside of the grammar; the message says what to write instead.

    >>> parse_selector("id = :product_id")
    (Comparison(field='id', operator='$eq', parameter='product_id'),)
    """
    if not text.strip():
        raise MissingValue(f'{where}: the text is empty; write a comparison, such as "id = :id"')
    if len(text) > MAX_LENGTH:
        raise InvalidValue(f"{where}: longer than {MAX_LENGTH} characters; write a filter dict")
    reader = _Reader(text, where)
    comparisons = [reader.comparison()]
    while not reader.at_end():
        reader.conjunction()
        comparisons.append(reader.comparison())
    return tuple(comparisons)


class _Reader:
    """Walks once over the text, from left to right."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where
        self._at = 0

    def at_end(self) -> bool:
        self._take(_SPACE)
        return self._at == len(self._text)

    def comparison(self) -> Comparison:
        field = self._field()
        return Comparison(field, self._operator(field), self._parameter(field))

    def conjunction(self) -> None:
        start = self._at
        word = self._word().casefold()
        if word == "and":
            return
        self._at = start
        if word == "or":
            self._refuse("OR is not possible here; write a filter dict, {'$or': [...]}")
        self._refuse("after a comparison comes AND or the end; for anything else write a filter dict")

    def _field(self) -> str:
        self._take(_SPACE)
        quoted = self._take(_QUOTED)
        if quoted is not None:
            return self._quoted_field(quoted[1:-1].replace('""', '"'))
        start = self._at
        name = self._word()
        if not name.isidentifier() or name.casefold() in _RESERVED:
            self._at = start
            self._refuse('a field must come here, then an operator and a bound name, as in "id = :id"')
        return name

    def _quoted_field(self, name: str) -> str:
        if name.startswith("$") or not name.strip() or not name.isprintable():
            self._refuse("the quoted text before this is no name of a field")
        return name

    def _operator(self, field: str) -> str:
        self._take(_SPACE)
        start = self._at
        sign = self._take(_OPERATOR)
        if sign in _OPERATORS:
            return _OPERATORS[sign]
        self._at = start
        if self._text.startswith(".", start):
            self._refuse(
                "a dot is not possible here; write the field alone, or a filter dict for a path into JSON"
            )
        word = self._word().casefold()
        if word == "is":
            self._refuse(f"IS is no operator here; write a filter dict, {{{field!r}: None}}")
        if word in _FILTER_OPERATORS:
            self._refuse(f"{word.upper()} is no operator here; write a filter dict with ${word}")
        self._refuse(f"after {field!r} comes one of = != < <= > >=")

    def _parameter(self, field: str) -> str:
        self._take(_SPACE)
        start = self._at
        if self._text.startswith(":", start):
            self._at += 1
            name = self._word()
            if name.isidentifier():
                return name
        self._at = start
        self._refuse(
            f"the value of {field!r} is bound by name, never written into the text: put :name in its place "
            f"and give the parameter 'name', or write a filter dict, {{{field!r}: ...}}"
        )

    def _word(self) -> str:
        """What stands here like a name: letters and digits, and the few marks more that Python lets a name hold."""
        end = self._at
        while end < len(self._text) and (
            self._text[end].isalnum() or self._text[self._at : end + 1].isidentifier()
        ):
            end += 1
        word, self._at = self._text[self._at : end], end
        return word

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match.group()

    def _refuse(self, problem: str) -> NoReturn:
        raise InvalidValue(f"{self._where}, at character {self._at + 1}: {problem}")
