"""The benchmark runs from end to end and leaves nothing out. How fast anything is, is no matter of a test."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import main
from benchmarks.databases.contract import StoreOptions
from benchmarks.databases.sqlite import SQLiteStore, SQLiteStores
from benchmarks.entries import Entry
from benchmarks.footprint import LIBRARIES, Footprint, size_on_disk
from benchmarks.goals import goals
from benchmarks.layers import DRIVER, ELSEWHERE, NODE, POOL, RUN, STATEMENT, layer_of
from benchmarks.layers import SCOPE as IN_A_TRANSACTION
from benchmarks.lineup import DATABASES
from benchmarks.lineup.postgres import POSTGRES
from benchmarks.lineup.sqlite import IN_THREAD, ON_LOOP, SQLITE
from benchmarks.measure import Effort, Measured, compare_answers
from benchmarks.outcome import Outcome
from benchmarks.plot import MARKS
from benchmarks.report import markdown
from benchmarks.seats import ContestantFailed, Seat
from benchmarks.subject import SEEDED, row
from benchmarks.workloads import WORKLOADS
from dataflow import AsyncLocalRuntime
from dataflow.execution.executor import Executor
from dataflow.execution.loop_semaphore import LoopSemaphore
from dataflow.execution.transaction import Transaction
from dataflow.model.field import utcnow
from dataflow.sqlite.driver import SQLiteConnection

ENTRIES = [entry for entry in SQLITE.entries if entry.is_installed()]
BY_NAME = {entry.name: entry for entry in SQLITE.entries}
READ = next(one for one in WORKLOADS if one.name == "read by id")
SCOPE = next(one for one in WORKLOADS if one.name == "one in a scope")
BULK = next(one for one in WORKLOADS if one.operation == "bulk_create")
STEPS = next(one.name for one in WORKLOADS if one.operation == "steps")
OF_ALL = [one for one in WORKLOADS if one.name != STEPS]
"""What DataFlow does not measure against itself alone."""
MISSING = {one for entry in SQLITE.entries for one in entry.needs if not one.is_installed}


def of_drivers() -> set[tuple[str, str]]:
    """Workload and contestant of each row of the bare driver."""
    by_executemany = {"bulk_create", "upsert", "bulk_update", "delete_ids"}
    return {
        (workload.name, name)
        for workload in OF_ALL
        for name in (
            *IN_THREAD.bulk_baselines,
            *ON_LOOP.bulk_baselines,
            "sqlite3-undecoded",
            "sqlite3-queue",
        )
        if workload.tasks == 1 or BY_NAME[name].group is ON_LOOP
        if workload.bulk or "executemany" not in name
        if not workload.bulk or name not in ("sqlite3-undecoded", "sqlite3-queue")
        if "executemany" not in name or workload.operation in by_executemany
    }


def of_dataflow() -> set[tuple[str, str]]:
    """The same of DataFlow, as far as it must be there."""
    runtimes = {"dataflow-runtime", "dataflow-async-runtime"}
    pairs = {
        (workload.name, name)
        for workload in OF_ALL
        for name in (*runtimes, "dataflow-calls", "dataflow-async-calls")
        if workload.tasks == 1 or BY_NAME[name].group is ON_LOOP
        if not workload.bulk or (name in runtimes and workload.operation == "bulk_create")
    }
    # Direct calls have a transaction on an event loop only.
    several = ("five in a transaction", "one in a scope", "two in a scope")
    steps = {(STEPS, "dataflow-apart"), (STEPS, "dataflow-saga")}
    return steps | pairs - {(workload, "dataflow-calls") for workload in several}


@pytest.mark.timeout(300)  # a dozen processes take turns
def test_a_trial_measures_every_workload_with_every_contestant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("json", "plot", "markdown")}
    assert main(["--trial", *(f"--{name}={file}" for name, file in files.items())]) == 0

    found = json.loads(files["json"].read_text())
    pairs = {(workload, name) for workload, entries in found["workloads"].items() for name in entries}
    assert of_drivers() | of_dataflow() <= pairs
    assert {name for _, name in pairs} == {entry.name for entry in ENTRIES}
    assert {"sqlite3", "DataFlow"} <= set(found["footprints"])
    ours = found["footprints"]["DataFlow"]
    assert ours["imports"][0] > 0
    assert ours["import_takes"] > 0
    assert set(found["layers"]) == {"read by id", "five in a transaction"}
    assert all(len(shares) > 1 for shares in found["layers"].values())
    assert "import dataflow is quick" in {goal["goal"] for goal in found["goals"]}

    text = capsys.readouterr().out
    _, table, *_ = text.split("\n\n")
    assert len(table.splitlines()) == 2 + len(pairs)
    assert text.count("NOT met, by ") + text.count("  met\n") == len(found["goals"])
    assert ("not installed, so not compared: " in text) is bool(MISSING)
    assert "trial: " in text

    cells = files["markdown"].read_text()
    assert all(f"| {workload.name} |" in cells for workload in WORKLOADS)
    titles = {line.removeprefix("### ") for line in cells.splitlines()}
    assert {IN_THREAD.title, ON_LOOP.title, f"{IN_THREAD.title}, in bulk", "The goals"} <= titles
    drawn = {element.text for element in ElementTree.parse(files["plot"]).iter()}
    assert {workload.name for workload in WORKLOADS} <= drawn
    assert {IN_THREAD.title, ON_LOOP.title, "DataFlow LocalRuntime"} <= drawn


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("postgres", "mysql")]
)
def test_a_trial_runs_on_a_server_of_its_own(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database, file = DATABASES[name], tmp_path / "out.json"
    some = (
        "update by id",
        "five in a transaction",
        "upsert 100k",
        "bulk update 20k",
        "delete 20k ids",
        STEPS,
    )
    chosen = [word for one in (*some, "layers") for word in ("--only", one)]
    assert main(["--trial", "--database", name, "--json", str(file), *chosen]) == 0
    found = json.loads(file.read_text())
    assert "started for this run" in found["surroundings"]["database"]
    workloads = [one for one in WORKLOADS if one.name.startswith(some)]
    assert {one.name for one in workloads} == set(found["workloads"])
    assert set(found["workloads"][STEPS]) == {"dataflow-apart", "dataflow-saga"}
    others = [entries for name, entries in found["workloads"].items() if name != STEPS]
    assert all("dataflow-async-runtime" in entries for entries in others)
    installed = {entry.name: entry for entry in database.entries if entry.is_installed()}
    # Without its bare driver, a group has nothing to be divided by.
    there = {entry.name for entry in installed.values() if entry.group.baseline in installed}
    assert {one for entries in found["workloads"].values() for one in entries} == there
    assert set(found["layers"]) == {"read by id", "read by id, 50 tasks", "five in a transaction"}
    assert "AsyncLocalRuntime stays near " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("where", "layer"),
    [
        (utcnow, NODE),
        (AsyncLocalRuntime.execute, RUN),
        (Executor.records, STATEMENT),
        (LoopSemaphore.take, POOL),
        (Transaction.commit, IN_A_TRANSACTION),
        (SQLiteConnection.fetch, DRIVER),
        (asyncio.sleep, ELSEWHERE),
        (row, None),
    ],
)
def test_a_function_belongs_to_a_layer(where: Any, layer: str | None) -> None:
    code = where.__code__
    assert layer_of(Path(code.co_filename), code.co_name) == layer


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
    assert "LocalRuntime adds little" not in text
    content = page.read_text()
    assert content.startswith("before\n<!-- measured: begin -->\n")
    assert content.endswith("<!-- measured: end -->\nafter\n")
    assert "| list 20, 50 tasks |" in content
    assert "old" not in content


def test_a_name_that_matches_nothing_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SystemExit, match="read by id"):
        main(["--only", "nonsense"])


# ------------------------------------------------------------------------------------------- contestants


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> SQLiteStores:
    return SQLiteStores(tmp_path_factory.mktemp("stores"), StoreOptions("off"))


@pytest.fixture
def store(stores: SQLiteStores, request: pytest.FixtureRequest) -> Iterator[SQLiteStore]:
    store = stores.new(request.node.name)()
    yield store
    store.close()


def seated(stores: SQLiteStores, entry: Entry) -> Seat:
    return Seat(entry, stores.new(f"seat-{entry.name}"))


def test_contestants_that_answer_differently_are_not_measured(stores: SQLiteStores) -> None:
    seats = [
        seated(stores, BY_NAME["sqlite3"]),
        seated(stores, replace(BY_NAME["sqlite3-undecoded"], decodes=True)),
    ]
    try:
        for seat in seats:
            seat.sit_down()
        with pytest.raises(AssertionError, match="sqlite3-undecoded, read by id"):
            compare_answers(seats)
    finally:
        for seat in seats:
            seat.close()


class Answering:
    """A seat that has its answers ready."""

    def __init__(self, name: str, answer: object, change: object) -> None:
        self.entry = BY_NAME[name]
        self.operations = {"delete"}
        self._answer = (answer, change)

    def answer(self, workload: object, most: int) -> object:
        return self._answer


def compared(*seats: Answering) -> None:
    compare_answers(cast("Sequence[Seat]", seats))


def test_contestants_that_leave_another_table_are_not_measured() -> None:
    compared(Answering("sqlite3", 1, ([], 1)), Answering("dataflow-runtime", 1, ([], 1)))
    with pytest.raises(AssertionError, match="dataflow-runtime, delete by id: the table is changed"):
        compared(Answering("sqlite3", 1, ([], 1)), Answering("dataflow-runtime", 1, ([], 2)))


def test_a_library_that_tells_no_number_of_rows_may_take_part() -> None:
    compared(Answering("sqlite3", 1, ([], 1)), Answering("piccolo", None, ([], 1)))


def test_a_contestant_that_fails_says_where(stores: SQLiteStores) -> None:
    seat = seated(stores, replace(BY_NAME["sqlite3"], made_by="benchmarks.contestants.plain_sqlite:Nobody"))
    try:
        with pytest.raises(ContestantFailed, match=r"(?s)sqlite3:.*Nobody"):
            seat.sit_down()
    finally:
        seat.close()


def test_a_store_fills_in_the_rows_that_python_would_make(store: SQLiteStore) -> None:
    before = store.content()
    assert store.fill(3, step=2) == range(SEEDED + 1, SEEDED + 4)
    expected = [row(SEEDED + 1), row(SEEDED + 3), row(SEEDED + 5)]
    names = ("name", "email", "age", "balance", "active", "meta")
    found = [dict(zip(names, one, strict=True)) for one in store.content() - before]
    found = [{**one, "meta": json.loads(one["meta"]), "active": bool(one["active"])} for one in found]
    assert sorted(found, key=lambda one: str(one["name"])) == expected
    store.restore()
    assert store.content() == before
    assert store.fill(1) == range(SEEDED + 1, SEEDED + 2)


# --------------------------------------------------------------------------------------- figures and goals


def test_ratios_and_differences_pair_the_rounds_and_ignore_how_busy_the_machine_was() -> None:
    microsecond = 1e-6
    driver = [10 * microsecond, 20 * microsecond, 40 * microsecond]
    ours = [30 * microsecond, 40 * microsecond, 60 * microsecond]
    measured = Measured(READ, {"sqlite3": driver, "dataflow-runtime": ours})
    assert measured.ratio("dataflow-runtime", "sqlite3").median == pytest.approx(2.0)
    assert measured.added("dataflow-runtime", "sqlite3").median == pytest.approx(20.0)
    (goal,) = goals(SQLITE, [measured], [])
    assert goal.met
    assert "20.0 microseconds" in goal.cells()[2]


def test_in_bulk_the_fastest_way_of_the_bare_driver_is_the_measure() -> None:
    seconds = {"sqlite3": [2.0, 2.0], "sqlite3-executemany": [1.0, 1.0], "dataflow-runtime": [3.0, 3.0]}
    assert Measured(BULK, seconds).baseline(IN_THREAD) == "sqlite3-executemany"
    assert Measured(READ, seconds).baseline(IN_THREAD) == "sqlite3"
    assert Measured(READ, seconds).baseline(ON_LOOP) is None
    outcome = Outcome({}, ENTRIES, [Measured(BULK, seconds)], None, [], {}, [], [])
    assert "| 2.00 (2.00 to 2.00) | 1.00 s | 3.00 (3.00 to 3.00) |" in markdown(outcome)


@pytest.mark.parametrize(("times", "verdict"), [(1.29, "met"), (1.95, "NOT met, by 50 %")])
def test_a_goal_is_met_or_not(times: float, verdict: str) -> None:
    measured = Measured(READ, {"sqlite3-executor": [1.0, 1.0], "dataflow-async-runtime": [times, times]})
    (goal,) = goals(SQLITE, [measured], [])
    assert goal.cells()[-1] == verdict


def test_what_takes_long_in_bulk_is_measured_twice_and_anything_else_until_its_time_is_over() -> None:
    effort = Effort(8.0, least=5, bulk_rounds=3, bulk_seconds=30.0)
    assert [effort.goes_on(BULK, rounds, 10.0) for rounds in range(4)] == [True, True, True, False]
    assert [effort.goes_on(BULK, rounds, 40.0) for rounds in range(4)] == [True, True, False, False]
    assert [effort.goes_on(READ, 4, 9.0), effort.goes_on(READ, 5, 7.0), effort.goes_on(READ, 5, 8.0)] == [
        True,
        True,
        False,
    ]


def test_the_rival_that_counts_is_the_fastest_and_the_loops_have_their_own() -> None:
    seconds = {"dataflow-runtime": 4.0, "dataflow-async-runtime": 6.0, "django": 8.0, "tortoise": 5.0}
    measured = Measured(READ, {name: [one, one] for name, one in seconds.items()})
    sync, on_loop = goals(SQLITE, [measured], [])
    assert (sync.measured.median, sync.met, sync.remark) == (0.8, True, " of Tortoise ORM")
    assert (on_loop.measured.median, on_loop.met, on_loop.remark) == (1.2, False, " of Tortoise ORM")


def test_a_scope_costs_what_it_adds_beyond_begin_and_commit() -> None:
    microsecond = 1e-6
    alone = {"sqlite3": 10.0, "dataflow-runtime": 30.0}
    within = {"sqlite3": 16.0, "dataflow-runtime": 60.0}
    measured = [
        Measured(workload, {}, {name: [one * microsecond] * 2 for name, one in processor.items()})
        for workload, processor in ((READ, alone), (SCOPE, within))
    ]
    (goal,) = (goal for goal in goals(SQLITE, measured, []) if goal.text.startswith("a scope costs"))
    assert goal.measured.median == pytest.approx(24.0)
    assert goal.met
    assert not [goal for goal in goals(SQLITE, measured[1:], []) if goal.text.startswith("a scope costs")]


def test_import_and_size_are_judged_where_they_were_measured() -> None:
    footprints = [
        Footprint("DataFlow", [80.0, 90.0], 26.0, 1.0, None),
        Footprint("Peewee", [1.0], 1.0, 1.0, 1.0),
    ]
    assert [goal.met for goal in goals(SQLITE, [], footprints)] == [True, False]
    assert goals(SQLITE, [], [Footprint("DataFlow", [], None, 1.0, None)]) == []


def test_a_size_has_that_of_all_it_depends_on_and_of_editable_sources() -> None:
    alone, ours = size_on_disk(["pluggy"]), size_on_disk(["dataflow-sqlite"])
    core = size_on_disk(["dataflow-core"])
    assert 50_000 < alone < core < ours
    assert size_on_disk(["dataflow-core", "dataflow-sqlite", "pluggy"]) == ours
    assert size_on_disk(["not-installed"]) == 0


def test_everybody_has_a_mark_in_the_picture_and_every_library_a_contestant() -> None:
    entries = [entry for database in DATABASES.values() for entry in database.entries]
    drivers = {
        "sqlite3",
        "sqlite3, run_in_executor",
        "asyncpg, pooled",
        "psycopg",
        "asyncmy, pooled",
        "PyMySQL",
        "DataFlow, each a transaction",
    }
    titles = {entry.title for entry in entries}
    assert titles - set(MARKS) == drivers
    assert set(MARKS) <= titles
    assert {library.contestant for library in LIBRARIES} <= set(BY_NAME)


def test_baselines_and_aims_name_who_takes_part() -> None:
    for database in DATABASES.values():
        names = [entry.name for entry in database.entries]
        assert len(set(names)) == len(names)
        groups = {entry.group for entry in database.entries}
        assert {name for one in groups for name in (one.baseline, *one.bulk_baselines)} <= set(names)
        assert {aim.contestant for aim in database.aims} <= set(names)
        assert {group for aim in database.aims for group in aim.rivals} <= groups


def test_who_goes_row_by_row_must_be_ten_times_as_slow() -> None:
    seconds = {
        "asyncpg": [1.0, 1.0],
        "dataflow-async-runtime": [1.2, 1.2],
        "sqlalchemy-orm-async": [2.4, 2.4],
        "sqlalchemy-orm-each": [11.0, 11.0],
    }
    near, ahead, each = goals(POSTGRES, [Measured(BULK, seconds)], [])
    assert (near.measured.median, near.limit, near.met) == (1.2, 1.25, True)
    assert (ahead.measured.median, ahead.met, ahead.remark) == (0.5, True, " of SQLAlchemy ORM")
    assert (each.limit, each.met, each.remark) == (0.1, False, " of SQLAlchemy ORM, row by row")
