"""A database that reads from a replica, and how long one that is behind, or away, is waited for."""

from collections.abc import Iterator

import pytest

from dataflow import DataFlow
from dataflow.execution import replica as replicas

from .suite import Pair, define_item


@pytest.fixture
def db(pair: Pair) -> Iterator[DataFlow]:
    with DataFlow(pair.primary, read_replica=pair.replica, pool_timeout=10) as db:
        define_item(db)
        yield db


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that is behind is waited for until it is not."""
    monkeypatch.setattr(replicas, "PATIENCE", 60.0)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was passed over is soon tried again."""
    monkeypatch.setattr(replicas, "WHILE_LATE", 0.01)
    monkeypatch.setattr(replicas, "WHILE_DEAD", 0.01)
