"""What the BulkUpdateNode does: to all rows that match a filter, or to each row that it is given."""

from collections import UserDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    InvalidValue,
    MissingValue,
    OutOfRange,
    UniqueViolation,
    UnknownName,
    ValidationError,
    WorkflowBuildError,
)
from dataflow.progress import Progress
from dataflow.testing.conformance.people import ROWS, Row, Rows, define_people, people
from dataflow.testing.conformance.update_operators import define_figures
from dataflow.testing.conformance.users import awaited
from dataflow.testing.examples import SOME
from dataflow.testing.oracle.changes import apply
from dataflow.testing.strategies.changes import NAMES, documents, rows, values

__all__ = ["BulkUpdateTests"]


def changed(**values: Mapping[str, Any]) -> Rows:
    """The rows, those with these names (``of_1``) with other values."""
    return [{**row, **values.get(f"of_{row['id']}", {})} for row in ROWS]


class BulkUpdateTests:
    """Many rows change at once."""

    @pytest.mark.parametrize(
        ("parameters", "count", "expected"),
        [
            ({"filter": {"name": "Ann"}, "update": {"age": 5}}, 2, changed(of_1={"age": 5}, of_3={"age": 5})),
            (
                {"filter": {"age": {"$gt": 1}}, "update": {"$inc": {"age": 1}}},
                2,
                changed(of_1={"age": 31}, of_3={"age": 41}),
            ),
            ({"filter": {"id": 2}, "name": "Rob"}, 1, changed(of_2={"name": "Rob"})),
            (
                {"filter": {"id": 2}, "name": "Rob", "update": {"$inc": {"age": 1}}},
                1,
                changed(of_2={"name": "Rob", "age": 1}),
            ),
            ({"filter": {"id": 9}, "update": {"age": 5}}, 0, ROWS),
            ({"filter": {"name": "Ann"}, "update": {"name": "Ann"}}, 2, ROWS),
            (
                {"filter": {}, "confirmed": True, "update": {"age": 5}},
                3,
                changed(of_1={"age": 5}, of_2={"age": 5}, of_3={"age": 5}),
            ),
        ],
    )
    def test_all_rows_that_match_change_alike(
        self, db: DataFlow, parameters: Row, count: int, expected: Rows
    ) -> None:
        define_people(db)
        output = db.run_sync(db.nodes.UserBulkUpdateNode(**parameters))
        assert output == {"updated": count, "result": count}
        assert people(db) == expected

    @pytest.mark.parametrize("make", [list, iter, awaited], ids=["list", "generator", "async generator"])
    def test_rows_that_change_come_from_whatever_can_be_iterated(
        self, db: DataFlow, make: Callable[[Iterable[Row]], Any]
    ) -> None:
        define_people(db)
        told: list[Progress] = []
        data: Rows = [{"id": 1, "age": 5}, {"id": 2}, {"id": 3, "age": None}]
        call = db.nodes.UserBulkUpdateNode(data=make(data), age=7, batch_size=2, progress=told.append)
        assert db.run_sync(call)["updated"] == 3
        assert people(db) == changed(of_1={"age": 5}, of_2={"age": 7}, of_3={"age": None})
        total = 3 if make is list else None
        assert told == [Progress(2, total), Progress(3, total)]

    @pytest.mark.parametrize("make", [list, iter, awaited], ids=["list", "generator", "async generator"])
    def test_a_bad_row_of_a_later_batch_changes_none(
        self, db: DataFlow, make: Callable[[Iterable[Row]], Any]
    ) -> None:
        define_people(db)
        for bad, message in (({"id": 3, "age": "x"}, "row 2: .*age"), (5, "row 2: expected a dict, got int")):
            data: Any = [{"id": 1, "age": 5}, {"id": 2, "age": 5}, bad]
            with pytest.raises(InvalidValue, match=message):
                db.run_sync(db.nodes.UserBulkUpdateNode(data=make(data), batch_size=2))
            assert people(db) == ROWS

    @pytest.mark.parametrize(
        ("parameters", "count", "expected"),
        [
            (
                {"data": [{"id": 1, "age": 5}, {"id": 3, "age": None}]},
                2,
                changed(of_1={"age": 5}, of_3={"age": None}),
            ),
            (
                {"data": [{"id": 1, "age": 5}, {"user_id": 3, "name": "Eve", "email": "e"}]},
                2,
                changed(of_1={"age": 5}, of_3={"name": "Eve", "email": "e"}),
            ),
            ({"data": [{"id": 1, "age": 5}, {"id": 77, "age": 6}]}, 1, changed(of_1={"age": 5})),
            ({"data": []}, 0, ROWS),
            (
                {
                    "data": [
                        {"id": 1, "age": 5, "name": "A"},
                        {"id": 1, "age": 6},
                        {"user_id": 1, "email": "z"},
                    ]
                },
                1,
                changed(of_1={"age": 6, "name": "A", "email": "z"}),
            ),
            (
                {"data": [{"id": 1}, {"id": 2, "age": 7}], "age": 5},
                2,
                changed(of_1={"age": 5}, of_2={"age": 7}),
            ),
            (
                {"data": ({"age": 1, "id": 3}, {"id": 1, "age": 2})},
                2,
                changed(of_3={"age": 1}, of_1={"age": 2}),
            ),
        ],
    )
    def test_each_row_of_a_list_changes_in_its_own_way(
        self, db: DataFlow, parameters: Row, count: int, expected: Rows
    ) -> None:
        define_people(db)
        output = db.run_sync(db.nodes.UserBulkUpdateNode(**parameters))
        assert output == {"updated": count, "result": count}
        assert people(db) == expected

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({}, MissingValue, "needs a filter"),
            ({"update": {"age": 1}}, MissingValue, "needs a filter"),
            ({"filter": None, "update": {"age": 1}}, MissingValue, "needs a filter"),
            ({"filter": {}, "update": {"age": 1}}, MissingValue, "confirmed=True"),
            ({"filter": {"$and": [{}, {}]}, "update": {"age": 1}}, MissingValue, "confirmed=True"),
            ({"filter": {}, "update": {"age": 1}, "confirmed": False}, MissingValue, "confirmed=True"),
            ({"filter": {}, "update": {"age": 1}, "confirmed": 1}, InvalidValue, "expected a bool"),
            ({"filter": {"id": 1}}, MissingValue, "nothing to change"),
            ({"filter": {"id": 1}, "update": {}}, MissingValue, "nothing to change"),
            ({"filter": {"id": 1}, "update": {"id": 5}}, InvalidValue, "no two rows share"),
            ({"filter": {"age": 30}, "id": 5}, InvalidValue, "no two rows share"),
            ({"filter": {"age": 30}, "user_id": 5}, InvalidValue, "no two rows share"),
            ({"filter": {"id": 1}, "updates": {"age": 5}}, UnknownName, "did you mean 'update'"),
            ({"filter": {"idd": 1}, "update": {"age": 5}}, UnknownName, "did you mean 'id'"),
            ({"filter": {"id": 1}, "data": []}, ValidationError, "either data or filter"),
            ({"update": {"age": 1}, "data": []}, ValidationError, "either data or update"),
            ({"data": {"id": 1}}, InvalidValue, "expected a list of dicts"),
            ({"data": [], "batch_size": 0}, InvalidValue, "at least 1"),
            ({"data": [], "progress": 5}, InvalidValue, "expected a function"),
            ({"filter": {"id": 1}, "update": {"age": 1}, "progress": print}, ValidationError, "is for data"),
            ({"data": [{"id": 1, "age": 1}, 5]}, InvalidValue, "row 1: expected a dict"),
            ({"data": [{"id": 1, "age": 1}, {"age": 5}]}, MissingValue, "row 1: .*needs the key 'id'"),
            ({"data": [{"id": 1, "age": 1}, {"id": 2}]}, MissingValue, "row 1: .*nothing to change"),
            ({"data": [{"id": 1, "age": 1}, {"id": 2, "age": "x"}]}, InvalidValue, "row 1: .*User.age"),
            ({"data": [{"id": None, "age": 1}]}, InvalidValue, "must not be None"),
            ({"data": [{"id": 1, "agee": 1}]}, UnknownName, "did you mean 'age'"),
            ({"data": [{"id": 1, "user_id": 2, "age": 1}]}, ValidationError, "keep one"),
            ({"data": [{"id": 1, "$inc": {"age": 1}}]}, UnknownName, "no field"),
            ({"data": [{"id": 1, 7: 1}]}, UnknownName, "names are texts"),
        ],
    )
    def test_what_makes_no_sense_is_refused_and_changes_nothing(
        self, db: DataFlow, parameters: Row, error: type[Exception], message: str
    ) -> None:
        define_people(db)
        with pytest.raises(error, match=message):
            db.run_sync(db.nodes.UserBulkUpdateNode(**parameters))
        assert people(db) == ROWS

    def test_a_mapping_that_makes_up_what_it_lacks_gives_no_more_than_it_holds(self, db: DataFlow) -> None:
        define_people(db)
        data: list[Mapping[str, object]] = [
            defaultdict(lambda: None, {"id": 1, "age": 5}),
            defaultdict(lambda: None, {"id": 2, "name": "Rob"}),
            UserDict({"id": 3, "email": "z"}),
        ]
        assert db.run_sync(db.nodes.UserBulkUpdateNode(data=data))["updated"] == 3
        assert people(db) == changed(of_1={"age": 5}, of_2={"name": "Rob"}, of_3={"email": "z"})
        assert [*data[1]] == ["id", "name"]

    def test_a_violated_constraint_undoes_all_of_it(self, db: DataFlow) -> None:
        define_people(db)
        with pytest.raises(UniqueViolation):
            db.run_sync(db.nodes.UserBulkUpdateNode(data=[{"id": 1, "age": 9}, {"id": 2, "email": "c"}]))
        with pytest.raises(UniqueViolation):
            db.run_sync(db.nodes.UserBulkUpdateNode(filter={"id": {"$gt": 1}}, update={"email": "z"}))
        assert people(db) == ROWS

    def test_an_update_of_every_row_may_be_confirmed_by_a_connection(self, db: DataFlow) -> None:
        define_people(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node(lambda: {"sure": True}, "ask")
        workflow.add_node("UserBulkUpdateNode", "all", {"filter": {}, "update": {"age": 1}})
        workflow.add_connection("ask", "sure", "all", "confirmed")
        results, _ = LocalRuntime().execute(workflow.build())
        assert results["all"]["result"] == len(ROWS)

    def test_a_bulk_update_is_checked_when_its_workflow_is_built(self, db: DataFlow) -> None:
        define_people(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("UserBulkUpdateNode", "a", {"filter": {"agee": 1}, "update": {"age": 1}})
        workflow.add_node("UserBulkUpdateNode", "b", {"filter": {"id": 1}, "data": []})
        workflow.add_node("UserBulkUpdateNode", "c", {"data": [{"id": 1, "age": "x"}]})
        workflow.add_node("UserBulkUpdateNode", "d", {"filter": {"id": 1}, "updates": {}})
        workflow.add_node("UserBulkUpdateNode", "e", {"filter": {"agee": 1}})
        workflow.add_node("UserReadNode", "ann", {"id": 1})
        workflow.add_connection("ann", "age", "e", "age")
        with pytest.raises(WorkflowBuildError) as caught:
            workflow.build()
        assert [problem.partition(":")[0] for problem in caught.value.problems] == [
            f"node '{name}'" for name in "abcde"
        ]

    def test_an_input_fills_the_rows_that_lack_it_or_is_a_value_for_all(self, db: DataFlow) -> None:
        define_people(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("UserReadNode", "ann", {"id": 1})
        workflow.add_node("UserBulkUpdateNode", "list", {"data": [{"id": 2}, {"id": 3, "age": 1}]})
        workflow.add_node("UserBulkUpdateNode", "all", {"filter": {"id": {"$lte": 2}}})
        workflow.add_connection("ann", "age", "list", "age")
        workflow.add_connection("ann", "name", "all", "name")
        results, _ = LocalRuntime().execute(workflow.build())
        assert (results["list"]["updated"], results["all"]["result"]) == (2, 2)
        assert people(db) == changed(of_2={"age": 30, "name": "Ann"}, of_3={"age": 1})

    def test_keys_of_several_fields_and_of_every_type_are_found(self, db: DataFlow) -> None:
        @db.model
        class Seat:
            hall: str = Field(primary_key=True)
            id: UUID = Field(primary_key=True)
            price: Decimal = Field(primary_key=True)
            at: datetime = Field(primary_key=True)
            taken: bool = False

        moment = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)
        keys = [
            {"hall": hall, "id": UUID(int=number), "price": Decimal("1.5"), "at": moment}
            for hall in "AB"
            for number in (1, 2)
        ]
        db.run_sync(db.nodes.SeatBulkCreateNode(data=keys))
        data = [{**keys[0], "taken": True}, {**keys[3], "price": Decimal("1.50"), "taken": True}]
        assert db.run_sync(db.nodes.SeatBulkUpdateNode(data=data))["updated"] == 2
        found = db.run_sync(db.nodes.SeatListNode(filter={"taken": True}, order_by=["hall"]))["records"]
        assert [(seat["hall"], seat["id"].int) for seat in found] == [("A", 1), ("B", 2)]
        part = [{"id": UUID(int=1), "price": 1, "at": moment, "taken": True}, {**keys[1], "taken": True}]
        assert db.run_sync(db.nodes.SeatBulkUpdateNode(data=part, hall="B"))["updated"] == 1

    def test_the_time_of_a_bulk_update_is_kept_unless_it_is_given(self, db: DataFlow) -> None:
        define_figures(db)
        db.run_sync(db.nodes.FigureBulkCreateNode(data=[{}, {}, {}]))
        given = datetime(2001, 2, 3, tzinfo=UTC)
        before = db.run_sync(db.nodes.FigureListNode(order_by=["id"]))["records"]
        data = [{"id": 1, "number": 5}, {"id": 2, "number": 5, "updated_at": given}]
        db.run_sync(db.nodes.FigureBulkUpdateNode(data=data))
        after = db.run_sync(db.nodes.FigureListNode(order_by=["id"]))["records"]
        assert after[0]["updated_at"] > before[0]["updated_at"]
        assert after[1]["updated_at"] == given
        assert after[2] == before[2]
        db.run_sync(db.nodes.FigureBulkUpdateNode(filter={"id": 3}, update={"$inc": {"count": 1}}))
        assert db.run_sync(db.nodes.FigureReadNode(id=3))["updated_at"] > before[2]["updated_at"]

    def test_a_generated_update_of_all_does_what_python_does(self, db: DataFlow) -> None:
        digits = define_figures(db)

        @SOME
        @given(table=st.lists(rows(digits), min_size=1, max_size=6), document=documents(digits))
        def check(table: Rows, document: Row) -> None:
            db.run_sync(db.nodes.FigureBulkDeleteNode(filter={}, confirmed=True))
            db.run_sync(db.nodes.FigureBulkCreateNode(data=table))
            expected = table
            try:
                expected = [apply(document, row, digits) for row in table]
            except OutOfRange:
                with pytest.raises(OutOfRange):
                    db.run_sync(db.nodes.FigureBulkUpdateNode(filter={}, update=document, confirmed=True))
            else:
                node = db.nodes.FigureBulkUpdateNode(filter={}, update=document, confirmed=True)
                assert db.run_sync(node)["updated"] == len(table)
            stored = db.run_sync(db.nodes.FigureListNode(order_by=["id"]))["records"]
            assert [{name: record[name] for name in NAMES} for record in stored] == expected

        check()

    def test_a_generated_update_of_each_does_what_python_does(self, db: DataFlow) -> None:
        digits = define_figures(db)
        some = st.fixed_dictionaries({}, optional=dict(values(digits))).filter(bool)
        changes = st.lists(st.tuples(st.integers(0, 7), some), max_size=8)

        @SOME
        @given(table=st.lists(rows(digits), min_size=1, max_size=6), changes=changes)
        def check(table: Rows, changes: list[tuple[int, Row]]) -> None:
            db.run_sync(db.nodes.FigureBulkDeleteNode(filter={}, confirmed=True))
            node = db.nodes.FigureBulkCreateNode(data=table, return_rows=True)
            first = db.run_sync(node)["result"][0]["id"]
            data = [{"id": first + index, **new} for index, new in changes]
            expected = list(table)
            for index, new in changes:
                if index < len(table):
                    expected[index] = {**expected[index], **new}
            met = {index for index, _ in changes if index < len(table)}
            assert db.run_sync(db.nodes.FigureBulkUpdateNode(data=data))["updated"] == len(met)
            stored = db.run_sync(db.nodes.FigureListNode(order_by=["id"]))["records"]
            assert [{name: record[name] for name in NAMES} for record in stored] == expected

        check()

    def test_more_rows_than_fit_into_a_statement_are_updated(self, db: DataFlow) -> None:
        define_figures(db)
        number = 2_503
        db.run_sync(db.nodes.FigureBulkCreateNode(data=[{"text": "old"}] * number))
        data = [{"id": id, "number": -id, "text": f"t{id}"} for id in range(1, number + 1)]
        assert db.run_sync(db.nodes.FigureBulkUpdateNode(data=data[1:]))["updated"] == number - 1
        records = db.run_sync(db.nodes.FigureListNode(order_by=["id"]))["records"]
        assert [(record["number"], record["text"]) for record in records] == [
            (None, "old"),
            *((-id, f"t{id}") for id in range(2, number + 1)),
        ]
