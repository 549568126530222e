"""A database with what is there already."""

from collections.abc import Mapping
from typing import Any

from dataflow.catalog import CatalogTable
from dataflow.discovery.definitions import definition_of, differences
from dataflow.discovery.models import Place, model_of
from dataflow.discovery.names import class_names, labels
from dataflow.discovery.node import DiscoveryNode, tables_in
from dataflow.discovery.registration import Adopt, Registration, asked_for, register
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

    def register(self, asked: object, adopt: Adopt, *, persist: bool) -> dict[str, Any]:
        """Make models of the tables that are asked for, or of all.

        :param persist: whether the registry is to know of them.
        """
        asked_for(asked, ())
        tables = self.tables()
        wanted, errors = asked_for(asked, _without_registry(tables) if asked is None else tables)
        done = register(self._place(tables, {}), wanted, tables, adopt)
        persisted = persist and bool(done.models) and self._save(done, tables)
        result = done._replace(errors={**errors, **done.errors}).result("registered_models")
        return {**result, "persisted": persisted}

    def reconstruct(self, adopt: Adopt) -> dict[str, Any]:
        """Make the models that the registry knows; without a registry, those of all tables."""
        tables = self.tables()
        if REGISTRY not in tables or "forbidden" in tables[REGISTRY].traits:
            done = register(self._place(tables, {}), _without_registry(tables), tables, adopt)
            return {**done.result(RECONSTRUCTED), "source": "schema"}
        known = Registry(self._database, is_there=True).latest()
        place = self._place(tables, {label: entry.class_name for label, entry in known.items()})
        errors = {label: _drift(place, label, entry, tables) for label, entry in known.items()}
        sound = [label for label, difference in errors.items() if not difference]
        done = register(place, sound, tables, adopt)
        errors = {label: difference for label, difference in errors.items() if difference}
        result = done._replace(errors={**errors, **done.errors}).result(RECONSTRUCTED)
        return {**result, "source": "registry"}

    def _save(self, done: Registration, tables: Mapping[str, CatalogTable]) -> bool:
        """Tell the registry; whether it knows now."""
        is_there = REGISTRY in tables
        if not is_there and not self._database.migrates:
            logger("dataflow.discovery").info(
                "%s: the models are not kept for other processes: there is no table %s, and none may be made",
                self._database.name,
                REGISTRY,
            )
            return False
        entries = {
            label: Entry(model.name, definition_of(model, _types(tables[label])))
            for label, model in done.models.items()
        }
        registry = Registry(self._database, is_there=is_there)
        try:
            registry.save(entries)
        except DataFlowError as error:
            registry.give_up()
            logger("dataflow.discovery").warning(
                "%s: the models are not kept for other processes: %s", self._database.name, error
            )
            return False
        return True

    def _place(self, tables: Mapping[str, CatalogTable], known: Mapping[str, str]) -> Place:
        """Where models are made; those that have a name keep it."""
        makes_keys = not self._database.dialect.generated_key
        names = {**class_names(tables), **known}
        return Place(self._database.name, self._url, names, makes_keys=makes_keys)


def _without_registry(tables: Mapping[str, CatalogTable]) -> list[str]:
    return [label for label in tables if label != REGISTRY]


def _types(table: CatalogTable) -> Mapping[str, str]:
    return {column.name: column.type for column in table.columns}


def _drift(place: Place, label: str, entry: Entry, tables: Mapping[str, CatalogTable]) -> str:
    """Why the model of an entry would not fit its table any more; empty where it does."""
    if label not in tables:
        return f"{label}: the table of the registered model {entry.class_name} is not there any more"
    try:
        now = definition_of(model_of(place, label, tables[label]), _types(tables[label]))
    except DataFlowError as error:
        return str(error)
    changed = differences(entry.definition, now)
    if not changed:
        return ""
    return (
        f"{label} is not what it was when version {entry.version} of {entry.class_name} was registered: {changed}. "
        f"Look at what that means, and register it again: register_schema_as_models(tables=[{label!r}])"
    )
