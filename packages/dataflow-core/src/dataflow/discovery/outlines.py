"""A database as a text to be read: each table with its columns, what they hold and where they refer to."""

from collections.abc import Iterable, Iterator

from dataflow.catalog import CatalogColumn, CatalogReference, CatalogTable
from dataflow.discovery.survey import Survey

__all__ = ["outline"]


def outline(found: Survey) -> str:
    """Every table, and at the end how many there are."""
    blocks = ["\n".join(_table(found, label, table)) for label, table in found.tables.items()]
    return "\n\n".join([*blocks, _sum(found)])


def _sum(found: Survey) -> str:
    views = sum(table.kind == "view" for table in found.tables.values())
    relations = sum(len(table.foreign_keys) for table in found.tables.values())
    counted = [
        _counted(len(found.tables) - views, "table"),
        _counted(views, "view"),
        _counted(relations, "relation"),
        _counted(len(found.models), "model"),
    ]
    return f"{', '.join(counted)} in {found.url}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _table(found: Survey, label: str, table: CatalogTable) -> Iterator[str]:
    model = found.models.get(label)
    became = f"no model: {found.problems[label]}" if model is None else f"model {model.name}"
    rows = [] if table.rows is None else [f"about {_counted(table.rows, 'row')}"]
    yield f"{label}  ({', '.join([*table.traits, table.kind, *rows, became])})"
    yield from _aligned(_column(table, column) for column in table.columns)
    yield from (f"  refers by {_reference(one)}" for one in table.foreign_keys if len(one.columns) > 1)


def _column(table: CatalogTable, column: CatalogColumn) -> tuple[str, ...]:
    held = "as a text" if column.logical is None else column.logical.python.__name__
    return column.name, column.type or "-", held, ", ".join(_remarks(table, column))


def _remarks(table: CatalogTable, column: CatalogColumn) -> Iterator[str]:
    if column.name in table.key:
        yield "key"
    elif column.nullable:
        yield "may be null"
    if column.forbidden:
        yield "forbidden to this user"
    if column.identity:
        yield "numbered"
    if column.generated:
        yield "computed"
    for reference in table.foreign_keys:
        if reference.columns == (column.name,):
            yield f"-> {_target(reference)}"
    for index in table.indexes:
        if index.unique and index.columns == (column.name,) and table.key != index.columns:
            yield f"unique where {index.where}" if index.where else "unique"


def _reference(reference: CatalogReference) -> str:
    return f"{', '.join(reference.columns)} -> {_target(reference)}"


def _target(reference: CatalogReference) -> str:
    return f"{reference.label} ({', '.join(reference.referred)})"


def _aligned(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    lines = list(rows)
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        yield "  " + "  ".join(map(str.ljust, line, widths)).rstrip()
