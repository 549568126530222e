"""How many examples a generated test tries, wherever it runs."""

import os
from typing import Final

from hypothesis import HealthCheck, settings

__all__ = ["FEW", "MANY", "SOME"]

FACTOR = float(os.environ.get("DATAFLOW_TEST_EXAMPLES", "1"))
"""Multiplies the number of examples: 4 tries four times as many as usual, 0.2 a fifth.

Up to 1 they are the same each time, so that a test turns red with the change that broke it; more than that is a search,
and every run of it tries others.
"""


def _examples(number: int) -> settings:
    return settings(
        max_examples=max(1, round(number * FACTOR)),
        derandomize=FACTOR <= 1,
        deadline=None,  # machines are busy, and how long something takes is a matter of other tests
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
            # One database serves all examples of a test, which begins each by emptying its tables.
            HealthCheck.function_scoped_fixture,
            # Suites of several databases inherit the same test.
            HealthCheck.differing_executors,
        ],
    )


FEW: Final = _examples(25)
"""For tests whose examples cost much."""
SOME: Final = _examples(35)
"""For most tests."""
MANY: Final = _examples(130)
"""For tests whose examples cost little."""
