"""What the author of a plugin needs for tests: databases, and the conformance suite that every dialect passes.

It needs pytest and Hypothesis: ``pip install "dataflow-core[testing]"``. Nothing else of DataFlow imports it.
"""

try:
    import hypothesis as _  # noqa: F401 - to say at once what is missing
    import pytest
except ModuleNotFoundError as error:
    needed = "dataflow.testing needs pytest and Hypothesis: pip install 'dataflow-core[testing]<1'"
    raise ModuleNotFoundError(needed, name=error.name) from error

pytest.register_assert_rewrite("dataflow.testing.conformance", "dataflow.testing.oracle")

from dataflow.testing.conformance import Conformance  # noqa: E402 - its assertions are rewritten by now
from dataflow.testing.provision import (  # noqa: E402
    NoDatabase,
    Provision,
    Server,
    Session,
    first_available,
    url_from_environment,
)
from dataflow.testing.suite import Suite, requires  # noqa: E402

__all__ = [
    "Conformance",
    "NoDatabase",
    "Provision",
    "Server",
    "Session",
    "Suite",
    "first_available",
    "requires",
    "url_from_environment",
]
