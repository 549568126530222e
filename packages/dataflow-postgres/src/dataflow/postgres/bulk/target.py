"""What must be known of a table before many rows go into it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dataflow.model.schema import ModelField
from dataflow.postgres.types import cast_type

__all__ = ["Target", "target_of"]

# A domain or an array of an enum counts as one, since no text becomes one by itself either.
QUERY = """
SELECT c.relkind = 'r', c.relkind IN ('r', 'p') AND pg_catalog.has_table_privilege(c.oid, 'INSERT'), a.attname, a.type
FROM pg_catalog.pg_class AS c
LEFT JOIN (
    SELECT attrelid, attname, pg_catalog.format_type(atttypid, atttypmod) AS type
    FROM pg_catalog.pg_attribute
    JOIN pg_catalog.pg_type AS t ON t.oid = atttypid
    LEFT JOIN pg_catalog.pg_type AS e ON e.oid IN (t.typbasetype, t.typelem)
    WHERE attnum > 0 AND NOT attisdropped AND 'e' IN (t.typtype, e.typtype)
) AS a ON a.attrelid = c.oid
WHERE c.oid = pg_catalog.to_regclass($1)
"""


class Target(NamedTuple):
    """A table, partitioned table or view.

    :param is_plain: whether it is a table, whose rows tell in ``xmax`` what became of them.
    :param may_be_held: whether it is one that this user can lock as an INSERT does.
    :param enums: of the columns that ``CREATE TYPE ... AS ENUM`` made the types of, these types.
    """

    is_plain: bool
    may_be_held: bool
    enums: Mapping[str, str]

    def cast(self, field: ModelField, operand: str) -> str:
        """A value that travels, cast to the type of its column where the server would not do it by itself."""
        enum = self.enums.get(field.column)
        return operand if enum is None else f"{operand}::{enum}"

    def typed(self, field: ModelField, placeholder: str) -> str:
        """A placeholder for a value."""
        return self.cast(field, f"{placeholder}::{cast_type(field.type)}")


async def target_of(raw: Any, name: str) -> Target:
    """Ask for a table.

    :param name: its name, quoted.
    """
    rows = await raw.fetch(QUERY, name)
    return Target(
        all(plain for plain, *_ in rows),
        all(may_be_held for _, may_be_held, *_ in rows),
        {column: type_ for *_, column, type_ in rows if column},
    )
