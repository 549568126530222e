"""Reading every table of a MySQL or MariaDB database."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from dataflow.abc import Connection, Row
from dataflow.catalog import (
    CatalogColumn,
    CatalogConstraint,
    CatalogIndex,
    CatalogReference,
    CatalogTable,
    by_itself,
)
from dataflow.mysql.logical import as_text, logical_type

__all__ = ["catalog_of"]

# Names compare as bytes: a collation would take users for Users, where these are two tables.
TABLES = """
SELECT t.table_name, t.table_type, t.table_rows, t.table_comment, t.create_options,
    c.column_name, c.column_type, c.is_nullable, c.column_default, c.extra, c.generation_expression, c.column_comment,
    c.privileges
FROM information_schema.tables AS t
LEFT JOIN information_schema.columns AS c
    ON c.table_schema = t.table_schema AND c.table_name = t.table_name
    AND CAST(c.table_name AS BINARY) = CAST(t.table_name AS BINARY)
WHERE t.table_schema = DATABASE() AND t.table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
ORDER BY CAST(t.table_name AS BINARY), c.ordinal_position
"""
# A unique index over the beginnings of texts is none over the texts: such a part is as good as an expression. A key
# over them tells rows apart all the same.
INDEXES = """
SELECT CAST(table_name AS CHAR) AS relation, 'index' AS kind, CAST(index_name AS CHAR) AS name,
    seq_in_index AS place,
    CASE WHEN sub_part IS NULL OR index_name = 'PRIMARY' THEN CAST(column_name AS CHAR) END AS part,
    CAST(collation AS CHAR) AS detail, non_unique = 0 AS is_unique, NULL AS referred, NULL AS referred_part,
    NULL AS on_delete, NULL AS on_update
FROM information_schema.statistics
WHERE table_schema = DATABASE()
"""
REFERENCES = """
SELECT CAST(k.table_name AS CHAR), 'reference', CAST(k.constraint_name AS CHAR), k.ordinal_position,
    CAST(k.column_name AS CHAR), CASE WHEN k.referenced_table_schema <> DATABASE()
        THEN CAST(k.referenced_table_schema AS CHAR) END, NULL,
    CAST(k.referenced_table_name AS CHAR), CAST(k.referenced_column_name AS CHAR),
    CAST(r.delete_rule AS CHAR), CAST(r.update_rule AS CHAR)
FROM information_schema.key_column_usage AS k
JOIN information_schema.referential_constraints AS r
    ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name
    AND r.table_name = k.table_name AND CAST(r.table_name AS BINARY) = CAST(k.table_name AS BINARY)
WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL
"""
# MySQL tells the table of a check elsewhere; MariaDB has checks of one name in several tables.
CHECKS = """
SELECT CAST({table}.table_name AS CHAR), 'check', CAST(c.constraint_name AS CHAR), 1, NULL,
    CAST(c.check_clause AS CHAR), NULL, NULL, NULL, NULL, NULL
