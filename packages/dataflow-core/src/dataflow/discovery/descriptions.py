"""Tables as plain dicts, for those who print, store or send them."""

from collections.abc import Mapping
from typing import Any

from dataflow.catalog import CatalogColumn, CatalogTable

__all__ = ["described"]


def described(tables: Mapping[str, CatalogTable]) -> dict[str, dict[str, Any]]:
    """Each table as a dict, by its label."""
    return {label: _table(table) for label, table in tables.items()}


def _table(table: CatalogTable) -> dict[str, Any]:
    return {
        "schema": table.schema or None,
        "kind": table.kind,
        "traits": list(table.traits),
        "columns": {column.name: _column(column) for column in table.columns},
        "primary_key": list(table.key),
        "foreign_keys": [
            {
                "name": reference.name or None,
                "columns": list(reference.columns),
                "references": {
                    "schema": reference.schema or None,
                    "table": reference.table,
                    "columns": list(reference.referred),
                },
                "on_delete": reference.on_delete or None,
                "on_update": reference.on_update or None,
            }
            for reference in table.foreign_keys
        ],
        "indexes": [
            {
                "name": index.name,
                "columns": list(index.columns),
                "unique": index.unique,
                "where": index.where or None,
            }
            for index in table.indexes
        ],
        "constraints": [
            {
                "name": constraint.name or None,
                "kind": constraint.kind,
                "columns": list(constraint.columns),
                "definition": constraint.definition,
            }
            for constraint in table.constraints
        ],
        "rows": table.rows,
        "comment": table.comment or None,
    }


def _column(column: CatalogColumn) -> dict[str, Any]:
    logical = column.logical
    return {
        "type": column.type,
        "python": None if logical is None else logical.python.__name__,
        "nullable": column.nullable,
        "default": column.default,
        "generated": column.generated or None,
        "identity": column.identity or None,
        "hidden": column.hidden,
        "forbidden": column.forbidden,
        "choices": list(logical.choices) if logical is not None and logical.choices else None,
        "max_length": None if logical is None else logical.max_length,
        "comment": column.comment or None,
    }
