"""The source that reads a value of a row and checks it, for functions that are written for rows of given names.

A call per value costs more than all else that is done with it. So the test that usual values pass is spelt out in the
text, and the coercer is called for the other values only. The text is made of numbers and of the names' own literals.
"""

from collections.abc import Sequence
from typing import Any

from dataflow.coercion import shortcut
from dataflow.model.schema import ModelField

__all__ = ["value_source"]


def value_source(
    name: str, field: ModelField, number: int, space: dict[str, Any], passing: Sequence[str] = ()
) -> list[str]:
    """The lines that put ``row[name]``, checked, into ``value_<number>``.

    :param space: gets what the lines name.
    :param passing: names of that space; what they stand for passes as it is.
    """
    value, test = f"value_{number}", shortcut(field.type)
    space[f"coerce_{number}"] = field.coerce
    space.update({f"{word}_{number}": meaning for word, meaning in test.names.items()})
    unusual = f"not ({test.source(value, f'_{number}')})"
    if field.nullable:
        unusual = f"{value} is not None and {unusual}"
    for other in passing:
        unusual = f"{value} is not {other} and {unusual}"
    return [f"{value} = row[{name!r}]", f"if {unusual}:", f"    {value} = coerce_{number}({value})"]
