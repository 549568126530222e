"""A database as it is found: its tables, and the models that they can become."""

from collections.abc import Mapping
from typing import NamedTuple

from dataflow.catalog import CatalogTable
from dataflow.discovery.existing import ExistingDatabase
from dataflow.discovery.registration import models_of
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
    place = existing.place()
    models, errors = models_of(place, place.tables)
    problems = {label: error.removeprefix(f"{label}: ") for label, error in errors.items()}
    return Survey(url, place.tables, models, problems)
