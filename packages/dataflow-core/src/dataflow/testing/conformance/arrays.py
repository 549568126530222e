"""Lists whose elements are all of one type: arrays where the database has them, else JSON, with the same answers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, Field
from dataflow.errors import InvalidValue
from dataflow.model.schema import Model
from dataflow.testing.examples import FEW
from dataflow.testing.oracle.filters import matches
from dataflow.testing.oracle.values import assert_same, same
from dataflow.testing.strategies.values import rows
from dataflow.types import GREATEST_INTEGER, SMALLEST_INTEGER

__all__ = ["ArrayTests"]

Row = Mapping[str, Any]


class Series:
    numbers: list[int]
    reals: list[float] | None
    flags: list[bool] | None
    words: list[str] | None
    moments: list[datetime] | None
    days: list[date] | None
    marks: list[UUID] | None
    gaps: list[int | None] | None
    place: int | None
    __dataflow__: ClassVar = {"timestamps": False, "table": "series"}


EDGES: Mapping[str, Sequence[Any]] = {
    "numbers": [SMALLEST_INTEGER, -1, 0, 1, 2**53, 2**53 + 1, GREATEST_INTEGER],
    "reals": [-1.7976931348623157e308, -0.5, 0.0, 5e-324, 0.1 + 0.2, 1.0, 1e16, 2.0**62, 2.0**63, 1e300],
    "flags": [False, True],
    "words": [
        "",
        " ",
        "NULL",
        "null",
        "{}",
        "a,b",
        'say "x"',
        "\\",
        "it's",
        "A",
        "a",
        "ä",
        "\uffff",
        "😀",
        "\n",
    ],
    "moments": [
        datetime.min.replace(tzinfo=UTC),
        datetime(1, 1, 1, microsecond=1, tzinfo=UTC),
        datetime(999, 12, 31, tzinfo=UTC),
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        datetime(2026, 1, 31, 12, microsecond=1, tzinfo=UTC),
        datetime(2026, 1, 31, 12, microsecond=10, tzinfo=UTC),
        datetime(2026, 1, 31, 12, microsecond=100_000, tzinfo=UTC),
        datetime(2026, 1, 31, 12, microsecond=120_000, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
    "days": [date.min, date(999, 12, 31), date(2024, 2, 29), date.max],
    "marks": [UUID(int=0), UUID(int=10), UUID(int=2**100), UUID(int=2**128 - 1)],
}
"""Elements at the edge, in their order."""


class ArrayTests:
    """Needs the fixture ``db``: a DataFlow on a fresh database."""

    @FEW
    @given(st.data())
    def test_generated_lists_survive_every_way_in_and_out(self, db: DataFlow, data: st.DataObject) -> None:
        cells = rows(series(db)).map(lambda row: {**row, "place": None})
        row, other = data.draw(cells), data.draw(cells)
        created = db.run_sync(db.nodes.SeriesCreateNode(**row))
        assert_same(created, row)
        id = created["id"]
        assert_same(db.run_sync(db.nodes.SeriesUpdateNode(id=id, updates=other)), other)
        assert_same(db.run_sync(db.nodes.SeriesReadNode(id=id)), other)
        changed = [{"id": id, **row}]
        db.run_sync(db.nodes.SeriesBulkUpdateNode(data=changed))
        assert_same(db.run_sync(db.nodes.SeriesReadNode(id=id)), row)
        db.run_sync(db.nodes.SeriesBulkUpsertNode(data=[{"id": id, **other}]))
        assert_same(db.run_sync(db.nodes.SeriesReadNode(id=id)), other)

    @pytest.mark.parametrize(("number", "wanted_back"), [(1, True), (50, False), (50, True), (250, True)])
    def test_many_lists_of_any_length_come_back(self, db: DataFlow, number: int, wanted_back: bool) -> None:
        series(db)
        data: list[Row] = [
            {name: [*edges, *edges][: place % (len(edges) + 1)] for name, edges in EDGES.items()}
            for place in range(number)
        ]
        data[-1] = {**dict.fromkeys(EDGES), "numbers": [], "gaps": [1, None]}
        stored = db.run_sync(db.nodes.SeriesBulkCreateNode(data=data, return_rows=wanted_back))["result"]
        listed = db.run_sync(db.nodes.SeriesListNode(order_by=["id"]))["records"]
        for records in (stored, listed) if wanted_back else (listed,):
            for record, row in zip(records, data, strict=True):
                assert_same(record, row)
        # Those of one statement have other lengths than their neighbours.
        updates = [{"id": record["id"], **row} for record, row in zip(listed, reversed(data), strict=True)]
        db.run_sync(db.nodes.SeriesBulkUpdateNode(data=updates))
        for record, row in zip(self._listed(db), reversed(data), strict=True):
            assert_same(record, row)
        db.run_sync(
            db.nodes.SeriesBulkUpsertNode(
                data=[{**update, **row} for update, row in zip(updates, data, strict=True)]
            )
        )
        for record, row in zip(self._listed(db), data, strict=True):
            assert_same(record, row)

    @pytest.mark.parametrize("name", EDGES)
    def test_an_element_at_the_edge_is_stored_exactly(self, db: DataFlow, name: str) -> None:
        series(db)
        for element in EDGES[name]:
            created = db.run_sync(db.nodes.SeriesCreateNode(**{"numbers": [], name: [element]}))
            assert same(created[name], [element])

    @pytest.mark.parametrize("name", EDGES)
    def test_every_filter_says_what_plain_python_says(self, db: DataFlow, name: str) -> None:
        model, edges = series(db), EDGES[name]
        lists = [[], *([edge] for edge in edges), list(reversed(edges)), *([[edges[-1], edges[0]]] * 2)]
        data: list[Row] = [
            {"id": number, **dict.fromkeys(model.fields), "numbers": [], name: items}
            for number, items in enumerate(lists, start=1)
        ]
        data = [{**row, "id": number} for number, row in enumerate(data, start=1)]
        if model.fields[name].nullable:
            data.append({**data[0], "id": len(data) + 1, name: None})
        db.run_sync(db.nodes.SeriesBulkCreateNode(data=data))
        filters: list[dict[str, Any]] = [
            {name: None},
            {name: {"$exists": True}},
            {name: {"$contains": None}},
            {f"{name}.0": None},
            {f"{name}.01": {"$exists": True}},
            {f"{name}.x": {"$exists": True}},
            *({f"{name}.{place}": {"$exists": True}} for place in (0, 1, len(edges) - 1, len(edges))),
            *({name: {"$contains": edge}} for edge in edges),
            *({f"{name}.0": {"$in": [edge, edges[0], None]}} for edge in edges),
            *({f"{name}.0": {"$nin": [edge, edges[-1]]}} for edge in edges),
            *({f"{name}.1": edge} for edge in edges),
            *(
                {f"{name}.0": {operator: edge}}
                for edge in edges
                for operator in ("$eq", "$ne", "$lt", "$lte", "$gt", "$gte")
            ),
        ]
        for filter in filters:
            for document in (filter, {"$not": filter}):
                expected = [row["id"] for row in data if matches(model, document, row)]
                assert [row["id"] for row in self._listed(db, document)] == expected, document

    @FEW
    @given(st.data())
    def test_generated_elements_are_found_where_plain_python_finds_them(
        self, db: DataFlow, data: st.DataObject
    ) -> None:
        model = series(db)
        db.run_sync(db.nodes.SQLNode(sql="DELETE FROM series"))
        generated = data.draw(st.lists(rows(model), min_size=1, max_size=3))
        stored = [{**row, "id": number} for number, row in enumerate(generated, start=1)]
        db.run_sync(db.nodes.SeriesBulkCreateNode(data=stored))
        name = data.draw(st.sampled_from(list(EDGES)))
        elements = [element for row in stored for element in row[name] or ()]
        element = data.draw(st.sampled_from([*elements, EDGES[name][0]]))
        operator = data.draw(st.sampled_from(["$eq", "$ne", "$lt", "$lte", "$gt", "$gte"]))
        filters: list[Row] = [{name: {"$contains": element}}, {f"{name}.0": {operator: element}}]
        for document in filters:
            expected = [row["id"] for row in stored if matches(model, document, row)]
            assert [row["id"] for row in self._listed(db, document)] == expected, document

    @pytest.mark.parametrize(
        ("name", "given", "stored"),
        [
            ("reals", [1, 0.5], [1.0, 0.5]),
            ("moments", ["2024-01-01T02:00:00+14:00"], [datetime(2023, 12, 31, 12, tzinfo=UTC)]),
            ("days", ["2024-02-29"], [date(2024, 2, 29)]),
            ("marks", ["00000000-0000-0000-0000-0000000000ff"], [UUID(int=255)]),
            ("gaps", [None, 1], [None, 1]),
        ],
    )
    def test_elements_are_coerced_as_values_of_their_type(
        self, db: DataFlow, name: str, given: list[object], stored: list[object]
    ) -> None:
        series(db)
        created = db.run_sync(db.nodes.SeriesCreateNode(**{"numbers": [], name: given}))
        assert same(created[name], stored)
        found = self._listed(db, {name: {"$contains": given[-1]}})
        assert [row["id"] for row in found] == [created["id"]]

    @pytest.mark.parametrize(
        ("name", "given", "message"),
        [
            ("numbers", [1, "2"], r"Series\.numbers\.1: expected int, got str"),
            ("numbers", [True], r"Series\.numbers\.0: expected int, got bool"),
            ("numbers", [2**63], r"Series\.numbers\.0: .*out of range"),
            ("numbers", [1, None], r"Series\.numbers\.1 must not be None; .*list\[\.\.\. \| None\]"),
            ("numbers", (1,), r"Series\.numbers: expected list, got tuple"),
            ("numbers", "12", r"Series\.numbers: expected list, got str"),
            ("numbers", [[1]], r"Series\.numbers\.0: expected int, got list"),
            ("reals", [float("nan")], r"Series\.reals\.0: .*NaN"),
            ("reals", [float("inf")], r"Series\.reals\.0: "),
            ("words", ["a\0b"], r"Series\.words\.0: .*NUL"),
            ("words", ["\ud800"], r"Series\.words\.0: .*surrogate"),
            ("moments", [datetime(2024, 1, 1)], r"Series\.moments\.0: .*no time zone"),
            ("marks", ["no"], r"Series\.marks\.0: expected UUID"),
        ],
    )
    def test_a_wrong_element_is_refused(self, db: DataFlow, name: str, given: object, message: str) -> None:
        series(db)
        with pytest.raises(InvalidValue, match=message):
            db.run_sync(db.nodes.SeriesCreateNode(**{"numbers": [], name: given}))
        with pytest.raises(InvalidValue, match=message):
            db.run_sync(db.nodes.SeriesBulkCreateNode(data=[{"numbers": []}, {"numbers": [], name: given}]))
        assert self._listed(db) == []

    @pytest.mark.parametrize(
        ("filter", "message"),
        [
            ({"numbers": [1]}, "whole JSON documents"),
            ({"numbers": {"$in": [[1]]}}, "whole JSON documents"),
            ({"marks.0": "canary"}, "expected UUID"),
            ({"moments": {"$contains": 5}}, "expected datetime"),
            ({"numbers": {"$contains": UUID(int=0)}}, "what JSON holds"),
            ({"words": {"$regex": "canary"}}, "needs the path to a text"),
        ],
    )
    def test_a_filter_that_makes_no_sense_is_refused(self, db: DataFlow, filter: Row, message: str) -> None:
        series(db)
        with pytest.raises(InvalidValue, match=message) as caught:
            self._listed(db, filter)
        assert "canary" not in str(caught.value)

    def test_texts_in_a_list_are_found_by_patterns(self, db: DataFlow) -> None:
        series(db)
        db.run_sync(
            db.nodes.SeriesBulkCreateNode(data=[{"numbers": [], "words": ["John", "b"]}, {"numbers": []}])
        )
        for condition in ({"$like": "J_hn"}, {"$regex": "^j", "$options": "i"}):
            assert [row["id"] for row in self._listed(db, {"words.0": condition})] == [1]
            assert [row["id"] for row in self._listed(db, {"words.1": condition})] == []

    def test_a_model_may_take_naive_datetimes_in_lists(self, db: DataFlow) -> None:
        @db.model
        class Diary:
            moments: list[datetime]
            __dataflow__: ClassVar = {"naive_datetimes": "utc"}

        created = db.run_sync(db.nodes.DiaryCreateNode(moments=[datetime(2024, 1, 1)]))
        assert same(created["moments"], [datetime(2024, 1, 1, tzinfo=UTC)])

    def test_a_list_may_be_a_default(self, db: DataFlow) -> None:
        default = {
            "words": ["a,b", 'say "x"', "\\", ""],
            "moments": [datetime(2026, 1, 31, 12, microsecond=500_000, tzinfo=UTC)],
            "reals": [0.1, 1e300],
        }

        @db.model
        class Leaf:
            words: list[str] = Field(default=default["words"])
            moments: list[datetime] = Field(default=default["moments"])
            reals: list[float] = Field(default=default["reals"])
            __dataflow__: ClassVar = {"timestamps": False, "table": "leaves"}

        created = db.run_sync(db.nodes.LeafCreateNode())
        assert_same(created, default)
        db.run_sync(db.nodes.SQLNode(sql="INSERT INTO leaves (id) VALUES (70)"))
        assert_same(db.run_sync(db.nodes.LeafReadNode(id=70)), default)

    def _listed(self, db: DataFlow, filter: Row | None = None) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = db.run_sync(
            db.nodes.SeriesListNode(filter=filter or {}, order_by=["id"])
        )["records"]
        return records


def series(db: DataFlow) -> Model:
    """The model as the database has it; defined once, as one database serves many examples."""
    if "Series" not in db.list_models():
        db.model(Series)
    return db.databases()["primary"].models["Series"]
