"""The filter language: the same filter finds the same rows on every dialect."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow
from dataflow.capabilities import Capability
from dataflow.errors import InvalidValue, UnknownName, ValidationError
from dataflow.model.declare import declare
from dataflow.model.schema import Model
from dataflow.testing.examples import FEW
from dataflow.testing.oracle.filters import matches
from dataflow.testing.strategies.filters import Color, Specimen, worlds

__all__ = ["FilterTests"]

Document = Mapping[str, Any]

MODEL = declare(Specimen, implied=True)
NULLS = dict.fromkeys(name for name, field in MODEL.fields.items() if field.nullable)
VALUES: Mapping[str, Sequence[Any]] = {
    "integer": [-(2**63), -1, 0, 2**53, 2**53 + 1, 2**63 - 1],
    "real": [-1.7e308, -1.5, -0.0, 5e-324, 0.1, 1e300],
    "text": ["", " ", "10", "9", "A", "Z", "a", "a ", "ab", "a\u0308", "ß", "ä", "İ", "\uffff", "😀"],
    "amount": [
        Decimal(text) for text in ("-1E+17", "-1.55", "-1.5", "0", "1E-20", "1.0", "9.5", "10.00", "1E+17")
    ],
    "flag": [False, True],
    "blob": [b"", b"\0", b"a", b"a\0", b"\xff"],
    "moment": [
        datetime(2, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, microsecond=1, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 0, 1, tzinfo=UTC),
    ],
    "day": [date.min, date(999, 12, 31), date(2024, 2, 29), date.max],
    "clock": [time.min, time(9), time(9, microsecond=5), time(9, 0, 1), time.max],
    "span": [timedelta(-1), timedelta(0), timedelta(microseconds=1), timedelta(days=9)],
    "uuid": [UUID(int=0), UUID(int=10), UUID(int=2**100), UUID(int=2**128 - 1)],
    "color": list(Color),
    "kind": ["B", "a", "ä"],
}

DOCUMENT: Mapping[str, Any] = {
    "n": 1,
    "f": 1.0,
    "t": "1",
    "b": True,
    "z": None,
    "deep": {"list": ["a", {"x": 2**53 + 1}, None, [1]], "": {"": "empty"}},
    "0": "zero",
    "q'uo\"te": "odd",
    "back\\slash": "odd",
    "$gt": "dollar",
    "😀": "astral",
    "big": [2.0**62],
}


class FilterTests:
    """Needs the fixture ``db``: a DataFlow on a fresh database."""

    @FEW
    @given(data=st.data())
    def test_a_generated_filter_finds_the_rows_that_plain_python_finds(
        self, db: DataFlow, data: st.DataObject
    ) -> None:
        model = specimens(db)
        database = db.databases()["primary"]
        infinity = Capability.INFINITY in database.dialect.capabilities
        digits = database.models["Specimen"].fields["amount"].type.digits
        world = data.draw(worlds(infinity, digits))
        rows = stored(db, world.rows)
        for document in world.filters:
            check(db, model, rows, document)

    @pytest.mark.parametrize("name", VALUES)
    def test_every_comparison_says_what_plain_python_says(self, db: DataFlow, name: str) -> None:
        model, values = specimens(db), VALUES[name]
        rows = stored(db, [{**NULLS, "whole": 0, "word": "", name: value} for value in [*values, None]])
        conditions: list[Document] = [
            *({operator: value} for operator in ("$eq", "$ne") for value in [*values, None]),
            *({operator: value} for operator in ("$gt", "$gte", "$lt", "$lte") for value in values),
            *({operator: [value, values[0]]} for operator in ("$in", "$nin") for value in [*values, None]),
            *({operator: []} for operator in ("$in", "$nin")),
            *({"$between": [low, high]} for low in values[:3] for high in values[-3:]),
            *({"$exists": flag} for flag in (True, False)),
        ]
        for condition in conditions:
            check(db, model, rows, {name: condition})
            check(db, model, rows, {"$nor": [{name: {"$not": condition}}, {"whole": 1}]})

    @pytest.mark.parametrize(
        ("condition", "found"),
        [
            ({"$like": "Jo%"}, ["John", "Jo", "Jo%n"]),
            ({"$like": "jo%"}, ["john"]),
            ({"$like": "Jo"}, ["Jo"]),
            ({"$like": "%n"}, ["John", "john", "Jo%n", "a\nn"]),
            ({"$like": "J_hn"}, ["John"]),
            ({"$like": "%\\%%"}, ["Jo%n"]),
            ({"$like": "_"}, ["ß", "😀", "İ"]),
            ({"$like": "%[a]%"}, ["[a]*?"]),
            ({"$like": "%*?"}, ["[a]*?"]),
            ({"$like": "a_n"}, ["a\nn"]),
            ({"$like": ""}, [""]),
            ({"$ilike": "JO%"}, ["John", "john", "Jo", "Jo%n"]),
            ({"$ilike": "SS"}, []),
            ({"$ilike": "ä"}, []),
            ({"$ilike": "i"}, []),
            ({"$ilike": "jo\\%N"}, ["Jo%n"]),
            ({"$regex": "^Jo"}, ["John", "Jo", "Jo%n"]),
            ({"$regex": "^Jo$"}, ["Jo"]),
            ({"$regex": "^jo", "$options": "i"}, ["John", "john", "Jo", "Jo%n"]),
            ({"$regex": "o.n"}, ["John", "john", "Jo%n"]),
            ({"$regex": "a.n"}, []),
            ({"$regex": "a\\sn"}, ["a\nn"]),
            ({"$regex": "^\\w+$"}, ["John", "john", "Jo"]),
            ({"$regex": "^\\W$"}, ["ß", "😀", "İ"]),
            ({"$regex": "^(J|j)oh?n{1,2}$"}, ["John", "john"]),
            ({"$regex": "[^A-Za-z]$"}, ["ß", "😀", "İ", "[a]*?"]),
            ({"$regex": "\\[a\\]\\*\\?"}, ["[a]*?"]),
            ({"$regex": "n$"}, ["John", "john", "Jo%n", "a\nn"]),
            ({"$regex": "a$"}, []),
            ({"$regex": "$"}, ["John", "john", "Jo", "Jo%n", "ß", "😀", "İ", "a\nn", "[a]*?", ""]),
            ({"$regex": "^$"}, [""]),
            ({"$regex": "$^"}, [""]),
            ({"$regex": "^^Jo$"}, ["Jo"]),
            ({"$regex": ""}, ["John", "john", "Jo", "Jo%n", "ß", "😀", "İ", "a\nn", "[a]*?", ""]),
            ({"$contains": "oh"}, ["John", "john"]),
            ({"$contains": "%"}, ["Jo%n"]),
            ({"$contains": "*"}, ["[a]*?"]),
            ({"$contains": ""}, ["John", "john", "Jo", "Jo%n", "ß", "😀", "İ", "a\nn", "[a]*?", ""]),
            ({"$regex": "^Jo", "$ne": "Jo"}, ["John", "Jo%n"]),
            ({"$regex": "^jo", "$options": "i", "$ne": "Jo"}, ["John", "john", "Jo%n"]),
            ({"$options": "i", "$regex": "^jo", "$gte": "K"}, ["john"]),
            ({"$regex": "n$", "$not": {"$like": "J%"}}, ["john", "a\nn"]),
            ({"$regex": "n$", "$in": ["john", "Jo"]}, ["john"]),
        ],
    )
    def test_patterns_find_texts(self, db: DataFlow, condition: Document, found: list[str]) -> None:
        texts = ["John", "john", "Jo", "Jo%n", "ß", "😀", "İ", "a\nn", "[a]*?", ""]
        model = specimens(db)
        rows = stored(db, [{**NULLS, "whole": 0, "word": "", "text": text} for text in [*texts, None]])
        for document in ({"text": condition}, {"text": {"$not": condition}}):
            check(db, model, rows, document)
        names = [row["text"] for row in records(db, {"text": condition})]
        assert names == found

    @pytest.mark.parametrize(
        "text", ["%", "_", "\\", "a_b", "a%b", "a\\b", "\\%", "\\\\", "^", ".", "?", "*", "[", "[b]", "'"]
    )
    def test_what_means_something_in_a_pattern_is_found_as_it_is(self, db: DataFlow, text: str) -> None:
        specimens(db)
        others = ["a", "ab", "aXb", "a\\%b", "\\", "b", "", "x"]
        texts = [*dict.fromkeys([text, f"x{text}x", f"{text}x", *others])]
        stored(db, [{**NULLS, "whole": 0, "word": "", "text": text} for text in texts])
        escaped = "".join(f"\\{one}" if one in "%_\\" else one for one in text)
        plain = "".join(one if one.isalnum() else f"\\{one}" for one in text)
        for condition in (
            {"$contains": text},
            {"$like": f"%{escaped}%"},
            {"$ilike": f"%{escaped}%"},
            {"$regex": plain},
        ):
            names = [row["text"] for row in records(db, {"text": condition})]
            assert names == [one for one in texts if text in one], condition
        for condition in ({"$like": escaped}, {"$regex": f"^{plain}$"}):
            assert [row["text"] for row in records(db, {"text": condition})] == [text], condition
        for condition in ({"$like": f"{escaped}%"}, {"$regex": f"^{plain}"}):
            names = [row["text"] for row in records(db, {"text": condition})]
            assert names == [one for one in texts if one.startswith(text)], condition

    @pytest.mark.parametrize(
        ("filter", "is_found"),
        [
            ({"data.n": 1}, True),
            ({"data.n": 1.0}, True),
            ({"data.f": 1}, True),
            ({"data.n": True}, False),
            ({"data.n": "1"}, False),
            ({"data.t": 1}, False),
            ({"data.b": 1}, False),
            ({"data.b": True}, True),
            ({"data.t": {"$gt": "0"}}, True),
            ({"data.t": {"$gt": 0}}, False),
            *(({"data.n": {"$not": {operator: 0}}}, False) for operator in ("$gt", "$gte", "$ne")),
            *(({"data.n": {"$not": {operator: 0}}}, True) for operator in ("$lt", "$lte", "$eq")),
            ({"data.n": {"$between": [0, 1.5]}}, True),
            ({"data.n": {"$between": (0, 1.5)}}, True),
            ({"data.z": None}, True),
            ({"data.z": {"$exists": True}}, True),
            ({"data.gone": None}, True),
            ({"data.gone": {"$exists": True}}, False),
            ({"data.gone": {"$ne": 1}}, True),
            ({"data.gone": {"$nin": [1, "a"]}}, True),
            ({"data.gone": {"$in": [1, None]}}, True),
            ({"data.gone": {"$not": {"$gt": 1}}}, True),
            ({"data.n": {"$in": ["x", 1.0, None]}}, True),
            ({"data.n": {"$in": []}}, False),
            ({"data.deep.list.0": "a"}, True),
            ({"data.deep.list": "a"}, False),
            ({"data.deep.list.00": "a"}, False),
            ({"data.deep.list.-1": {"$exists": True}}, False),
            ({"data.deep.list.²": {"$exists": True}}, False),
            ({"data.deep.list.\u0661": {"$exists": True}}, False),
            ({"data.deep.list.9": {"$exists": True}}, False),
            ({"data.deep.list.2": {"$exists": True}}, True),
            ({"data.deep.list.1.x": 2**53 + 1}, True),
            ({"data.deep.list.1.x": 2**53}, False),
            ({"data.deep.list.1.x": {"$gt": float(2**53)}}, True),
            ({"data.deep.list": {"$contains": "a"}}, True),
            ({"data.deep.list": {"$contains": None}}, True),
            ({"data.deep.list": {"$contains": 1}}, False),
            ({"data.deep.list.3": {"$contains": 1.0}}, True),
            ({"data.deep.list.3": {"$contains": True}}, False),
            ({"data.big": {"$contains": 2.0**62}}, True),
            ({"data.deep": {"$contains": "list"}}, True),
            ({"data": {"$contains": "n"}}, True),
            ({"data": {"$contains": "gone"}}, False),
            ({"data": {"$contains": 0}}, False),
            ({"data.t.0": {"$exists": True}}, False),
            ({"data.deep..": "empty"}, True),
            ({"data.0": "zero"}, True),
            ({"data.q'uo\"te": "odd"}, True),
            ({"data.back\\slash": "odd"}, True),
            ({"data.$gt": "dollar"}, True),
            ({"data.😀": {"$regex": "^ast"}}, True),
            ({"data.😀": {"$ilike": "AST%"}}, True),
            ({"data.😀": {"$like": "AST%"}}, False),
            ({"data.😀": {"$contains": "tra"}}, True),
            ({"data.n": {"$like": "%"}}, False),
            ({"data.x' OR '1'='1": {"$exists": True}}, False),
            ({"data.x') OR 1=1 --": 1}, False),
            ({'data.x"].y': {"$exists": True}}, False),
        ],
    )
    def test_paths_lead_into_documents(self, db: DataFlow, filter: Document, is_found: bool) -> None:
        model = specimens(db)
        rows = stored(
            db, [{**NULLS, "whole": 0, "word": "", "data": data} for data in (dict(DOCUMENT), {}, None)]
        )
        for document in (filter, {"$not": filter}):
            check(db, model, rows, document)
        assert (1 in [row["id"] for row in records(db, filter)]) is is_found

    @pytest.mark.parametrize("name", ["id", "word"])
    def test_a_hundred_thousand_members_work(self, db: DataFlow, name: str) -> None:
        specimens(db)
        rows = stored(db, [{**NULLS, "whole": 0, "word": f"ä{number}"} for number in range(1, 5)])
        members: list[Any] = [number * 7 if name == "id" else f"x{number}" for number in range(1, 99_998)]
        members += [rows[1][name], rows[3][name], rows[3][name]]
        random.Random(1).shuffle(members)
        assert [row["id"] for row in records(db, {name: {"$in": members}})] == [2, 4]
        assert [row["id"] for row in records(db, {name: {"$nin": members}})] == [1, 3]
        assert [row["id"] for row in records(db, {"text": {"$in": [None]}})] == [1, 2, 3, 4]
        assert [row["id"] for row in records(db, {name: {"$in": set(members)}})] == [2, 4]

    def test_a_hundred_thousand_members_work_within_documents(self, db: DataFlow) -> None:
        specimens(db)
        stored(
            db,
            [{**NULLS, "whole": 0, "word": "", "data": {"n": value}} for value in (5, 5.5, "5", True, None)],
        )
        members = [
            *range(50_000),
            *(number + 0.5 for number in range(25_000)),
            *map(str, range(25_000)),
            None,
        ]
        assert [row["id"] for row in records(db, {"data.n": {"$in": members}})] == [1, 2, 3, 5]
        assert [row["id"] for row in records(db, {"data.n": {"$nin": members}})] == [4]

    def test_a_filter_as_deep_as_may_be_works(self, db: DataFlow) -> None:
        @db.model
        class Leaf:
            number: int | None

        db.run_sync(db.nodes.LeafBulkCreateNode(data=[{"number": 1}, {"number": None}]))
        deepest: Document = {"number": 1}
        for level in range(40):
            filter = {"$or": [deepest, {"number": -1 - level}], "number": {"$not": {"$gt": 5}}}
            try:
                found = db.run_sync(db.nodes.LeafListNode(filter=filter))["records"]
            except InvalidValue:
                break
            assert [leaf["number"] for leaf in found] == [1]
            deepest = filter
        else:
            raise AssertionError("nothing bounds how deep a filter may be")

    def test_a_pattern_that_has_very_many_ways_to_match_ends(self, db: DataFlow) -> None:
        specimens(db)
        stored(db, [{**NULLS, "whole": 0, "word": "a" * 25}])
        assert records(db, {"word": {"$regex": "^(a|a)+b"}}) == []

    @pytest.mark.parametrize(
        ("document", "error", "message"),
        [
            (
                {"integer": {"$regex": "canary"}},
                InvalidValue,
                r"\$regex is for text, and the field is integer",
            ),
            ({"integer": {"$like": "canary"}}, InvalidValue, r"\$like is for text"),
            ({"blob": {"$contains": b"canary"}}, InvalidValue, r"\$contains is for text"),
            ({"data": {"$regex": "canary"}}, InvalidValue, "needs the path to a text"),
            ({"data": {"$contains": {"canary": 1}}}, InvalidValue, "whole JSON documents"),
            ({"data.a": {"b": 1}}, InvalidValue, "whole JSON documents"),
            ({"data.a": ["canary"]}, InvalidValue, "whole JSON documents"),
            ({"data.a": ("canary",)}, InvalidValue, "whole JSON documents"),
            ({"data" + ".a" * 101: 1}, InvalidValue, "more than 100 steps"),
            ({"text": {"$like": "canary\\\\\\"}}, InvalidValue, "ends with a single"),
            ({"data.a": Decimal(1)}, InvalidValue, "what JSON holds"),
            ({"data.a": float("nan")}, InvalidValue, "NaN"),
            ({"data.a": 2**63}, InvalidValue, "out of range"),
            ({"data.a\0": 1}, InvalidValue, "NUL"),
            ({"data.a\ud800": 1}, InvalidValue, "surrogate"),
            (
                {"text.a": "canary"},
                InvalidValue,
                "text is text; only the fields of type dict or list have paths",
            ),
            ({"dat.a": 1}, UnknownName, "no field 'dat.a'"),
            ({"text": {"$regex": 5}}, InvalidValue, r"\$regex needs a str, got int"),
            ({"text": {"$regex": "(canary"}}, InvalidValue, "a group is not closed"),
            (
                {"text": {"$regex": "(?=canary)"}},
                InvalidValue,
                r"look-ahead \(\?= is not in the portable subset",
            ),
            ({"text": {"$regex": "canary", "$options": "m"}}, InvalidValue, r"\$options knows \"i\" only"),
            ({"text": {"$options": "i"}}, InvalidValue, r"\$options belongs beside a \$regex"),
            ({"text": {"$like": "canary\\"}}, InvalidValue, r"ends with a single \\"),
            ({"text": {"$like": "a" * 10_001}}, InvalidValue, "more than 10000 characters"),
            ({"text": {"$ilike": "a" * 10_001}}, InvalidValue, "more than 10000 characters"),
            ({"text": {"$contains": "%" * 5_000}}, InvalidValue, "more than 10000 characters"),
            ({"text": {"$contains": 5}}, InvalidValue, r"\$contains needs a str"),
            ({"text": {"$exists": 1}}, InvalidValue, r"\$exists needs True or False, got int"),
            ({"text": {"$between": ["canary"]}}, InvalidValue, r"\$between needs a list of two values"),
            ({"text": {"$between": ["canary", None]}}, InvalidValue, r"\$between needs a list of two values"),
            ({"integer": {"$between": ["canary", 1]}}, InvalidValue, "expected int, got str"),
            ({"integer": {"$in": (n for n in (1, 2))}}, InvalidValue, r"\$in needs a list, got generator"),
            ({"text": {"$regexp": "canary"}}, UnknownName, r"did you mean '\$regex'"),
            ({"text": {"$exist": True}}, UnknownName, r"did you mean '\$exists'"),
            ({"data.a": {"$contain": "canary"}}, UnknownName, r"did you mean '\$contains'"),
        ],
    )
    def test_what_makes_no_sense_is_refused_and_no_value_is_told(
        self, db: DataFlow, document: Document, error: type[ValidationError], message: str
    ) -> None:
        specimens(db)
        with pytest.raises(error, match=message) as caught:
            records(db, document)
        assert "canary" not in str(caught.value)


def specimens(db: DataFlow) -> Model:
    """The model, which this database has from now on."""
    if "Specimen" not in db.list_models():
        db.model(Specimen)
    return MODEL


def stored(db: DataFlow, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Replace all rows by these; they get the keys 1, 2, ..."""
    db.run_sync(db.nodes.SQLNode(sql="DELETE FROM specimens"))
    keyed = [{"id": number, **row} for number, row in enumerate(rows, start=1)]
    db.run_sync(db.nodes.SpecimenBulkCreateNode(data=keyed))
    return keyed


def records(db: DataFlow, filter: Document) -> list[dict[str, Any]]:
    """The rows that a filter finds, by key."""
    found: list[dict[str, Any]] = db.run_sync(db.nodes.SpecimenListNode(filter=filter, order_by=["id"]))[
        "records"
    ]
    return found


def check(db: DataFlow, model: Model, rows: Sequence[Mapping[str, Any]], document: Document) -> None:
    """Compare what the database finds, and how many it counts that do not match, with plain Python."""
    expected = [row["id"] for row in rows if matches(model, document, row)]
    assert [row["id"] for row in records(db, document)] == expected, document
    counted = db.run_sync(db.nodes.SpecimenListNode(filter={"$not": document}, count_only=True))
    assert counted["count"] == len(rows) - len(expected), document
