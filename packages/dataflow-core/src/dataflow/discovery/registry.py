"""The registry: a table that keeps which models were made of which tables, for other processes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, NamedTuple

from dataflow.errors import DatabaseBusy, Deadlock, SerializationFailure, UniqueViolation
from dataflow.execution.database import Database
from dataflow.model.declare import declare
from dataflow.model.field import Field, utcnow
from dataflow.model.narrowed import narrowed
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
    definition: dict[str, Any]
    registered_at: datetime
    __dataflow__: ClassVar = {"table": REGISTRY, "timestamps": False}


class Entry(NamedTuple):
    """The model of a table as it was registered.

    :param definition: of :func:`~dataflow.discovery.definitions.definition_of`.
    :param version: counts the definitions that the table has had; 0 where it is not registered.
    """

    class_name: str
    definition: Mapping[str, Any]
    version: int = 0


class Registry:
    """The registry in a database.

    :param is_there: whether the table is; else it is made when something is written.
    """

    def __init__(self, database: Database, *, is_there: bool) -> None:
        self._database = database
        model = replace(declare(_RegisteredModel, implied=False), database=database.name, existing=is_there)
        self._model = narrowed(model, database.dialect.narrowed)
        database.dialect.check_model(self._model)
        database.add_model(self._model)

    def latest(self) -> Mapping[str, Entry]:
        """The last version of every model, by the label of its table."""
        listing = ListNode(self._database, self._model)
        rows = NodeCall(listing, {"order_by": ["label", "version"]}).run()["records"]
        return {row["label"]: Entry(row["class_name"], row["definition"], row["version"]) for row in rows}

    def save(self, entries: Mapping[str, Entry]) -> None:
        """Write those that differ from their last version, as the next one.

        Somebody else may do the same at the same time: then what they wrote is looked at, and only what still
        differs is written.
        """
        for attempt in range(ATTEMPTS):
            rows = self._changed(entries)
            if not rows:
                return
            try:
                NodeCall(BulkCreateNode(self._database, self._model), {"data": rows}).run()
                return
            except RACES:
                if attempt == ATTEMPTS - 1:
                    raise

    def give_up(self) -> None:
        """Ask the database for that table no more, as it may not be made."""
        self._database.drop_model(self._model)

    def _changed(self, entries: Mapping[str, Entry]) -> Sequence[Mapping[str, Any]]:
        known, now = self.latest(), utcnow()
        return [
            _row(label, entry, known[label].version + 1 if label in known else 1, now)
            for label, entry in _in_order(entries)
            if label not in known or _content(known[label]) != _content(entry)
        ]


def _in_order(entries: Mapping[str, Entry]) -> Iterable[tuple[str, Entry]]:
    """By label: two who write the same rows in one order wait for each other and do not lock each other out."""
    return sorted(entries.items())


def _content(entry: Entry) -> tuple[str, Mapping[str, Any]]:
    return entry.class_name, entry.definition


def _row(label: str, entry: Entry, version: int, now: datetime) -> Mapping[str, Any]:
    return {
        "label": label,
        "version": version,
        "class_name": entry.class_name,
        "definition": dict(entry.definition),
        "registered_at": now,
    }
