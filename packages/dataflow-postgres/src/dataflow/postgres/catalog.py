"""Reading every table of a PostgreSQL database."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias

from dataflow.abc import Connection, Row
from dataflow.catalog import (
    CatalogColumn,
    CatalogConstraint,
    CatalogIndex,
    CatalogReference,
    CatalogTable,
    by_itself,
)
from dataflow.postgres.types import logical_type

__all__ = ["catalog_of"]

# The name of a schema is empty where statements find the table without it.
SCHEMA = "CASE WHEN pg_catalog.pg_table_is_visible({0}.oid) THEN '' ELSE {1}.nspname END::text"
# What was never counted is -1; before version 14 it was 0, as if there were nothing.
ROWS = """
    CASE c.relkind
        WHEN 'p' THEN (
            SELECT pg_catalog.sum(NULLIF(GREATEST(leaf.reltuples, 0), 0))
            FROM pg_catalog.pg_partition_tree(c.oid) AS part
            JOIN pg_catalog.pg_class AS leaf ON leaf.oid = part.relid
            WHERE part.isleaf
        )
        WHEN 'v' THEN NULL
        ELSE CASE
            WHEN c.reltuples > 0 THEN c.reltuples
            WHEN c.reltuples = 0 AND pg_catalog.current_setting('server_version_num')::int >= 140000 THEN 0
        END
    END::int8
"""
TABLES = f"""
SELECT
    c.oid,
    {SCHEMA.format("c", "n")} AS schema,
    n.nspname::text AS home,
    c.relname::text AS name,
    c.relkind::text AS kind,
    c.relispartition AS is_partition,
    c.relhassubclass AND c.relkind IN ('r', 'f') AND EXISTS (
        SELECT FROM pg_catalog.pg_inherits AS child WHERE child.inhparent = c.oid
    ) AS is_inherited,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS is_readable,
    {ROWS} AS rows,
    about.description AS comment
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_description AS about
    ON about.objoid = c.oid AND about.objsubid = 0 AND about.classoid = 'pg_catalog.pg_class'::regclass
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_(catalog|toast|temp_)'
"""
# A domain may be over another one: what counts is the type below all of them.
DOMAINS = """
SELECT oid, typbasetype AS base, typtypmod AS modifier, typnotnull AS is_required
FROM pg_catalog.pg_type WHERE typtype = 'd'
UNION ALL
SELECT upper.oid, lower.typbasetype, lower.typtypmod, upper.is_required OR lower.typnotnull
FROM domains AS upper JOIN pg_catalog.pg_type AS lower ON lower.oid = upper.base AND lower.typtype = 'd'
"""
COLUMNS = f"""
WITH RECURSIVE tables AS MATERIALIZED ({TABLES}), domains AS ({DOMAINS})
SELECT
    c.oid::int8, c.schema, c.home, c.name, c.kind, c.is_partition, c.is_inherited, c.is_readable, c.rows, c.comment,
    a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    pg_catalog.format_type(base.oid, d.modifier),
    CASE WHEN 'e' IN (t.typtype, base.typtype) THEN (
        SELECT pg_catalog.array_agg(label.enumlabel::text ORDER BY label.enumsortorder)
        FROM pg_catalog.pg_enum AS label WHERE label.enumtypid = COALESCE(base.oid, t.oid)
    ) END,
    NOT (a.attnotnull OR COALESCE(d.is_required, false)),
    pg_catalog.pg_get_expr(f.adbin, f.adrelid),
    a.attgenerated::text,
    a.attidentity::text,
    pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'),
    about.description
FROM tables AS c
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN (domains AS d JOIN pg_catalog.pg_type AS base ON base.oid = d.base AND base.typtype <> 'd') ON d.oid = t.oid
LEFT JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = c.oid AND f.adnum = a.attnum
LEFT JOIN pg_catalog.pg_description AS about
    ON about.objoid = c.oid AND about.objsubid = a.attnum AND about.classoid = 'pg_catalog.pg_class'::regclass
