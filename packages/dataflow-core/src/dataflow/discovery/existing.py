"""A database with what is there already."""

from collections.abc import Mapping
from typing import Any

from dataflow.catalog import CatalogTable
from dataflow.discovery.models import Place
from dataflow.discovery.names import class_names, labels
from dataflow.discovery.node import DiscoveryNode, tables_in
from dataflow.discovery.registration import Adopt, asked_for, register
from dataflow.execution.database import Database
from dataflow.runtime.calls import NodeCall

__all__ = ["ExistingDatabase"]


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

    def register(self, asked: object, adopt: Adopt) -> dict[str, Any]:
        """Make models of the tables that are asked for, or of all."""
        asked_for(asked, ())
        tables = self.tables()
        wanted, errors = asked_for(asked, tables)
        done = register(self._place(tables), wanted, tables, adopt)
        return done._replace(errors={**errors, **done.errors}).result("registered_models")

    def _place(self, tables: Mapping[str, CatalogTable]) -> Place:
        makes_keys = not self._database.dialect.generated_key
        return Place(self._database.name, self._url, class_names(tables), makes_keys=makes_keys)