FROM information_schema.check_constraints AS c {join}
WHERE c.constraint_schema = DATABASE()
"""
CHECKS_OF_MYSQL = CHECKS.format(
    table="t",
    join="JOIN information_schema.table_constraints AS t ON t.constraint_schema = c.constraint_schema "
    "AND t.constraint_name = c.constraint_name AND t.constraint_type = 'CHECK'",
)
CHECKS_OF_MARIADB = CHECKS.format(table="c", join="")

PRIMARY = "PRIMARY"
EXPRESSION = "(expression)"
OF_TABLE = 5
"""How many values of a row are about the table, and the same for all of its columns."""


class Part(NamedTuple):
    """A column of an index or a foreign key, or a check."""

    kind: str
    name: str
    place: int
    column: str | None
    detail: str | None
    is_unique: int | None
    referred: str | None
    referred_column: str | None
    on_delete: str | None
    on_update: str | None


async def catalog_of(connection: Connection, *, is_mariadb: bool) -> Sequence[CatalogTable]:
    """Describe the tables and views of the database."""
    columns = await connection.fetch(TABLES, ())
    checks = CHECKS_OF_MARIADB if is_mariadb else CHECKS_OF_MYSQL
    rules = f"{INDEXES} UNION ALL {REFERENCES} UNION ALL {checks} ORDER BY relation, kind, name, place"
    found = await connection.fetch(rules, ())
    parts = {table: [Part(*row[1:]) for row in some] for table, some in groupby(found, lambda row: row[0])}
    return [
        _by_itself(about, [row[OF_TABLE:] for row in some], parts.get(about[0], ()), is_mariadb=is_mariadb)
        for about, some in groupby(columns, lambda row: row[:OF_TABLE])
    ]


def _by_itself(
    about: Row, columns: Sequence[Row], parts: Sequence[Part], *, is_mariadb: bool
) -> CatalogTable:
    return by_itself(about[0], "", lambda: _table(about, columns, parts, is_mariadb=is_mariadb))


def _table(about: Row, columns: Iterable[Row], parts: Sequence[Part], *, is_mariadb: bool) -> CatalogTable:
    name, type, rows, comment, options = about
    found = tuple(_column(row, is_mariadb=is_mariadb) for row in columns if row[0] is not None)
    is_view = type == "VIEW"
    traits = ["partitioned"] if "partitioned" in (options or "") else []
    if type == "SYSTEM VERSIONED":
        traits.append("versioned")
    if not found:
        traits.append("broken")
    indexes = [(index, list(some)) for index, some in groupby(_of("index", parts), lambda part: part.name)]
    return CatalogTable(
        name=name,
        kind="view" if is_view else "table",
        columns=found,
        traits=tuple(traits),
        key=next(
            (tuple(part.column or "" for part in some) for index, some in indexes if index == PRIMARY), ()
        ),
        foreign_keys=tuple(
            _reference(list(some)) for _, some in groupby(_of("reference", parts), lambda part: part.name)
        ),
        indexes=tuple(_index(index, some) for index, some in indexes),
        constraints=(*_unique(indexes), *_checks(parts)),
        rows=None if is_view else rows,
        comment="" if is_view else comment or "",
    )


def _of(kind: str, parts: Iterable[Part]) -> Iterable[Part]:
    return (part for part in parts if part.kind == kind)


def _column(row: Row, *, is_mariadb: bool) -> CatalogColumn:
    name, type, nullable, default, extra, expression, comment, rights = row
    extra = (extra or "").upper()
    # MariaDB writes defaults as expressions, and the word NULL for none; MySQL their values.
    if is_mariadb and default == "NULL":
        default = None
    return CatalogColumn(
        name=name,
        type=type,
        logical=logical_type(type),
        nullable=nullable == "YES",
        default=None if expression else default,
        generated=expression or "",
        identity="by default" if "AUTO_INCREMENT" in extra else "",
        hidden="INVISIBLE" in extra,
        # Who may only write it sees it too.
        forbidden="select" not in rights.split(","),
        comment=comment or "",
        as_text=as_text(type),
    )


def _reference(parts: Sequence[Part]) -> CatalogReference:
    first = parts[0]
    return CatalogReference(
        name=first.name,
        columns=tuple(part.column or "" for part in parts),
        schema=first.detail or "",
        table=first.referred or "",
        referred=tuple(part.referred_column or "" for part in parts),
        on_delete=first.on_delete or "",
        on_update=first.on_update or "",
    )


def _index(name: str, parts: Sequence[Part]) -> CatalogIndex:
    columns = tuple(f"{'-' if part.detail == 'D' else ''}{part.column or EXPRESSION}" for part in parts)
    return CatalogIndex(name, columns, bool(parts[0].is_unique))


def _unique(indexes: Iterable[tuple[str, Sequence[Part]]]) -> Iterable[CatalogConstraint]:
    for name, parts in indexes:
        if parts[0].is_unique and name != PRIMARY and all(part.column for part in parts):
            columns = tuple(part.column or "" for part in parts)
            yield CatalogConstraint(name, "unique", f"UNIQUE ({', '.join(columns)})", columns)


def _checks(parts: Iterable[Part]) -> Iterable[CatalogConstraint]:
    for part in _of("check", parts):
        yield CatalogConstraint(part.name, "check", f"CHECK ({part.detail})")
