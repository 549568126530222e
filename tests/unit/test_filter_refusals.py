"""Filters that make no sense, or are too much, are refused before any SQL; no value is told."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from dataflow.errors import InvalidValue, UnknownName, ValidationError
from dataflow.filters.mongo import read_filter

from .things import MODEL, Document


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        ([], InvalidValue, "expected a dict such as {'field': value}, got list"),
        (None, InvalidValue, "got NoneType"),
        ({"txt": 1}, UnknownName, "Thing has no field 'txt'; did you mean 'text'"),
        ({'odd "name"': "x"}, UnknownName, "no field"),
        ({"text.a": "x"}, InvalidValue, "only the fields of type dict or list have paths"),
        ({"": "x"}, UnknownName, "no field ''"),
        ({1: "x"}, InvalidValue, "a name must be a str, got int"),
        ({"$ro": []}, UnknownName, "did you mean"),
        ({"$eq": 1}, UnknownName, r"no operator '\$eq'"),
        ({"$and": []}, InvalidValue, r"\$and needs a list of at least one filter"),
        ({"$or": {"text": "x"}}, InvalidValue, r"\$or needs a list"),
        ({"$nor": "canary"}, InvalidValue, r"\$nor needs a list"),
        ({"$or": ["canary"]}, InvalidValue, "got str"),
        ({"$not": []}, InvalidValue, "got list"),
        ({"text": {"$eqq": "canary"}}, UnknownName, r"text has no operator '\$eqq'; did you mean '\$eq'"),
        ({"text": {"$gt": "a", "b": "canary"}}, UnknownName, "no operator 'b'"),
        ({"text": {"$gt": None}}, InvalidValue, r"text: \$gt needs a value"),
        ({"text": {"$not": "canary"}}, InvalidValue, r"\$not needs a dict of operators"),
        ({"text": {"$not": {}}}, InvalidValue, r"\$not needs a dict of operators"),
        ({"text": {"$in": "canary"}}, InvalidValue, r"\$in needs a list, got str"),
        ({"text": {"$in": iter(())}}, InvalidValue, r"\$in needs a list"),
        ({"text": {"$nin": 5}}, InvalidValue, r"needs a list, got int"),
        ({"text": {"$in": ["a", 5]}}, InvalidValue, r"Thing\.text: expected str, got int"),
        ({"integer": "canary"}, InvalidValue, r"Thing\.integer: expected int, got str"),
        ({"integer": True}, InvalidValue, "got bool"),
        ({"integer": {"$lt": 2**63}}, InvalidValue, "out of range"),
        ({"integer": {}}, InvalidValue, "expected int, got dict"),
        ({"real": {"$gt": "canary"}}, InvalidValue, r"Thing\.real"),
        ({"amount": 1.5}, InvalidValue, r"Thing\.amount: .*float is not exact"),
        ({"amount": Decimal("NaN")}, InvalidValue, r"Thing\.amount"),
        ({"moment": datetime(2024, 1, 1)}, InvalidValue, r"Thing\.moment: the datetime has no time zone"),
        ({"color": "canary"}, InvalidValue, r"Thing\.color"),
        ({"kind": "canary"}, InvalidValue, r"Thing\.kind"),
        ({"uuid": "canary"}, InvalidValue, r"Thing\.uuid"),
        ({"blob": "canary"}, InvalidValue, r"Thing\.blob"),
        ({"text": "canary\0"}, InvalidValue, "NUL"),
        ({"text": "canary\ud800"}, InvalidValue, "surrogate"),
        ({"extra": {"a": 1}}, InvalidValue, "whole JSON documents"),
        ({"extra": {"$gt": {}}}, InvalidValue, "whole JSON documents"),
        ({"extra": {"$in": [{}]}}, InvalidValue, "whole JSON documents"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_and_no_value_is_told(
    document: object, error: type[ValidationError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        read_filter(MODEL, document, "ThingListNode filter")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_filter_nested_without_end_is_refused() -> None:
    deep: dict[str, Any] = {"whole": 1}
    for _ in range(5000):
        deep = {"$and": [deep]}
    endless: dict[str, Any] = {}
    endless["$or"] = [endless]
    negated: dict[str, Any] = {"$eq": 1}
    for _ in range(5000):
        negated = {"$not": negated}
    for document in (deep, endless, {"whole": negated}):
        with pytest.raises(InvalidValue, match="nested deeper"):
            read_filter(MODEL, document, "filter")


def test_a_filter_of_very_many_conditions_is_refused() -> None:
    member: dict[str, Any] = {"text": None}
    nested: dict[str, Any] = {"$or": [{"text": None}, {"text": "a"}]}
    doubled: dict[str, Any] = {"text": None}
    for _ in range(20):
        doubled = {"$and": [doubled, doubled]}
    read_filter(MODEL, {"$or": [member] * 10_000}, "filter")
    for document in (
        {"$or": [{"whole": 1}] * 10_001},
        {"$or": [member] * 10_001},
        {"$nor": [member] * 10_000, "whole": {"$exists": True}},
        {"$and": [nested] * 5_001},
        {f"extra.{number}": None for number in range(10_001)},
        doubled,
    ):
        with pytest.raises(InvalidValue, match="more than 10000 conditions"):
            read_filter(MODEL, document, "filter")


@pytest.mark.parametrize(
    ("document", "fits"),
    [
        ({"$or": [{"whole": 1}] * 10_000}, True),
        ({"$nor": [{"$or": [{"whole": 1}, {"real": 1.0}]}] * 5_000}, True),
        ({"$or": [{"$nor": [{"whole": 1}, {"real": 1.0}]}] * 5_000}, True),
        ({"$and": [{"$or": [{"whole": 1}, {"real": 1.0}]}] * 5_000}, True),
        ({"$and": [*[{"$or": [{"whole": 1}, {"real": 1.0}]}] * 5_000, {"text": "a"}]}, False),
    ],
)
def test_so_many_conditions_may_be_asked(document: Document, fits: bool) -> None:
    if fits:
        assert read_filter(MODEL, document, "filter").shape
    else:
        with pytest.raises(InvalidValue, match="more than 10000 conditions"):
            read_filter(MODEL, document, "filter")


@pytest.mark.parametrize("operator", ["$and", "$or", "$nor", "$not"])
def test_a_misspelt_operator_of_logic_suggests_the_nearest(operator: str) -> None:
    wrong = operator[:2] + "x" + operator[2:]
    with pytest.raises(
        UnknownName, match=f"filter has no operator .*; did you mean {re.escape(repr(operator))}"
    ):
        read_filter(MODEL, {wrong: []}, "filter")


@pytest.mark.parametrize(
    "operator",
    ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$between", "$in", "$nin", "$exists", "$like", "$ilike", "$contains",
     "$regex", "$options", "$not"],
)  # fmt: skip
def test_a_misspelt_operator_of_a_field_suggests_the_nearest(operator: str) -> None:
    wrong = operator + "x"
    with pytest.raises(
        UnknownName, match=f"text has no operator .*; did you mean {re.escape(repr(operator))}"
    ):
        read_filter(MODEL, {"text": {wrong: "a"}}, "filter")


def nested(levels: int) -> Document:
    document: Document = {"whole": 1}
    for _ in range(levels):
        document = {"$not": document}
    return document


def test_so_deep_may_a_filter_be_nested() -> None:
    assert read_filter(MODEL, nested(30), "filter").shape == ("$eq", "whole")
    with pytest.raises(InvalidValue, match="nested deeper than 30 levels"):
        read_filter(MODEL, nested(31), "filter")


@pytest.mark.parametrize("operator", ["$in", "$nin"])
def test_what_is_made_of_parts_is_no_list_of_members(operator: str) -> None:
    for value in ("canary", b"canary", {"canary": 1}):
        with pytest.raises(InvalidValue, match=rf"\$in needs a list, got {type(value).__name__}") as caught:
            read_filter(MODEL, {"integer": {operator: value}}, "filter")
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("operator", ["$like", "$ilike", "$regex", "$contains"])
def test_an_operator_for_texts_names_itself_where_it_refuses(operator: str) -> None:
    long = "a" * 10_001 if operator != "$regex" else "a" * 1_001
    for document, message in (
        ({"integer": {operator: "a"}}, f"filter: integer: {operator} is for text, and the field is integer"),
        ({"text": {operator: 5}}, f"filter: text: {operator} needs a str, got int"),
        ({"text": {operator: None}}, f"filter: text: {operator} needs a str, got NoneType"),
        ({"text": {operator: "a\0"}}, f"filter: text: {operator}"),
        ({"text": {operator: long}}, f"filter: text: {operator}: the pattern has more than"),
    ):
        with pytest.raises(InvalidValue, match=re.escape(message)):
            read_filter(MODEL, document, "filter")
    if operator != "$contains":
        expected = f"filter: extra: {operator} needs the path to a text, 'extra.key'"
        with pytest.raises(InvalidValue, match=re.escape(expected)):
            read_filter(MODEL, {"extra": {operator: "a"}}, "filter")
    if operator in ("$like", "$ilike"):
        assert read_filter(MODEL, {"text": {operator: "a\\\\"}}, "filter").shape
        with pytest.raises(InvalidValue, match=f"{re.escape(operator)}: the pattern ends with a single"):
            read_filter(MODEL, {"text": {operator: "a\\\\\\"}}, "filter")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        *(({"text": {operator: None}}, f"filter: text: {operator} needs a value; None is found by {{'text': None}}")
          for operator in ("$gt", "$gte", "$lt", "$lte")),
        *(({"extra": {operator: {}}}, f"filter: extra: {operator} does not compare whole JSON documents")
          for operator in ("$eq", "$gt", "$gte", "$lt", "$lte")),
        ({"extra": {"$in": []}}, "filter: extra: $in does not compare whole JSON documents"),
        *(({"extra.a": {operator: {}}}, f"filter: extra.a: {told} does not compare whole JSON documents")
          for operator, told in (("$eq", "$eq"), ("$ne", "$eq"), ("$gt", "$gt"), ("$contains", "$contains"))),
        ({"extra.a": {"$in": [{}]}}, "filter: extra.a: $in does not compare whole JSON documents"),
        ({"extra.a": {"$gt": b"x"}}, "filter: extra.a: $gt compares what JSON holds: str, int, float, bool or None"),
        ({"extra.a": float("inf")}, "filter: extra.a: JSON has no NaN and no infinity"),
        ({"text": {"$between": ["a"]}}, "filter: text: $between needs a list of two values, [lowest, highest]"),
        ({"text": {"$between": ["a", None]}}, "filter: text: $between needs a list of two values"),
        ({"text": {"$between": "ab"}}, "filter: text: $between needs a list of two values"),
        ({"text": {"$exists": 1}}, "filter: text: $exists needs True or False, got int"),
        ({"text": {"$regex": "a", "$options": "x"}}, 'filter: text: $options knows "i" only'),
        ({"text": {"$regex": "a", "$options": 5}}, 'filter: text: $options knows "i" only'),
        ({"text": {"$options": "i"}}, "filter: text: $options belongs beside a $regex"),
        ({"text": {"$gt": "a", "$options": "i"}}, "filter: text: $options belongs beside a $regex"),
        ({"text": {"$not": 5}}, "filter: text: $not needs a dict of operators"),
        ({"extra." + ".".join("a" * 101): 1}, "filter: a path into extra has more than 100 steps"),
        ({"extra.a\0": 1}, "filter: a path into extra holds NUL or a lone surrogate"),
        ({"integer.a": 1}, "filter: integer is integer; only the fields of type dict or list have paths"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_place_and_what_is_wrong(document: Document, message: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(message)):
        read_filter(MODEL, document, "filter")


def test_an_unknown_operator_beside_a_pattern_is_refused() -> None:
    with pytest.raises(UnknownName, match=re.escape("did you mean '$gt'")):
        read_filter(MODEL, {"text": {"$regex": "a", "$gtt": "b"}}, "filter")
