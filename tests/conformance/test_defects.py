"""The suite can fail: a dialect that is wrong in one way fails in just the tests that are about it."""

from pathlib import Path

import pytest

from .conftest import RunSuite

SUITE = """
from contextlib import contextmanager
from dataclasses import dataclass

from dataflow.testing import Provision, Server, Suite
from dataflow.testing.conformance.bulk_delete import BulkDeleteTests
from dataflow.testing.conformance.bulk_update import BulkUpdateTests
from dataflow.testing.conformance.create import CreateTests
from dataflow.testing.conformance.delete import DeleteTests
from dataflow.testing.conformance.errors import ErrorTests
from dataflow.testing.conformance.listing import ListingTests
from dataflow.testing.conformance.transactions import TransactionTests
from dataflow.testing.conformance.update import UpdateTests
from dataflow.testing.conformance.values import ValueTests
from dataflow.testing.conformance.workflows import WorkflowTests


class Memory(Server):
    @contextmanager
    def database(self):
        yield "{scheme}:///:memory:"


@dataclass(frozen=True)
class Broken(Provision):
    name = "broken"

    def start(self, session):
        return Memory()


class TestBroken(
    CreateTests, UpdateTests, DeleteTests, ListingTests, BulkUpdateTests, BulkDeleteTests,
    ValueTests, ErrorTests, TransactionTests, WorkflowTests, Suite,
):
    provision = Broken()
"""

RED: dict[str, set[str]] = {
    "broken-microseconds": {
        "test_an_extreme_value_is_stored_exactly",
        "test_the_time_of_a_bulk_update_is_kept_unless_it_is_given",
        "test_the_times_of_creation_and_change_are_kept_in_utc",
    },
    "broken-decimals": {"test_an_extreme_value_is_stored_exactly"},
    "broken-case": {"test_rows_come_in_order_nulls_smallest_and_ties_by_key"},
    "broken-nulls": {
        "test_a_list_feeds_the_nodes_that_follow",
        "test_a_page_is_cut_from_the_order",
        "test_all_rows_that_match_change_alike",
        "test_a_row_can_be_ordered_and_filtered_by_a_field_that_does_not_come_back",
        "test_one_row_is_changed_and_comes_back_as_it_is_then",
        "test_pages_of_ties_neither_overlap_nor_leave_out",
        "test_rows_come_in_order_nulls_smallest_and_ties_by_key",
    },
    "broken-savepoints": {
        "test_a_failure_of_the_database_is_handled_too",
        "test_a_gathered_call_that_fails_does_not_take_the_others_with_it",
        "test_a_handled_failure_undoes_the_node_alone",
        "test_a_run_inside_that_fails_undoes_its_part_alone",
        "test_a_transaction_in_a_transaction_is_a_savepoint",
        "test_an_async_failure_is_handled_and_undone",
        "test_an_error_of_the_database_that_was_caught_undoes_its_call_alone",
        "test_in_a_transaction_only_the_node_that_met_several_rows_is_undone",
    },
    "broken-counts": {
        "test_a_deletion_of_every_row_may_be_confirmed_by_a_connection",
        "test_a_list_of_many_keys_is_deleted",
        "test_all_rows_that_match_change_alike",
        "test_an_update_of_every_row_may_be_confirmed_by_a_connection",
        "test_an_input_fills_the_rows_that_lack_it_or_is_a_value_for_all",
        "test_the_rows_that_match_are_gone_and_counted",
    },
    "broken-errors": {
        "test_a_column_of_another_name_is_named_as_the_database_knows_it",
        "test_a_key_may_be_a_text_under_another_name",
        "test_a_key_may_be_composite_and_has_no_short_name",
        "test_a_key_that_is_taken_names_its_columns",
        "test_a_unique_violation_names_table_and_columns_and_no_value",
        "test_a_violation_is_mapped_and_rolls_back",
        "test_an_update_that_takes_what_another_row_has_is_a_unique_violation",
        "test_an_update_that_violates_a_constraint_changes_nothing",
        "test_what_was_refused_leaves_the_connection_usable",
    },
    "broken-capabilities": {"test_nan_is_stored"},
}
"""For the scheme of each broken dialect, the tests that notice what is wrong."""


# What a generated test finds depends on what is drawn, what a timeout meets on how busy the machine is.
STEADY = "not generated and not times_out"


@pytest.fixture
def packages(tmp_path: Path) -> str:
    """A folder in which the broken dialects are installed as those of a stranger's package."""
    folder = tmp_path / "packages"
    metadata = folder / "broken_dialects-0.1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-dialects\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text("[dataflow]\nbroken = broken_dialects\n")
    (folder / "broken_dialects.py").write_text(Path(__file__).with_name("broken_dialects.py").read_text())
    return str(folder)


@pytest.mark.parametrize("scheme", RED)
def test_a_defect_makes_the_tests_red_that_are_about_it(
    scheme: str, packages: str, run_suite: RunSuite
) -> None:
    run = run_suite(SUITE.format(scheme=scheme), "--tb=line", "-k", STEADY, path=packages)
    assert run.outcomes.get("FAILED") == RED[scheme], run.output
    assert "ERROR" not in run.outcomes
    assert len(run.outcomes["PASSED"]) > 50


@pytest.mark.parametrize(
    ("scheme", "test"),
    [
        ("broken-microseconds", "test_a_generated_row_survives_every_way_in_and_out"),
        ("broken-decimals", "test_a_generated_model_keeps_its_generated_rows"),
        ("broken-savepoints", "test_a_generated_workflow_does_what_the_interpreter_does"),
    ],
)
def test_generated_tests_find_defects_too(scheme: str, test: str, packages: str, run_suite: RunSuite) -> None:
    run = run_suite(SUITE.format(scheme=scheme), "--tb=line", "-k", test, path=packages, examples="8")
    assert run.outcomes.get("FAILED") == {test}, run.output
