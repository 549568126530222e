"""The suite can fail: a dialect that is wrong in one way fails in just the tests that are about it.

Each runs the topics in which a test is about its defect: those tests must fail there and no others.
"""

from collections.abc import Collection

from dataflow.testing import Conformance

from .conftest import RunSuite

HEAD = """
from contextlib import contextmanager
from dataclasses import dataclass

from dataflow.testing import Provision, Server, Suite


@dataclass(frozen=True)
class Broken(Provision):
    scheme: str
    name = "broken"

    def start(self, session):
        return Memory(self.scheme)


class Memory(Server):
    def __init__(self, scheme):
        self.scheme = scheme

    @contextmanager
    def database(self):
        yield f"{self.scheme}:///:memory:"
"""
CLASS = """
{imports}


class {name}({bases}, Suite):
    provision = Broken("{scheme}")
"""

RED: dict[str, set[str]] = {
    "broken-microseconds": {
        "test_an_extreme_value_is_stored_exactly_or_refused",
        "test_the_time_of_a_bulk_update_is_kept_unless_it_is_given",
        "test_the_times_of_creation_and_change_are_kept_in_utc",
    },
    "broken-decimals": {"test_an_extreme_value_is_stored_exactly_or_refused"},
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
        "test_a_single_statement_that_failed_and_was_caught_undoes_itself_alone",
        "test_a_unique_violation_names_table_and_columns_and_no_value",
        "test_a_violation_is_mapped_and_rolls_back",
        "test_an_update_that_takes_what_another_row_has_is_a_unique_violation",
        "test_an_update_that_violates_a_constraint_changes_nothing",
        "test_what_was_refused_leaves_the_connection_usable",
    },
    "broken-capabilities": {"test_nan_is_stored"},
    "broken-promises": {"test_what_is_declared_is_there"},
    "broken-answers": {"test_sql_of_ones_own_tells_how_many_rows_it_touched"},
    "broken-cursors": {"test_a_cursor_brings_as_many_rows_as_are_asked_for"},
    "broken-usability": {"test_a_connection_knows_its_transaction_and_serves_nobody_else_meanwhile"},
    "broken-endings": {
        "test_a_connection_knows_its_transaction_and_serves_nobody_else_meanwhile",
        "test_databases_that_were_closed_leave_nothing_behind",
    },
}
"""For the scheme of each broken dialect, the tests that notice what is wrong."""


# What a generated test finds depends on what is drawn, what a timeout meets on how busy the machine is.
STEADY = "not generated and not times_out"
GENERATED = {
    "broken-microseconds": "test_a_generated_row_survives_every_way_in_and_out",
    "broken-decimals": "test_a_generated_model_keeps_its_generated_rows",
    "broken-savepoints": "test_a_generated_workflow_does_what_the_interpreter_does",
}


def class_of(scheme: str) -> str:
    return "Test" + scheme.title().replace("-", "")


def suite(scheme: str, tests: Collection[str]) -> str:
    """The text of a suite of all topics that hold one of these tests."""
    unknown = [test for test in tests if not hasattr(Conformance, test)]
    assert not unknown, f"no topic has {', '.join(unknown)}"
    topics = [topic for topic in Conformance.__mro__ if any(test in vars(topic) for test in tests)]
    return CLASS.format(
        imports="\n".join(f"from {topic.__module__} import {topic.__name__}" for topic in topics),
        name=class_of(scheme),
        bases=", ".join(topic.__name__ for topic in topics),
        scheme=scheme,
    )


def test_a_defect_makes_the_tests_red_that_are_about_it(packages: str, run_suite: RunSuite) -> None:
    text = HEAD + "".join(suite(scheme, red) for scheme, red in RED.items())
    run = run_suite(text, "--tb=line", "-k", STEADY, path=packages)
    failed = {scheme: run.of_classes[class_of(scheme)].get("FAILED") for scheme in RED}
    assert failed == RED, run.output
    assert "ERROR" not in run.outcomes
    assert all(run.of_classes[class_of(scheme)]["PASSED"] for scheme in RED)


def test_generated_tests_find_defects_too(packages: str, run_suite: RunSuite) -> None:
    text = HEAD + "".join(suite(scheme, [test]) for scheme, test in GENERATED.items())
    wanted = [f"test_dialect.py::{class_of(scheme)}::{test}" for scheme, test in GENERATED.items()]
    # Each is found among tens of examples by one seed and among hundreds by another; the first failure ends a search.
    run = run_suite(text, "--tb=line", *wanted, path=packages, examples="100")
    assert run.outcomes.get("FAILED") == set(GENERATED.values()), run.output
    assert "ERROR" not in run.outcomes
