"""How long a replica that is behind, or away, is waited for."""

import pytest

from dataflow.execution import replica as replicas


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that is behind is waited for until it is not."""
    monkeypatch.setattr(replicas, "PATIENCE", 60.0)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was passed over is soon tried again."""
    monkeypatch.setattr(replicas, "WHILE_LATE", 0.01)
    monkeypatch.setattr(replicas, "WHILE_DEAD", 0.01)
