"""The pytest plugin: a fixture for databases beyond the suite, and the check of what suites declare.

A suite brings it along. Tests that need its fixture say in their ``conftest.py``:
``pytest_plugins = ["dataflow.testing.plugin"]``.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from dataflow.errors import UnknownName
from dataflow.testing.provision import Provision
from dataflow.testing.suite import MISTAKES, Suite, server_of

__all__ = ["fresh_database", "pytest_collection_modifyitems"]


@pytest.fixture
def fresh_database(request: pytest.FixtureRequest) -> Iterator[Callable[[Provision], str]]:
    """Gives the URL of an empty database of a provision, as often as it is asked; the test's end removes them."""
    with ExitStack() as databases:
        yield lambda provision: databases.enter_context(server_of(provision, request).database())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the differences that name no test, such as a set of parameters that was renamed."""
    if any("::" in argument for argument in config.args):
        return  # not all tests were collected
    names: dict[type[Suite], set[str]] = {}
    for item in items:
        cls = getattr(item, "cls", None)
        if isinstance(cls, type) and issubclass(cls, Suite):
            names.setdefault(cls, set()).add(item.name)
    for cls, collected in names.items():
        unknown = [name for name in cls.differences if "[" in name and name not in collected]
        if unknown:
            # An error at the collection would take the run of pytest-xdist down without a word.
            config.stash.setdefault(MISTAKES, {})[cls] = UnknownName(
                "test", unknown[0], cls.__name__, collected
            )
