"""The process dies at each of the places in the code that were chosen for it, is started again, and all is well."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dataflow.transactions
from dataflow.transactions.crash import POINTS

from .bank import FAILS, OUTCOMES, SUCCEEDS
from .books import Books
from .walker import Processes, Walker

SOURCE = Path(dataflow.transactions.__file__).parent

MANY, FEW = 20, 2
LEADS = {
    "saga": (
        ("saga.step.after_commit:2", SUCCEEDS),
        ("saga.step.after_commit:2", FAILS),
        ("saga.step.before_work:4", SUCCEEDS),
    ),
    "two_phase": (
        ("two_phase.decision.before_commit", SUCCEEDS),
        ("two_phase.decision.after_commit", SUCCEEDS),
    ),
}
"""Where a transfer dies so that its recovery has something to do, and how it was to end."""


def named_in_the_source() -> Iterator[str]:
    """The names of the places, as they stand in the calls of ``crash_point``."""
    for file in SOURCE.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "crash_point":
                yield from (
                    node.value
                    for argument in call.args
                    for node in ast.walk(argument)
                    if isinstance(node, ast.Constant) and isinstance(node.value, str)
                )


def test_every_place_is_listed_and_every_one_that_is_listed_exists() -> None:
    assert len(set(POINTS)) == len(POINTS)
    assert set(named_in_the_source()) == set(POINTS)


@pytest.mark.parametrize("point", POINTS)
def test_a_process_dies_and_all_is_well_after_the_restart(
    point: str, processes: Processes, books: Books
) -> None:
    """It dies at the passes of the place: in transfers that succeed and that fail, and in restarts.

    In transfers on two PostgreSQL, at all of its passes; else at the first two, one for each database.
    """
    form = point.partition(".")[0]
    walker = Walker(processes, books, form)
    most = MANY if all(url.startswith("postgres") for url in books.urls) else FEW
    deaths = 0
    for outcome in OUTCOMES:
        deaths += deaths_at(point, walker, outcome, most)
    for lead, outcome in LEADS[form]:
        deaths += deaths_at(point, walker, outcome, min(most, FEW), lead)
    assert deaths, "no process ever came to this place"


def deaths_at(point: str, walker: Walker, outcome: str, most: int, lead: str = "") -> int:
    """Let it die at the first pass of a place, at the second, and so on; how often it did.

    :param lead: where the transfer dies, if it is its restart that is to die at the place.
    """
    for number in range(most):
        place = f"{point}:{number + 1}"
        if not walker.walk(lead or place, outcome, recover_until=place if lead else ""):
            return number
    return most
