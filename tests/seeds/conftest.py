"""The example that a test is named after: ``test_015_...`` gets number 15."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seeds.seed import Seed, examples


@pytest.fixture
def seed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seed]:
    """The example, to be run; what waits for something must fail until that is there."""
    number = re.match(r"test_(\d+)_", request.node.name)
    assert number is not None
    example = examples()[int(number[1])]
    if example.needs:
        request.applymarker(pytest.mark.xfail(reason=example.state, strict=True))
    for variable in ("DATABASE_URL", "DATAFLOW_DATABASE_URL", "DATAFLOW_ENV"):
        monkeypatch.delenv(variable, raising=False)
    with Seed(example, tmp_path) as seed:
        yield seed
    if not example.needs:
        assert seed.supplied == set(example.supplied), f"the header of {example.path.name} says otherwise"
