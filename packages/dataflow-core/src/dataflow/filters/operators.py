"""The operators of filter documents, each in terms of what it is applied to."""

from collections.abc import Callable, Mapping, Sequence
from sys import maxunicode
from typing import TypeAlias

from dataflow.coercion.strings import to_text
from dataflow.errors import InvalidValue
from dataflow.filters.regex import Pattern, read
from dataflow.filters.targets import Target
from dataflow.filters.wildcards import After, quoted, read_prefix
from dataflow.statements import Where

__all__ = ["OPERATORS", "Read", "equal", "regex"]

Read: TypeAlias = Callable[[Target, object], Where]


def equal(target: Target, value: object) -> Where:
    """``$eq``, and what a value alone means: None asks for null."""
    return target.null() if value is None else target.compare("$eq", value)


def _unequal(target: Target, value: object) -> Where:
    return ~equal(target, value)


def _order(operator: str) -> Read:
    def read_order(target: Target, value: object) -> Where:
        if value is None:
            raise _refusal(target, f"{operator} needs a value; None is found by {{'{target.name}': None}}")
        return target.compare(operator, value)

    return read_order


def _among(target: Target, value: object) -> Where:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence | set | frozenset):
        raise _refusal(target, f"$in needs a list, got {type(value).__name__}")
    members = [member for member in value if member is not None]
    result = target.among(members)
    return target.null() | result if len(members) < len(value) else result


def _not_among(target: Target, value: object) -> Where:
    return ~_among(target, value)


def _between(target: Target, value: object) -> Where:
    if not isinstance(value, list | tuple) or len(value) != 2 or any(end is None for end in value):
        raise _refusal(target, "$between needs a list of two values, [lowest, highest]")
    lowest, highest = value
    return target.compare("$gte", lowest) & target.compare("$lte", highest)


def _exists(target: Target, value: object) -> Where:
    if not isinstance(value, bool):
        raise _refusal(target, f"$exists needs True or False, got {type(value).__name__}")
    return target.exists() if value else ~target.exists()


def _like(target: Target, value: object) -> Where:
    pattern = _pattern(target, "$like", value)
    prefix, after = read_prefix(pattern, f"{target.where}: {target.name}: $like")
    return _after_prefix(target, prefix, after, "$like", pattern)


def _ilike(target: Target, value: object) -> Where:
    pattern = _pattern(target, "$ilike", value)
    read_prefix(pattern, f"{target.where}: {target.name}: $ilike")
    return target.text("$ilike", pattern)


def regex(target: Target, value: object, options: object) -> Where:
    """``$regex`` with its ``$options``."""
    if options not in ("", "i"):
        raise _refusal(target, '$options knows "i" only: small and capital ASCII letters are the same')
    text = _pattern(target, "$regex", value)
    pattern: Pattern = read(text, options == "i", f"{target.where}: {target.name}: $regex")
    return _after_prefix(target, pattern.prefix, pattern.after, "$regex", pattern.text)


def _after_prefix(target: Target, prefix: str, after: After, operator: str, pattern: str) -> Where:
    """What begins with a prefix is a range, which an index finds; the pattern itself is asked for the rest."""
    if after == "end":
        return target.text("$eq", prefix) if target.searchable else target.text(operator, pattern)
    if not prefix or not target.searchable:
        return target.text(operator, pattern)
    found = target.text("$gte", prefix)
    beyond = _successor(prefix)
    if beyond is not None:
        found &= target.text("$lt", beyond)
    elif after == "any":
        return target.text(operator, pattern)
    return found if after == "any" else found & target.text(operator, pattern)


def _successor(prefix: str) -> str | None:
    """The least text that is greater than all that begin so."""
    while prefix:
        code = ord(prefix[-1])
        prefix = prefix[:-1]
        if code < maxunicode:
            return prefix + chr(0xE000 if code == 0xD7FF else code + 1)
    return None


def _pattern(target: Target, operator: str, value: object) -> str:
    target.require_text(operator)
    if not isinstance(value, str):
        raise _refusal(target, f"{operator} needs a str, got {type(value).__name__}")
    return to_text(value, f"{target.where}: {target.name}: {operator}")


def _contains(target: Target, value: object) -> Where:
    in_document = target.contains(value)
    if in_document is not None and not (isinstance(value, str) and target.may_be_text):
        return in_document
    pattern = f"%{quoted(_pattern(target, '$contains', value))}%"
    read_prefix(pattern, f"{target.where}: {target.name}: $contains")
    in_text = target.text("$like", pattern)
    return in_text if in_document is None else in_document | in_text


def _refusal(target: Target, problem: str) -> InvalidValue:
    return InvalidValue(f"{target.where}: {target.name}: {problem}")


OPERATORS: Mapping[str, Read] = {
    "$eq": equal,
    "$ne": _unequal,
    "$gt": _order("$gt"),
    "$gte": _order("$gte"),
    "$lt": _order("$lt"),
    "$lte": _order("$lte"),
    "$between": _between,
    "$in": _among,
    "$nin": _not_among,
    "$exists": _exists,
    "$like": _like,
    "$ilike": _ilike,
    "$contains": _contains,
}
