"""The registry: a table that keeps which models were made of which tables, for other processes."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, NamedTuple

from dataflow.catalog import CatalogTable
from dataflow.discovery.definitions import Whereabouts, differences
from dataflow.errors import DatabaseBusy, Deadlock, SchemaMismatch, SerializationFailure, UniqueViolation
from dataflow.execution.database import Database
from dataflow.logs import logger
from dataflow.model.declare import declare
from dataflow.model.field import Field, utcnow
from dataflow.model.narrowed import narrowed
from dataflow.model.schema import Model
from dataflow.nodes.bulk_create import BulkCreateNode
from dataflow.nodes.listing import ListNode
from dataflow.runtime.calls import NodeCall

__all__ = ["REGISTRY", "Entry", "Registry"]

REGISTRY = "dataflow_model_registry"
ATTEMPTS = 20
LONGEST_LABEL = 200
RACES = (UniqueViolation, Deadlock, SerializationFailure, DatabaseBusy)
"""What others cause who register at the same time."""


class _RegisteredModel:
    """A row of the registry: one version of one model."""

    label: Annotated[str, Field(primary_key=True, max_length=LONGEST_LABEL)]
    version: Annotated[int, Field(primary_key=True)]
    class_name: Annotated[str, Field(max_length=LONGEST_LABEL)]
    definition: str
    registered_at: datetime
    __dataflow__: ClassVar = {"table": REGISTRY, "timestamps": False}


class Entry(NamedTuple):
    """The model of a table as it was registered.

    :param definition: of :func:`~dataflow.discovery.definitions.definition_of`; empty where nobody can read it.
    :param version: counts the definitions that the table has had; 0 where it is not registered.
    """

    class_name: str
    definition: Mapping[str, Any]
    version: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether a model can be made of it."""
        return bool(self.definition)

    @property
    def whereabouts(self) -> Whereabouts:
        """Where its table is, as :data:`~dataflow.discovery.definitions.Whereabouts`."""
        return self.definition.get("schema", ""), self.definition.get("table", "")


class Registry:
    """The registry in a database.

    :param table: the table, as it is; where it is None, it is made when something is written.
    :raises SchemaMismatch: where the table is something else.
    """

    def __init__(self, database: Database, table: CatalogTable | None) -> None:
        self._database = database
        declared = replace(declare(_RegisteredModel, implied=False), database=database.name)
        if table is not None:
            _check(declared, table)
            declared = replace(declared, schema=table.home, existing=True)
        self._model = narrowed(declared, database.dialect.narrowed)
        database.dialect.check_model(self._model)

    def latest(self) -> Mapping[str, Entry]:
        """The last version of every model, by the label of its table."""
        listing = ListNode(self._database, self._model)
        asked = {"fields": ["label", "version", "class_name", "definition"], "order_by": ["label", "version"]}
        return {row["label"]: _entry(row) for row in NodeCall(listing, asked).run()["records"]}

    def save(self, entries: Mapping[str, Entry], seen: Collection[Whereabouts]) -> None:
        """Write those that differ from their last version, as the next one.

        :param seen: the tables that this user may see.

        Somebody else may do the same at the same time: then what they wrote is looked at, and only what still
        differs is written.
        """
        entries = dict(_that_fit(entries))
        self._database.add_model(self._model)
        try:
            for attempt in range(ATTEMPTS):
                rows = self._changed(entries, seen)
                if not rows:
                    return
                try:
                    NodeCall(BulkCreateNode(self._database, self._model), {"data": rows}).run()
                    return
                except RACES:
                    if attempt == ATTEMPTS - 1:
                        raise
        finally:
            # Nobody else has to do with that table, and it may be one that cannot be made.
            self._database.drop_model(self._model)

    def _changed(
        self, entries: Mapping[str, Entry], seen: Collection[Whereabouts]
    ) -> Sequence[Mapping[str, Any]]:
        known, now = self.latest(), utcnow()
        return [
            _row(label, entry, known[label].version + 1 if label in known else 1, now)
            for label, entry in _in_order(entries)
            if label not in known or _differs(known[label], entry, seen)
        ]


def _check(model: Model, table: CatalogTable) -> None:
    columns = {column.name for column in table.columns}
    for field in model.fields.values():
        if field.column not in columns:
            raise SchemaMismatch(
                f"the table {table.label} is no registry of DataFlow, as it has no column {field.column!r}; "
                "rename it, or pass enable_model_persistence=False"
            )


def _that_fit(entries: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
    for label, entry in entries.items():
        if len(label) <= LONGEST_LABEL and len(entry.class_name) <= LONGEST_LABEL:
            yield label, entry
        else:
            logger("dataflow.discovery").warning("%s is not registered, as its name is too long", label)


def _entry(row: Mapping[str, Any]) -> Entry:
    """A row as an entry, without a definition where it is broken."""
    version, definition = 0, {}
    try:
        version = int(row["version"])
        written = json.loads(row["definition"])
        # Whatever a comparison would stumble over it stumbles over here.
        differences(written, written, ())
        if row["class_name"].isidentifier() and isinstance(written["table"], str):
            definition = written
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    return Entry(str(row["class_name"]), definition, version)


def _in_order(entries: Mapping[str, Entry]) -> Iterable[tuple[str, Entry]]:
    """By label: two who write the same rows in one order wait for each other and do not lock each other out."""
    return sorted(entries.items())


def _differs(known: Entry, entry: Entry, seen: Collection[Whereabouts]) -> bool:
    if known.class_name != entry.class_name or not known.is_sound:
        return True
    return bool(differences(known.definition, entry.definition, seen))


def _row(label: str, entry: Entry, version: int, now: datetime) -> Mapping[str, Any]:
    return {
        "label": label,
        "version": version,
        "class_name": entry.class_name,
        "definition": json.dumps(entry.definition, ensure_ascii=False),
        "registered_at": now,
    }
