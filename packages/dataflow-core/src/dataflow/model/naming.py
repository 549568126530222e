"""From the name of a class to the name of its table, and what a name may be."""

import re

from dataflow.errors import ModelError

__all__ = ["check_identifier", "plural", "singular", "snake_case", "table_name"]

_IRREGULAR = {
    "child": "children",
    "lens": "lenses",
    "man": "men",
    "news": "news",
    "person": "people",
    "quiz": "quizzes",
    "series": "series",
    "species": "species",
    "woman": "women",
}
_REGULAR = ("alias", "atlas", "bias", "bonus", "bus", "campus", "canvas", "gas", "process", "status", "virus")
"""Words whose plural could be that of another one: ``statuses``, but ``houses``."""

_SINGULAR = {
    **{many: one for one, many in _IRREGULAR.items()},
    **{f"{one}es": one for one in _REGULAR},
    **{f"{one}s": one for one in ("cache", "cookie", "menu", "movie", "shoe", "tie")},
}
_LONGEST_IDENTIFIER = 63  # in bytes, as PostgreSQL counts; it cuts longer ones silently


def check_identifier(name: object, what: str, where: str) -> None:
    """Check the name of a table, a column or an index; as all are quoted, reserved words are fine.

    :param what: what it names: "the column".
    :param where: whose it is, for messages.
    :raises ModelError: when no database could have it.
    """
    if not isinstance(name, str):
        raise ModelError(f"{where}: {what} must be a str, not {type(name).__name__}")
    if not name.strip():
        raise ModelError(f"{where}: {what} is empty")
    if "\0" in name or len(name.encode(errors="ignore")) < len(name.encode(errors="surrogatepass")):
        raise ModelError(f"{where}: {what} holds a NUL or a lone surrogate, which no database takes")
    if len(name.encode()) > _LONGEST_IDENTIFIER:
        raise ModelError(f"{where}: {what} is longer than {_LONGEST_IDENTIFIER} bytes; choose a shorter one")


def table_name(class_name: str) -> str:
    """Name the table of a class: plural snake case.

    >>> table_name("OrderItem"), table_name("NewModel")
    ('order_items', 'new_models')
    """
    head, underscore, last = snake_case(class_name).rpartition("_")
    return f"{head}{underscore}{plural(last)}"


def snake_case(name: str) -> str:
    """Split a CamelCase name into words, in lower case; an acronym is one word.

    >>> snake_case("OrderItem"), snake_case("HTTPServer"), snake_case("already_snake")
    ('order_item', 'http_server', 'already_snake')
    """
    letters = []
    for position, letter in enumerate(name):
        before, after = name[position - 1 : position], name[position + 1 : position + 2]
        if letter.isupper() and before not in ("", "_") and (not before.isupper() or after.islower()):
            letters.append("_")
        letters.append(letter)
    return "".join(letters).lower()


def plural(word: str) -> str:
    """Put a lower-case English noun into the plural; one that looks plural stays as it is.

    >>> plural("order"), plural("category"), plural("address"), plural("person"), plural("settings")
    ('orders', 'categories', 'addresses', 'people', 'settings')
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    if word.endswith("is"):
        return f"{word[:-2]}es"
    if re.search(r"([asou]s|x|z|ch|sh)$", word):
        return f"{word}es"
    return word if word.endswith("s") else f"{word}s"


def singular(word: str) -> str:
    """Put a lower-case English noun into the singular; one that looks singular stays as it is.

    >>> [singular(word) for word in ("orders", "categories", "addresses", "people", "statuses", "houses", "status")]
    ['order', 'category', 'address', 'person', 'status', 'house', 'status']
    """
    if word in _SINGULAR:
        return _SINGULAR[word]
    if re.search(r"[^aeiou]ies$", word):
        return f"{word[:-3]}y"
    if word.endswith("yses"):
        return f"{word[:-2]}is"
    if re.search(r"(ss|x|zz|ch|sh|[^aeiou]o)es$", word):
        return word[:-2]
    is_plural = word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if is_plural else word
