"""Databases that were there before the library: empty ones, to be filled by a test, and Chinook."""

from collections.abc import Iterator
from typing import Any

import pytest

from dataflow import DataFlow

from .databases import KINDS, Existing, chinook, empty


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


@pytest.fixture(params=KINDS)
def existing(request: pytest.FixtureRequest) -> Iterator[Existing]:
    """An empty database of each kind."""
    with empty(request.param, request) as database:
        yield database


@pytest.fixture(scope="module", params=KINDS)
def music(request: pytest.FixtureRequest) -> Iterator[Existing]:
    """Chinook in each kind of database, which tests only read."""
    with chinook(request.param, request) as database:
        yield database


@pytest.fixture
def db(shop: Existing) -> Iterator[DataFlow]:
    """The tables that a module calls its shop, taken as they are."""
    with DataFlow(shop.url, existing_schema_mode=True) as db:
        yield db


@pytest.fixture
def schema(db: DataFlow) -> dict[str, dict[str, Any]]:
    return db.discover_schema()
