"""A database as a Mermaid diagram of its tables and of what they refer to."""

import re
from collections.abc import Iterator, Mapping

from dataflow.catalog import CatalogColumn, CatalogReference, CatalogTable

__all__ = ["er_diagram"]


def er_diagram(tables: Mapping[str, CatalogTable]) -> str:
    """Draw each table with its columns, and a line for each foreign key whose other end is there."""
    lines = ["erDiagram"]
    for label, table in tables.items():
        lines.append(f"    {_text(label)} {{")
        lines += [f"        {_column(table, column)}" for column in table.columns]
        lines.append("    }")
    for label, table in tables.items():
        lines += [f"    {line}" for line in _lines(label, table, tables)]
    return "\n".join(lines)


def _column(table: CatalogTable, column: CatalogColumn) -> str:
    name = _word(column.name)
    marks = ", ".join(_marks(table, column.name))
    words = [_word(column.type or "any"), name, *([marks] if marks else [])]
    return " ".join(words if name == column.name else [*words, _text(column.name)])


def _marks(table: CatalogTable, column: str) -> Iterator[str]:
    if column in table.key:
        yield "PK"
    if any(column in reference.columns for reference in table.foreign_keys):
        yield "FK"
    if column not in table.key and _is_unique(table, (column,)):
        yield "UK"


def _lines(label: str, table: CatalogTable, tables: Mapping[str, CatalogTable]) -> Iterator[str]:
    for reference in table.foreign_keys:
        target = reference.label
        if target in tables:
            one = "|o" if _may_be_null(table, reference) else "||"
            many = "o|" if _is_unique(table, reference.columns) else "o{"
            yield f"{_text(target)} {one}--{many} {_text(label)} : {_text(', '.join(reference.columns))}"


def _may_be_null(table: CatalogTable, reference: CatalogReference) -> bool:
    return any(
        column.nullable and column.name not in table.key
        for column in table.columns
        if column.name in reference.columns
    )


def _is_unique(table: CatalogTable, columns: tuple[str, ...]) -> bool:
    if set(columns) == set(table.key):
        return True
    return any(index.unique and not index.where and index.columns == columns for index in table.indexes)


def _word(text: str) -> str:
    """What Mermaid takes as the name or the type of a column: ``numeric(10-2)``."""
    word = re.sub(r"[^A-Za-z0-9_()-]+", "_", text.replace(",", "-")).strip("_") or "_"
    return word if re.match(r"[A-Za-z_]", word) and word.upper() not in KEYS else f"_{word}"


def _text(text: str) -> str:
    """Text between quotes, without what would end it or is a mark of Mermaid."""
    return f'"{re.sub(MARKS, "_", text)}"'


KEYS = frozenset({"PK", "FK", "UK"})
# What Mermaid takes for a mark even between quotes.
MARKS = r'["%\\\x00-\x1f\x7f-\x9f]|(?i:(?<=direction)\s+(?=tb|bt|rl|lr))'
