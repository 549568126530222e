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

from dataflow.filters.regex.pattern import Pattern, read
from dataflow.filters.regex.reader import parse
from dataflow.filters.regex.rendering import render
from dataflow.filters.regex.tree import Anchor, Characters, Choice, Ranges, Repeat, Run, Tree

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
