"""What the models say of keys, as DuckDB's errors tell the values of a key rather than its name."""

import re
from collections.abc import Sequence

from dataflow.model.schema import Model

__all__ = ["Keys", "table_of"]

NAMED = re.compile(r'\s*(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(?:"((?:[^"]|"")+)"|(\w+))', re.IGNORECASE)
QUOTED = re.compile('"((?:[^"]|"")+)"')
WRITTEN = re.compile(" VALUES | SELECT | WHERE | RETURNING ")


def table_of(sql: str) -> str | None:
    """The table that a statement writes to."""
    found = NAMED.match(sql)
    if found is None:
        return None
    return found[1].replace('""', '"') if found[1] else found[2]


class Keys:
    """The unique keys of all tables that there are models for."""

    def __init__(self) -> None:
        self._known: dict[str, list[tuple[str, ...]]] = {}

    def learn(self, model: Model) -> None:
        """Note the keys of a model."""
        keys = [tuple(field.column for field in model.key)]
        for index in model.indexes:
            if index.unique:
                keys.append(tuple(model.field(name).column for name, _ in index.keys))
        self._known[model.table.casefold()] = [key for key in keys if key]

    def described(self, table: str | None, description: str) -> Sequence[str]:
        """The columns of the key that DuckDB describes as ``email: a@b.c, name: Ann``; none where that cannot be told."""
        return max((key for key in self._of(table) if _describes(description, key)), key=len, default=())

    def written(self, table: str | None, sql: str) -> Sequence[str]:
        """The columns of the only key that a statement writes to; none where there are several."""
        names = {name.replace('""', '"') for name in QUOTED.findall(WRITTEN.split(sql)[0])}
        keys = [key for key in self._of(table) if names.issuperset(key)]
        return keys[0] if len(keys) == 1 else ()

    def _of(self, table: str | None) -> Sequence[tuple[str, ...]]:
        return self._known.get((table or "").casefold(), [])


def _describes(description: str, key: Sequence[str]) -> bool:
    pattern = ", ".join(f'"?{re.escape(column)}"?: .*' for column in key)
    return re.fullmatch(pattern, description, re.DOTALL | re.IGNORECASE) is not None
