"""The benchmark runs from end to end and leaves nothing out. How fast anything is, is no matter of a test."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import main
from benchmarks.entries import BESIDE_A_LOOP, DATABASES, IN_THREAD
from benchmarks.measure import Measured, compare_answers, places
from benchmarks.promises import promises
from benchmarks.workloads import WORKLOADS

ENTRIES = DATABASES["sqlite"].entries
READ = WORKLOADS[0]


def expected() -> set[tuple[str, str]]:
    """Workload and contestant of each row."""
    pairs = {
        (workload.name, entry.name)
        for workload in WORKLOADS
        for entry in ENTRIES
        if workload.tasks == 1 or entry.group is BESIDE_A_LOOP
    }
    # Direct calls have a transaction on an event loop only.
    return pairs - {("five in a transaction", "dataflow-calls")}


def test_a_trial_measures_every_workload_with_every_contestant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("json", "plot", "markdown")}
    assert main(["--trial", *(f"--{name}={file}" for name, file in files.items())]) == 0

    found = json.loads(files["json"].read_text())
    assert {
        (workload, name) for workload, entries in found["workloads"].items() for name in entries
    } == expected()
    assert found["startup"]["import_dataflow"] > 0
    assert [promise["limit"] for promise in found["promises"]] == [25.0, 1.3]

    text = capsys.readouterr().out
    _, table, *_ = text.split("\n\n")
    assert len(table.splitlines()) == 2 + len(expected())
    assert text.count("Promise: ") == 2
    cells = files["markdown"].read_text()
    assert all(f"| {workload.name} |" in cells for workload in WORKLOADS)
    assert {IN_THREAD.title, BESIDE_A_LOOP.title} <= {
        line.removeprefix("### ") for line in cells.splitlines()
    }
    ElementTree.parse(files["plot"])


def test_only_measures_what_was_asked_for_and_puts_it_between_the_marks_of_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n")
    assert main(["--trial", "--only", "list 20,", "--only", "update by id,", "--markdown", str(page)]) == 0
    text = capsys.readouterr().out
    assert "list 20, 50 tasks" in text
    assert "update by id, 50 tasks" in text
    assert "read by id" not in text
    assert "Promise" not in text
    content = page.read_text()
    assert content.startswith("before\n<!-- measured: begin -->\n")
    assert content.endswith("<!-- measured: end -->\nafter\n")
    assert "| list 20, 50 tasks |" in content
    assert "old" not in content


def test_a_name_that_matches_nothing_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SystemExit, match="read by id"):
        main(["--only", "nonsense"])


def test_contestants_that_answer_differently_are_not_measured() -> None:
    with places("sqlite", "off") as (contestants, _):
        compare_answers(contestants)
        changed = contestants[2]
        operations = dict(changed.contestant.operations())
        operations["delete"] = lambda id: {"deleted": 0}
        vars(changed.contestant)["_operations"] = operations
        with pytest.raises(AssertionError, match="dataflow-runtime, delete by id"):
            compare_answers(contestants)


def test_ratios_and_differences_pair_the_rounds_and_ignore_how_busy_the_machine_was() -> None:
    microsecond = 1e-6
    driver = [10 * microsecond, 20 * microsecond, 40 * microsecond]
    ours = [30 * microsecond, 40 * microsecond, 60 * microsecond]
    measured = Measured(READ, {"sqlite3": driver, "dataflow-runtime": ours})
    assert measured.ratio("dataflow-runtime", "sqlite3").median == pytest.approx(2.0)
    assert measured.added("dataflow-runtime", "sqlite3").median == pytest.approx(20.0)
    (promise,) = promises([measured])
    assert promise.met
    assert "20.0 microseconds" in promise.line()


@pytest.mark.parametrize(("times", "met"), [(1.29, True), (1.31, False)])
def test_a_promise_is_met_or_not(times: float, met: bool) -> None:
    measured = Measured(READ, {"sqlite3-executor": [1.0, 1.0], "dataflow-async-runtime": [times, times]})
    (promise,) = promises([measured])
    assert promise.met is met
    assert promise.line().endswith("), met" if met else "), NOT met")