ORDER BY c.home, c.name, c.oid, a.attnum
"""


def _named(keys: str, relation: str) -> str:
    """The names of columns whose numbers a constraint has, in their order."""
    return f"""(
        SELECT pg_catalog.array_agg(a.attname::text ORDER BY part.place)
        FROM pg_catalog.unnest({keys}) WITH ORDINALITY AS part(attnum, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = {relation} AND a.attnum = part.attnum
    )"""


# A key that refers to a partitioned table has one like it for each partition, which nobody has asked for.
RULES = f"""
SELECT
    r.conrelid::int8 AS relation,
    r.contype::text AS kind,
    r.conname::text AS name,
    {_named("r.conkey", "r.conrelid")} AS columns,
    pg_catalog.pg_get_constraintdef(r.oid) AS definition,
    NULL AS is_unique,
    {SCHEMA.format("f", "n")} AS referred_schema,
    n.nspname::text AS referred_home,
    f.relname::text AS referred_table,
    {_named("r.confkey", "r.confrelid")} AS referred_columns,
    r.confdeltype::text AS on_delete,
    r.confupdtype::text AS on_update
FROM pg_catalog.pg_constraint AS r
LEFT JOIN pg_catalog.pg_class AS f ON f.oid = r.confrelid
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = f.relnamespace
WHERE r.contype IN ('p', 'u', 'c', 'x', 'f') AND r.conrelid <> 0 AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_constraint AS parent
    WHERE parent.oid = r.conparentid AND parent.conrelid = r.conrelid
)
UNION ALL
SELECT
    x.indrelid::int8,
    'i',
    i.relname::text,
    (
        SELECT pg_catalog.array_agg(
            CASE WHEN x.indoption[part.place - 1] & 1 = 1 THEN '-' ELSE '' END
            || COALESCE(a.attname::text, '(expression)') ORDER BY part.place
        )
        FROM pg_catalog.unnest(x.indkey::int2[]) WITH ORDINALITY AS part(attnum, place)
        LEFT JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = x.indrelid AND a.attnum = part.attnum AND part.attnum > 0
        WHERE part.place <= x.indnkeyatts
    ),
    pg_catalog.pg_get_expr(x.indpred, x.indrelid),
    x.indisunique AND x.indisvalid,
    NULL, NULL, NULL, NULL, NULL, NULL
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = i.relnamespace
WHERE n.nspname !~ '^pg_(catalog|toast|temp_)'
ORDER BY relation, name
"""

TRAITS: Mapping[str, str] = {"p": "partitioned", "m": "materialized", "f": "foreign"}
IDENTITIES: Mapping[str, Literal["always", "by default"]] = {"a": "always", "d": "by default"}
ACTIONS: Mapping[str, str] = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}
CONSTRAINTS: Mapping[str, str] = {"u": "unique", "c": "check", "x": "exclusion"}
OF_TABLE = 10
"""How many values of a row are about the table, and the same for all of its columns."""


class Rule(NamedTuple):
    """A constraint or an index."""

    kind: str
    name: str
    columns: list[str] | None
    definition: str | None
    is_unique: bool | None
    referred_schema: str | None
    referred_home: str | None
    referred_table: str | None
    referred_columns: list[str] | None
    on_delete: str | None
    on_update: str | None


Rules: TypeAlias = Sequence[Rule]


async def catalog_of(connection: Connection) -> Sequence[CatalogTable]:
    """Describe the tables and views of all schemas."""
    columns = await connection.fetch(COLUMNS, ())
    found = await connection.fetch(RULES, ())
    rules = {table: [Rule(*row[1:]) for row in some] for table, some in groupby(found, lambda row: row[0])}
    return [
        _by_itself(about, [row[OF_TABLE:] for row in some], rules.get(about[0], ()))
        for about, some in groupby(columns, lambda row: row[:OF_TABLE])
    ]


def _by_itself(about: Row, columns: Sequence[Row], rules: Rules) -> CatalogTable:
    return by_itself(about[3], about[1], lambda: _table(about, columns, rules))


def _table(about: Row, columns: Iterable[Row], rules: Rules) -> CatalogTable:
    _, schema, home, name, kind, is_partition, is_inherited, is_readable, rows, comment = about
    traits = [TRAITS[kind]] if kind in TRAITS else []
    marks = {"partition": is_partition, "inherited": is_inherited, "forbidden": not is_readable}
    traits += [trait for trait, is_so in marks.items() if is_so]
    return CatalogTable(
        name=name,
        kind="view" if kind in "vm" else "table",
        columns=tuple(_column(row) for row in columns if row[0] is not None),
        schema=schema,
        home=home,
        traits=tuple(traits),
        key=next((tuple(rule.columns or ()) for rule in rules if rule.kind == "p"), ()),
        foreign_keys=tuple(_reference(rule) for rule in rules if rule.kind == "f"),
        indexes=tuple(
            CatalogIndex(rule.name, tuple(rule.columns or ()), bool(rule.is_unique), rule.definition or "")
            for rule in rules
            if rule.kind == "i"
        ),
        constraints=tuple(
            CatalogConstraint(
                rule.name, CONSTRAINTS[rule.kind], rule.definition or "", tuple(rule.columns or ())
            )
            for rule in rules
            if rule.kind in CONSTRAINTS
        ),
        rows=rows,
        comment=comment or "",
    )


def _column(row: Row) -> CatalogColumn:
    name, type, base, labels, nullable, expression, generated, identity, is_readable, comment = row
    return CatalogColumn(
        name=name,
        type=type,
        logical=logical_type(base or type, labels),
        nullable=nullable,
        default=None if generated else expression,
        generated=expression if generated else "",
        identity=IDENTITIES.get(identity, ""),
        forbidden=not is_readable,
        comment=comment or "",
    )


def _reference(rule: Rule) -> CatalogReference:
    return CatalogReference(
        name=rule.name,
        columns=tuple(rule.columns or ()),
        schema=rule.referred_schema or "",
        table=rule.referred_table or "",
        referred=tuple(rule.referred_columns or ()),
        on_delete=ACTIONS[rule.on_delete or "a"],
        on_update=ACTIONS[rule.on_update or "a"],
        home=rule.referred_home or "",
    )
