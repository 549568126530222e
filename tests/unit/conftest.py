"""A table of things, which several modules fill and ask."""

from collections.abc import Iterator

import pytest

from dataflow import DataFlow

from .things import Thing


@pytest.fixture(scope="module")
def things() -> Iterator[DataFlow]:
    with DataFlow("sqlite:///:memory:") as db:
        db.model(Thing)
        yield db
