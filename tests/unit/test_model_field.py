"""What a model says about its fields: Field, ForeignKey and Index by themselves."""

import copy
import pickle
from datetime import UTC, datetime

import pytest

from dataflow.errors import ModelError
from dataflow.model.field import MISSING, Field, FieldOptions, ForeignKey, Index, utcnow


def test_field_only_holds_what_it_was_given() -> None:
    assert Field() == FieldOptions()
    assert Field(default=3, unique=True, column="x") == FieldOptions(default=3, unique=True, column="x")


def test_missing_survives_copies_and_pickles_as_the_one_object() -> None:
    assert copy.deepcopy(MISSING) is pickle.loads(pickle.dumps(MISSING)) is MISSING
    assert repr(MISSING) == "MISSING"


def test_options_given_in_two_places_are_joined() -> None:
    one, two = FieldOptions(index=True, max_length=3), FieldOptions(default=None, max_length=3)
    assert one.merged(two, "X.y") == two.merged(one, "X.y")
    assert one.merged(two, "X.y") == FieldOptions(default=None, index=True, max_length=3)


@pytest.mark.parametrize(
    ("one", "two", "option"),
    [
        (FieldOptions(default=1), FieldOptions(default=2), "default"),
        (FieldOptions(default=1), FieldOptions(default=True), "default"),
        (FieldOptions(default=None), FieldOptions(default=0), "default"),
        (FieldOptions(max_length=1), FieldOptions(max_length=2), "max_length"),
        (FieldOptions(column="a"), FieldOptions(column="b"), "column"),
        (FieldOptions(primary_key=True), FieldOptions(primary_key=False), "primary_key"),
        (FieldOptions(default_factory=list), FieldOptions(default_factory=dict), "default_factory"),
    ],
    ids=str,
)
def test_options_that_disagree_are_refused(one: FieldOptions, two: FieldOptions, option: str) -> None:
    for first, second in ((one, two), (two, one)):
        with pytest.raises(ModelError, match=f"^X.y: {option} is given twice"):
            first.merged(second, "X.y")


def test_a_foreign_key_names_a_model_or_one_of_its_fields() -> None:
    assert (ForeignKey("Customer").model, ForeignKey("Customer").field) == ("Customer", None)
    assert (ForeignKey("Customer.email").model, ForeignKey("Customer.email").field) == ("Customer", "email")
    assert ForeignKey("Customer").on_delete == "restrict"


def test_an_index_knows_which_fields_descend() -> None:
    assert Index("a", "-b", unique=True).keys == (("a", False), ("b", True))


def test_indexes_are_values() -> None:
    assert Index("a", where={"b": 1}) == Index("a", where={"b": 1}) != Index("a")
    assert len({Index("a", where={"b": 1}), Index("a", where={"b": 1})}) == 1
    assert Index("a", unique=True).named("n") == Index("a", unique=True, name="n")
    with pytest.raises(AttributeError):
        Index("a").unique = True  # type: ignore[misc]


def test_now_is_aware() -> None:
    before = datetime.now(UTC)
    assert before <= utcnow() <= datetime.now(UTC)
    assert utcnow().tzinfo is UTC
