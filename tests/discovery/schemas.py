"""Complete dumps of schemas, and users who may not change them."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dataflow.url import DatabaseURL

from .databases import MYSQL, POSTGRES, SQLITE, Existing

__all__ = ["dump", "user_of_tables", "user_without_ddl"]

PASSWORD = "Rows-only1"

# Everything but what the server counts by itself, and the schemas in which sessions have their temporary tables.
POSTGRES_CATALOGS = {
    "pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'": "oid, nspname, nspowner, nspacl::text",
    "pg_class": "oid, relname, relnamespace, reltype, relowner, relam, relfilenode, reltablespace, relpersistence, "
    "relkind, relnatts, relchecks, relhasrules, relhastriggers, relrowsecurity, relacl::text, reloptions::text",
    "pg_attribute": "attrelid, attnum, attname, atttypid, atttypmod, attnotnull, atthasdef, attidentity, attgenerated, "
    "attisdropped, attcollation, attacl::text",
    "pg_attrdef": "oid, adrelid, adnum, adbin::text",
    "pg_constraint": "oid, conname, conrelid, contype, conkey::text, pg_get_constraintdef(oid)",
    "pg_index": "indexrelid, indrelid, indisunique, indisprimary, indkey::text, pg_get_indexdef(indexrelid)",
    "pg_type": "oid, typname, typnamespace, typtype",
    "pg_proc": "oid, proname, pronamespace, prosrc",
    "pg_trigger": "oid, tgrelid, tgname, tgenabled",
    "pg_rewrite": "oid, rulename, ev_class",
    "pg_sequence": "seqrelid, seqstart, seqincrement, seqmax",
    "pg_description": "objoid, classoid, objsubid, description",
    "pg_extension": "oid, extname, extversion",
}


def dump(existing: Existing) -> Any:
    """Whatever the database knows of its schema."""
    return DUMPS[existing.kind.name](existing)


def dump_sqlite(existing: Existing) -> Any:
    objects = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY type, name"
    # SQLite counts the changes of a schema.
    return existing.ask_all(objects, "PRAGMA schema_version", "PRAGMA user_version")


def dump_postgres(existing: Existing) -> Any:
    statements = [
        f"SELECT {columns} FROM pg_catalog.{source}" for source, columns in POSTGRES_CATALOGS.items()
    ]
    return [sorted(map(str, rows)) for rows in existing.ask_all(*statements)]


def dump_mysql(existing: Existing) -> Any:
    made = "SELECT table_name, table_type, create_time FROM information_schema.tables WHERE table_schema = DATABASE()"
    tables = sorted(existing.ask(made), key=str)
    others = [
        f"SELECT * FROM information_schema.{name} WHERE {column} = DATABASE()"
        for name, column in (("triggers", "trigger_schema"), ("routines", "routine_schema"))
    ]
    found = existing.ask_all(*(f"SHOW CREATE TABLE `{name}`" for name, _, _ in tables), *others)
    # The next number is one more with every row.
    return tables, [re.sub(r" AUTO_INCREMENT=\d+", "", str(rows)) for rows in found]


DUMPS: dict[str, Callable[[Existing], Any]] = {
    SQLITE.name: dump_sqlite,
    POSTGRES.name: dump_postgres,
    MYSQL.name: dump_mysql,
}


@contextmanager
def user_without_ddl(existing: Existing) -> Iterator[str]:
    """The URL for a user who may read and write rows, and nothing else."""
    tables = "ALL TABLES IN SCHEMA public" if existing.kind is POSTGRES else "*"
    with _user(existing, [tables], numbers=True) as url:
        yield url


@contextmanager
def user_of_tables(existing: Existing, *tables: str) -> Iterator[str]:
    """The URL for a user who may read and write the rows of these tables."""
    with _user(existing, tables, numbers=False) as url:
        yield url


@contextmanager
def _user(existing: Existing, tables: Sequence[str], *, numbers: bool) -> Iterator[str]:
    name = DatabaseURL.parse(existing.url).database or ""
    user = f"rows_{name}"[-32:]  # several processes may share a server
    rights = "SELECT, INSERT, UPDATE, DELETE"
    if existing.kind is POSTGRES:
        grant = [
            f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {name} TO {user}",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            f"GRANT USAGE ON SCHEMA public TO {user}",
            *(f"GRANT {rights} ON {table} TO {user}" for table in tables),
        ]
        if numbers:
            grant.append(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {user}")
        revoke = [f"DROP OWNED BY {user}", f"DROP ROLE {user}"]
    else:
        grant = [
            # Without a password, which MySQL wants to have through TLS.
            f"CREATE USER {user}@'%'",
            *(f"GRANT {rights} ON `{name}`.{table} TO {user}@'%'" for table in tables),
        ]
        revoke = [f"DROP USER {user}@'%'"]
    existing.ask(*grant, "SELECT 1")
    try:
        scheme, _, rest = existing.url.partition("://")
        password = f":{PASSWORD}" if existing.kind is POSTGRES else ""
        yield f"{scheme}://{user}{password}@{rest.rpartition('@')[2]}"
    finally:
        existing.ask(*revoke, "SELECT 1")
