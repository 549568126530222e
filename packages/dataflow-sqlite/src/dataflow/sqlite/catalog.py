"""Reading every table of an SQLite database."""

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from dataflow.abc import Connection, Row
from dataflow.catalog import (
    CatalogColumn,
    CatalogConstraint,
    CatalogIndex,
    CatalogReference,
    CatalogTable,
    by_itself,
)
from dataflow.errors import QueryError
from dataflow.sqlite.checks import checks_of
from dataflow.sqlite.introspection import fold
from dataflow.sqlite.types import logical_type

__all__ = ["catalog_of"]

T = TypeVar("T")

TABLES = r"""
SELECT name, type, sql FROM sqlite_master
WHERE type IN ('table', 'view') AND (name NOT LIKE 'sqlite\_%' ESCAPE '\' OR name = 'sqlite_stat1')
ORDER BY name
"""
# What a virtual table keeps its contents in.
SHADOWS = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"
SHADOWS_SINCE = (3, 37, 0)
COLUMNS = """
SELECT m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk, c.hidden
FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS c
WHERE m.type IN ('table', 'view') AND (? IS NULL OR m.name = ?)
ORDER BY m.name, c.cid
"""
INDEXES = """
SELECT m.name, i.name, i."unique", i.origin, i.partial, c.name, c."desc", s.sql
FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_xinfo(i.name) AS c
LEFT JOIN sqlite_master AS s ON s.type = 'index' AND s.name = i.name
WHERE m.type = 'table' AND c.key AND m.sql NOT LIKE 'CREATE VIRTUAL%'
ORDER BY m.name, i.name, c.seqno
"""
REFERENCES = """
SELECT m.name, f.id, f."table", f."from", f."to", f.on_delete, f.on_update
FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%'
ORDER BY m.name, f.id, f.seq
"""
ROWS = "SELECT tbl, MAX(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl"
STATISTICS = "sqlite_stat1"

OPTIONS = re.compile(
    r"\)\s*((?:WITHOUT\s+ROWID|STRICT)(?:\s*,\s*(?:WITHOUT\s+ROWID|STRICT))*)\s*;?\s*$", re.I
)
PARTIAL = re.compile(r"\bWHERE\b(.*)$", re.IGNORECASE | re.DOTALL)
VIRTUAL = re.compile(r"\s*CREATE\s+VIRTUAL\s", re.IGNORECASE)
GENERATED: Mapping[int, str] = {2: "virtual", 3: "stored"}
HIDDEN = 1
BROKEN = "broken"
"""What is special about a view that names a table which is gone, or a virtual table whose module is not there."""


async def catalog_of(connection: Connection) -> Sequence[CatalogTable]:
    """Describe the tables and views."""
    found = await connection.fetch(TABLES, ())
    shadows: set[str] = set()
    if sqlite3.sqlite_version_info >= SHADOWS_SINCE:
        shadows = {name for (name,) in await connection.fetch(SHADOWS, ())}
    estimates: dict[str, int] = {}
    if any(name == STATISTICS for name, _, _ in found):
        estimates = dict(await connection.fetch(ROWS, ()))
    shown = [row for row in found if row[0] not in shadows and row[0] != STATISTICS]
    columns = await _columns(connection, [name for name, _, _ in shown])
    indexes = _by_table(await connection.fetch(INDEXES, ()))
    references = _by_table(await connection.fetch(REFERENCES, ()))

    def described(name: str, kind: str, sql: str) -> CatalogTable:
        about = columns.get(name, ()), indexes.get(name, ()), references.get(name, ())
        return by_itself(name, "", lambda: _table(name, kind, sql, *about)._replace(rows=estimates.get(name)))

    return _referring([described(*row) for row in shown])


async def _columns(connection: Connection, names: Sequence[str]) -> Mapping[str, Sequence[Row]]:
    """The columns of tables; none of those that SQLite cannot look into, which would spoil it for the others."""
    try:
        return _by_table(await connection.fetch(COLUMNS, (None, None)))
    except QueryError:
        found: dict[str, Sequence[Row]] = {}
        for name in names:
            try:
                found.update(_by_table(await connection.fetch(COLUMNS, (name, name))))
            except QueryError:
                found[name] = ()
        return found


