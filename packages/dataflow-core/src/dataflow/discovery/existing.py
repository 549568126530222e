"""A database with what is there already."""

from collections.abc import Collection, Mapping
from typing import Any

from dataflow.catalog import CatalogTable
from dataflow.discovery.definitions import Whereabouts, definition_of, differences, whereabouts
from dataflow.discovery.models import Place, model_of
from dataflow.discovery.names import class_names, labels
from dataflow.discovery.node import DiscoveryNode, tables_in
from dataflow.discovery.registration import Adopt, Registration, found_among, names_of, register
from dataflow.discovery.registry import REGISTRY, Entry, Registry
from dataflow.errors import DataFlowError
from dataflow.execution.database import Database
from dataflow.logs import logger
from dataflow.runtime.calls import NodeCall

__all__ = ["ExistingDatabase"]

RECONSTRUCTED = "reconstructed_models"


class ExistingDatabase:
    """What is there, and models of it.

    :param url: where it is, without a password.
    """

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._url = url

    def tables(self) -> Mapping[str, CatalogTable]:
        """Every table and view, by its label."""
        return labels(tables_in(NodeCall(DiscoveryNode(self._database), {}).run()))

    def place(self) -> Place:
        """The tables, and the names that their classes have or get."""
        tables = self.tables()
        return self._place(tables, self._known(tables))

    def register(self, asked: object, adopt: Adopt, *, persist: bool) -> dict[str, Any]:
        """Make models of the tables that are asked for, or of all.

        :param persist: whether the registry is to know of them.
        """
        names = names_of(asked)
        place = self.place()
        tables = place.tables
        wanted, errors = found_among(_without_registry(tables) if names is None else names, tables)
        done = register(place, wanted, adopt)
        persisted = persist and bool(done.models) and self._save(place, done)
        result = done._replace(errors={**errors, **done.errors}).result("registered_models")
        return {**result, "persisted": persisted}

    def reconstruct(self, adopt: Adopt) -> dict[str, Any]:
        """Make the models that the registry knows; without a registry, those of all tables.

        :raises SchemaMismatch: where a table is called as the registry is, and is none.
        """
        tables = self.tables()
        registry = self._registry(tables)
        if registry is None:
            done = register(self._place(tables, {}), _without_registry(tables), adopt)
            return {**done.result(RECONSTRUCTED), "source": "schema"}
        known = _by_label(registry.latest(), tables)
        place = self._place(tables, known)
        seen = whereabouts(tables.values())
        drifts = {label: _drift(place, label, entry, seen) for label, entry in known.items()}
        done = register(place, [label for label, drift in drifts.items() if not drift], adopt)
        errors = {label: drift for label, drift in drifts.items() if drift}
        result = done._replace(errors={**errors, **done.errors}).result(RECONSTRUCTED)
        return {**result, "source": "registry"}

    def _registry(self, tables: Mapping[str, CatalogTable]) -> Registry | None:
        """The registry, where there is one that this user may read."""
        table = tables.get(REGISTRY)
        return None if table is None or "forbidden" in table.traits else Registry(self._database, table)

    def _known(self, tables: Mapping[str, CatalogTable]) -> Mapping[str, Entry]:
        """What the registry knows; nothing where it cannot be read."""
        try:
            registry = self._registry(tables)
            return {} if registry is None else _by_label(registry.latest(), tables)
        except DataFlowError as error:
            logger("dataflow.discovery").warning(
                "%s: the registry is left alone: %s", self._database.name, error
            )
            return {}

    def _place(self, tables: Mapping[str, CatalogTable], known: Mapping[str, Entry]) -> Place:
        """Where models are made; those that have a name keep it."""
        kept = {label: entry.class_name for label, entry in known.items() if entry.is_sound}
        makes_keys = not self._database.dialect.generated_key
        return Place(self._database.name, self._url, tables, class_names(tables, kept), makes_keys=makes_keys)

    def _save(self, place: Place, done: Registration) -> bool:
        """Tell the registry; whether it knows now."""
        if REGISTRY not in place.tables and not self._database.migrates:
            logger("dataflow.discovery").info(
                "%s: the models are not kept for other processes: there is no table %s, and none may be made",
                self._database.name,
                REGISTRY,
            )
            return False
        try:
            entries = {
                label: Entry(model.name, _definition(place, label)) for label, model in done.models.items()
            }
            registry = Registry(self._database, place.tables.get(REGISTRY))
            registry.save(entries, whereabouts(place.tables.values()))
        except DataFlowError as error:
            logger("dataflow.discovery").warning(
                "%s: the models are not kept for other processes: %s", self._database.name, error
            )
            return False
        return True


def _without_registry(tables: Mapping[str, CatalogTable]) -> list[str]:
    return [label for label in tables if label != REGISTRY]


def _by_label(entries: Mapping[str, Entry], tables: Mapping[str, CatalogTable]) -> Mapping[str, Entry]:
    """Entries by what their tables are called now, which may depend on where a session looks for tables.

    Those of tables that are gone are called as they were.
    """
    now = {(table.home, table.name): label for label, table in tables.items()}
    return {now.get(entry.whereabouts, label): entry for label, entry in entries.items()}


def _definition(place: Place, label: str) -> dict[str, Any]:
    """What the registry keeps of a table: the same for all, also for those who may not read all of its columns."""
    table = place.tables[label]
    whole = table._replace(columns=tuple(column._replace(forbidden=False) for column in table.columns))
    return definition_of(model_of(place, label, whole), whole)


def _drift(place: Place, label: str, entry: Entry, seen: Collection[Whereabouts]) -> str:
    """Why the model of an entry would not fit its table any more; empty where it does."""
    again = f"register_schema_as_models(tables=[{label!r}])"
    if label not in place.tables:
        return f"{label}: the table of the registered model {entry.class_name} is not there any more"
    if not entry.is_sound:
        return f"{label}: what the registry says of it cannot be understood; register it again: {again}"
    try:
        changed = differences(entry.definition, _definition(place, label), seen)
    except DataFlowError as error:
        return str(error)
    if not changed:
        return ""
    return (
        f"{label} is not what it was when version {entry.version} of {entry.class_name} was registered: {changed}. "
        f"Look at what that means, and register it again: {again}"
    )
