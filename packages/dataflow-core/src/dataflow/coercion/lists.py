"""Coercion to lists whose elements are all of one type."""

from collections.abc import Callable
from typing import Any, cast

from dataflow.coercion.refusals import is_a, refusal
from dataflow.coercion.rules import Rule, Shortcut
from dataflow.errors import InvalidValue

__all__ = ["list_rule"]

Test = Callable[[Any], bool]


def list_rule(element: Rule) -> Rule:
    """The rule for a list.

    :param element: the rule for each of its elements.
    """
    fits = _test(element.shortcut)

    def convert(value: object, where: str) -> object:
        if not is_a(value, list):
            raise refusal(where, "list", value)
        items = cast("list[object]", value)
        return [
            item if fits([item]) else _converted(element, item, f"{where}.{position}")
            for position, item in enumerate(items)
        ]

    return Rule(Shortcut("type({value}) is list and {fits}({value})", {"fits": fits}), convert)


def _converted(element: Rule, item: object, where: str) -> object:
    if item is None:
        raise InvalidValue(f"{where} must not be None; a list that may hold None is list[... | None]")
    return element.convert(item, where)


def _test(shortcut: Shortcut) -> Test:
    """A function that tells whether all of a list pass, with the test spelt out in its loop."""
    source = f"def fits(items):\n    return all({shortcut.source('item')} for item in items)"
    space: dict[str, Any] = dict(shortcut.names)
    exec(source, space)
    fits: Test = space["fits"]
    return fits
