"""The names in Python source that is written: those it imports, and those of fields."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from keyword import iskeyword
from unicodedata import normalize

from dataflow.discovery.names import kept_apart

__all__ = ["Imports", "attribute_names"]


class Imports:
    """What the source imports. A name that a class or a field has is imported under another one.

    >>> imports = Imports({"date"})
    >>> imports.name("datetime", "date"), imports.name("typing", "Literal"), imports.name("builtins", "int")
    ('date_', 'Literal', 'int')
    >>> print("\\n".join(imports.lines()))
    from datetime import date as date_
    from typing import Literal
    """

    def __init__(self, taken: Collection[str]) -> None:
        self._taken = taken
        self._used: dict[str, dict[str, str]] = {}

    def name(self, module: str, name: str) -> str:
        """What the source calls a name of a module."""
        alias = name
        while alias in self._taken:
            alias += "_"
        self._used.setdefault(module, {})[name] = alias
        return alias

    def lines(self, *modules: str) -> Iterator[str]:
        """The statements for the modules that are named, or for all others than ``dataflow``, in order."""
        for module in modules or sorted(self._used.keys() - {"dataflow"}):
            names = sorted(self._used.get(module, {}).items(), key=_as_sorters_do)
            plain = [name for name, alias in names if name == alias and module != "builtins"]
            if plain:
                yield f"from {module} import {', '.join(plain)}"
            yield from (f"from {module} import {name} as {alias}" for name, alias in names if name != alias)


def attribute_names(fields: Iterable[str]) -> Mapping[str, str]:
    """What each field is called in a class: its own name, where Python takes that.

    >>> attribute_names(["First Name", "class", "2fa", "__row", "First_Name", "int"])
    {'First Name': 'First_Name_2', 'class': 'class_', '2fa': '_2fa', '__row': '_row', 'First_Name': 'First_Name', \
'int': 'int'}
    """
    return kept_apart(fields, _plain)


def _plain(name: str) -> str:
    word = re.sub(r"\W+", "_", normalize("NFKC", name)) or "_"
    word = word if word.isidentifier() else f"_{word}"
    # Python would put the name of the class before one that begins with two underscores.
    word = re.sub("^__+", "_", word)
    return f"{word}_" if iskeyword(word) else word


def _as_sorters_do(item: tuple[str, str]) -> tuple[bool, str]:
    """Classes before functions, as those who sort imports do."""
    name = item[0]
    return name[:1].islower(), name
