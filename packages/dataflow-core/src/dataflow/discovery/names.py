"""From the names of tables and columns to those of classes and fields."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from keyword import iskeyword
from types import MappingProxyType
from unicodedata import normalize

from dataflow.catalog import CatalogTable
from dataflow.model.naming import singular, snake_case

__all__ = ["class_names", "field_names", "kept_apart", "labels"]

WORDS = re.compile(r"[\W_]+")


def labels(tables: Iterable[CatalogTable]) -> Mapping[str, CatalogTable]:
    """Tables by the names that tell them apart: a dot in one may look like that behind a schema."""
    found: dict[str, CatalogTable] = {}
    for table in sorted(tables, key=lambda table: (table.schema, table.name)):
        label = table.label if table.label not in found else f'"{table.schema}"."{table.name}"'
        found[label] = table
    return found


def class_names(
    tables: Mapping[str, CatalogTable], known: Mapping[str, str] = MappingProxyType({})
) -> Mapping[str, str]:
    """A class name for the label of each table, and for no two the same.

    It depends on which tables there are, and never on which of them are asked for. Tables that are called in the
    singular choose first, and no class is called as another table is.

    :param known: the names that tables have had before, by their labels; they stay, and nobody else gets them.

    >>> tables = [CatalogTable(name, "table", ()) for name in ("order_items", "Order", "orders", "2fa codes")]
    >>> class_names(labels(tables))
    {'2fa codes': 'Table2faCode', 'Order': 'Order', 'order_items': 'OrderItem', 'orders': 'Orders'}
    """
    taken = {name.casefold() for name in known.values()}
    names = dict(known)

    def is_free(name: str, label: str) -> bool:
        return name.casefold() not in taken and (name == label or name not in tables)

    for label in sorted(tables, key=lambda label: _is_plural(tables[label])):
        if label not in names:
            names[label] = next(name for name in _candidates(tables[label]) if is_free(name, label))
            taken.add(names[label].casefold())
    return {label: names[label] for label in tables}


def _is_plural(table: CatalogTable) -> bool:
    words = _words(table.name)
    return words != _in_singular(words)


def _in_singular(words: Sequence[str]) -> Sequence[str]:
    return [*words[:-1], *(singular(word) for word in words[-1:])]


def _candidates(table: CatalogTable) -> Iterator[str]:
    words = _words(table.name)
    one = _in_singular(words)
    yield _camel_case(one)
    if table.schema:
        yield _camel_case([*_words(table.schema), *one])
    yield _camel_case(words)
    for number in count(2):
        yield f"{_camel_case(one)}{number}"


def _words(name: str) -> list[str]:
    return [
        word for part in WORDS.split(normalize("NFKC", name)) for word in snake_case(part).split("_") if word
    ]


def _camel_case(words: Sequence[str]) -> str:
    name = "".join(word[:1].upper() + word[1:] for word in words)
    name = "".join(letter for letter in name if f"_{letter}".isidentifier())
    if name.endswith("Bulk"):
        # Else its CreateNode would be called as the BulkCreateNode of another table.
        name += "Table"
    return name if name.isidentifier() and not iskeyword(name) else f"Table{name}"


def field_names(columns: Iterable[str]) -> Mapping[str, str]:
    """The field of each column: its own name, unless a filter would take that for something else.

    >>> field_names(["First Name", "a.b", "$set", "a_b"])
    {'First Name': 'First Name', 'a.b': 'a_b_2', '$set': '_set', 'a_b': 'a_b'}
    """
    return kept_apart(columns, _plain)


def kept_apart(names: Iterable[str], plain: Callable[[str], str]) -> Mapping[str, str]:
    """What becomes of each name, with a number where another one is called so already.

    :param plain: makes a name fit; those that fit as they are keep themselves.
    """
    given = list(names)
    taken = {name for name in given if plain(name) == name}
    found: dict[str, str] = {}
    for name in given:
        fitting = plain(name)
        if fitting != name:
            fitting = next(other for other in _numbered(fitting) if other not in taken)
            taken.add(fitting)
        found[name] = fitting
    return found


def _plain(name: str) -> str:
    plain = name.replace(".", "_").replace("$", "_", 1) if name.startswith("$") else name.replace(".", "_")
    return plain.strip("_") or "_" if plain.startswith("__") and plain.endswith("__") else plain


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name}_{number}"
