"""What a rule of coercion is made of: a test that the usual value passes as it is, and a conversion for all others.

The test is kept as source, because a call for each value costs more than the test itself: a coercer is compiled from
it, and so is the code that reads whole rows. There is one text, so that both let the same values pass.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from dataflow.coercion.refusals import Coercer, or_none

__all__ = ["Rule", "Shortcut"]


class Shortcut(NamedTuple):
    """A test that a value passes only where coercion leaves it as it is; None never passes.

    :param test: a Python expression over ``{value}``, with the names that it uses in braces too.
    :param names: what those names stand for.

    >>> Shortcut("type({value}) is str and len({value}) <= {limit}", {"limit": 5}).source("name", "_3")
    'type(name) is str and len(name) <= limit_3'
    """

    test: str
    names: Mapping[str, object] = {}

    def source(self, value: str, suffix: str = "") -> str:
        """The expression for a variable, the names with a suffix that keeps those of several tests apart."""
        return self.test.format(value=value, **{name: f"{name}{suffix}" for name in self.names})


class Rule(NamedTuple):
    """How the values of a column are coerced.

    :param convert: takes a value that did not pass, and the place to name in a refusal.
    """

    shortcut: Shortcut
    convert: Callable[[object, str], object]

    def coercer(self, nullable: bool, where: str) -> Coercer:
        """The function that coerces one value."""
        space: dict[str, Any] = {**self.shortcut.names, "other": or_none(self.convert, nullable, where)}
        exec(_compiled(self.shortcut.source("value")), space)
        coerce: Coercer = space["coerce"]
        return coerce


@lru_cache
def _compiled(test: str) -> CodeType:
    source = f"def coerce(value):\n    return value if {test} else other(value)"
    return compile(source, "<dataflow coercion>", "exec")
