"""A database as it is found: its tables, and the models that they can become."""

from collections.abc import Mapping
from typing import NamedTuple

from dataflow.catalog import CatalogTable
from dataflow.discovery.existing import ExistingDatabase
from dataflow.discovery.models import Place, model_of
from dataflow.discovery.names import class_names
from dataflow.errors import ModelError
from dataflow.model.schema import Model

__all__ = ["Survey", "survey"]


class Survey(NamedTuple):
    """What there is, by the labels of the tables.

    :param url: where it is, without a password.
    :param models: those that the tables can become.
    :param problems: why others cannot.
    """

    url: str
    tables: Mapping[str, CatalogTable]
    models: Mapping[str, Model]
    problems: Mapping[str, str]


def survey(existing: ExistingDatabase, url: str) -> Survey:
    """Look at every table, and keep none of the models."""
    tables = existing.tables()
    place = Place("primary", url, class_names(tables), makes_keys=True)
    models: dict[str, Model] = {}
    problems: dict[str, str] = {}
    for label, table in tables.items():
        try:
            models[label] = model_of(place, label, table)
        except ModelError as error:
            problems[label] = str(error).removeprefix(f"{label}: ")
    return Survey(url, tables, models, problems)