def _by_table(rows: Iterable[Row]) -> Mapping[str, Sequence[Row]]:
    return {name: [row[1:] for row in some] for name, some in groupby(rows, lambda row: row[0])}


def _table(
    name: str,
    kind: str,
    sql: str,
    columns: Sequence[Row],
    indexes: Sequence[Row],
    references: Sequence[Row],
) -> CatalogTable:
    traits = _traits(sql, columns)
    key = tuple(column for _, column in sorted((row[4], row[0]) for row in columns if row[4]))
    # A column that is another name for the number that SQLite gives each row needs no index for its key.
    has_index = any(origin == "pk" for _, _, origin, *_ in indexes)
    numbers = key if "without rowid" not in traits and len(key) == 1 and not has_index else ()
    return CatalogTable(
        name=name,
        kind="view" if kind == "view" else "table",
        columns=tuple(_column(row, is_number=row[0] in numbers) for row in columns),
        traits=traits,
        key=key,
        foreign_keys=tuple(_reference(list(rows)) for _, rows in groupby(references, lambda row: row[0])),
        indexes=tuple(_index(list(rows)) for _, rows in groupby(indexes, lambda row: row[0])),
        constraints=(*_unique(indexes), *checks_of(sql)),
    )


def _traits(sql: str, columns: Sequence[Row]) -> tuple[str, ...]:
    traits = ["virtual"] if VIRTUAL.match(sql) else []
    if not columns:
        traits.append(BROKEN)
    options = OPTIONS.search(sql)
    if options is not None and not VIRTUAL.match(sql):
        traits += [" ".join(option.lower().split()) for option in options[1].split(",")]
    return tuple(traits)


def _column(row: Row, *, is_number: bool) -> CatalogColumn:
    name, declared, required, default, position, hidden = row
    is_number = is_number and declared.upper() == "INTEGER"
    return CatalogColumn(
        name=name,
        type=declared,
        logical=logical_type(declared),
        nullable=not required and not (is_number and position),
        default=default,
        generated=GENERATED.get(hidden, ""),
        identity="by default" if is_number else "",
        hidden=hidden == HIDDEN,
    )


def _reference(rows: Sequence[Row]) -> CatalogReference:
    _, table, _, _, on_delete, on_update = rows[0]
    return CatalogReference(
        name="",
        columns=tuple(row[2] for row in rows),
        schema="",
        table=table,
        referred=tuple(row[3] for row in rows if row[3] is not None),
        on_delete=on_delete,
        on_update=on_update,
    )


def _referring(tables: Sequence[CatalogTable]) -> Sequence[CatalogTable]:
    """The tables, what they refer to spelt as it is there, and with what a foreign key may leave out: the columns."""
    known = {fold(table.name): table for table in tables}

    def complete(reference: CatalogReference) -> CatalogReference:
        other = known.get(fold(reference.table))
        if other is None:
            return reference
        spelling = {fold(column.name): column.name for column in other.columns}
        referred = tuple(spelling.get(fold(name), name) for name in reference.referred or other.key)
        return reference._replace(table=other.name, referred=referred)

    return [table._replace(foreign_keys=tuple(map(complete, table.foreign_keys))) for table in tables]


def _index(rows: Sequence[Row]) -> CatalogIndex:
    name, unique, _, partial, _, _, sql = rows[0]
    condition = PARTIAL.search(sql) if partial and sql else None
    return CatalogIndex(
        name=name,
        columns=tuple(_shown(column, descends) for _, _, _, _, column, descends, _ in rows),
        unique=bool(unique),
        where=condition[1].strip() if condition is not None else "",
    )


def _shown(column: str | None, descends: Any) -> str:
    return f"{'-' if descends else ''}{column if column is not None else '(expression)'}"


def _unique(rows: Sequence[Row]) -> Iterable[CatalogConstraint]:
    for name, some in groupby((row for row in rows if row[2] == "u"), lambda row: row[0]):
        columns = tuple(row[4] for row in some)
        yield CatalogConstraint(name, "unique", f"UNIQUE ({', '.join(columns)})", columns)
