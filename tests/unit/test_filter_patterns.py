"""Patterns become ranges where an index finds them."""

import pytest

from dataflow.filters.mongo import read_filter

from .things import MODEL, Document


@pytest.mark.parametrize(
    ("condition", "shape", "values"),
    [
        ({"$like": "Jo%"}, ("and", ("$gte", "text"), ("$lt", "text")), ("Jo", "Jp")),
        ({"$like": "Jo"}, ("$eq", "text"), ("Jo",)),
        ({"$like": ""}, ("$eq", "text"), ("",)),
        ({"$like": "%"}, ("$like", "text"), ("%",)),
        ({"$like": "%o"}, ("$like", "text"), ("%o",)),
        ({"$like": "J_"}, ("and", ("$gte", "text"), ("$lt", "text"), ("$like", "text")), ("J", "K", "J_")),
        ({"$like": "J%%"}, ("and", ("$gte", "text"), ("$lt", "text"), ("$like", "text")), ("J", "K", "J%%")),
        ({"$like": "50\\%%"}, ("and", ("$gte", "text"), ("$lt", "text")), ("50%", "50&")),
        ({"$like": "a\\\\"}, ("$eq", "text"), ("a\\",)),
        ({"$like": "\ud7ff%"}, ("and", ("$gte", "text"), ("$lt", "text")), ("\ud7ff", "\ue000")),
        ({"$like": "a\U0010ffff%"}, ("and", ("$gte", "text"), ("$lt", "text")), ("a\U0010ffff", "b")),
        ({"$like": "\U0010ffff%"}, ("$like", "text"), ("\U0010ffff%",)),
        ({"$like": "\U0010ffff_"}, ("and", ("$gte", "text"), ("$like", "text")), ("\U0010ffff", "\U0010ffff_")),
        ({"$ilike": "Jo%"}, ("$ilike", "text"), ("Jo%",)),
        ({"$regex": "^Jo"}, ("and", ("$gte", "text"), ("$lt", "text")), ("Jo", "Jp")),
        ({"$regex": "^Jo$"}, ("$eq", "text"), ("Jo",)),
        ({"$regex": "Jo"}, ("$regex", "text"), ("Jo",)),
        ({"$regex": "Jo", "$gt": "K"}, ("and", ("$regex", "text"), ("$gt", "text")), ("Jo", "K")),
        ({"$gt": "K", "$regex": "Jo"}, ("and", ("$gt", "text"), ("$regex", "text")), ("K", "Jo")),
        (
            {"$options": "i", "$regex": "o", "$lt": "K"},
            ("and", ("$regex", "text"), ("$lt", "text")),
            ("[Oo]", "K"),
        ),
        ({"$regex": "^J.*"}, ("and", ("$gte", "text"), ("$lt", "text"), ("$regex", "text")), ("J", "K", "^J[^\\n]*")),
        ({"$regex": "^jo", "$options": "i"}, ("$regex", "text"), ("^[Jj][Oo]",)),
        ({"$regex": "^50", "$options": "i"}, ("and", ("$gte", "text"), ("$lt", "text")), ("50", "51")),
        ({"$contains": "o_"}, ("$like", "text"), ("%o\\_%",)),
    ],
)  # fmt: skip
def test_what_begins_with_a_text_is_a_range_that_an_index_finds(
    condition: Document, shape: object, values: object
) -> None:
    where = read_filter(MODEL, {"text": condition}, "filter")
    assert (where.shape, where.values) == (shape, values)


@pytest.mark.parametrize("name", ["color", "extra.path"])
@pytest.mark.parametrize(
    "condition", [{"$like": "Jo%"}, {"$like": "Jo"}, {"$regex": "^Jo"}, {"$regex": "^Jo$"}]
)
def test_what_no_index_orders_by_its_text_is_compared_with_the_pattern(
    name: str, condition: Document
) -> None:
    where = read_filter(MODEL, {name: condition}, "filter")
    assert where.shape[0] == next(iter(condition))
    assert where.values == tuple(condition.values())


@pytest.mark.parametrize("last", ["X", "x", "/", "\\\\", "%", "_", "n"])
def test_a_pattern_may_end_with_any_character(last: str) -> None:
    assert read_filter(MODEL, {"text": {"$like": f"a%b{last}"}}, "filter").values[-1] == f"a%b{last}"
