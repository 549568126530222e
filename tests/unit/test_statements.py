"""Statements and conditions: shapes and values apart."""

import pytest

from dataflow.model.declare import declare
from dataflow.model.schema import Model
from dataflow.stages import Limit, Skip
from dataflow.statements import (
    EVERYTHING,
    NOTHING,
    Aggregate,
    Change,
    Delete,
    Insert,
    InsertMany,
    Order,
    Pipeline,
    Raw,
    Select,
    Statement,
    Update,
    UpdateMany,
    UpsertMany,
    Where,
    any_of,
    compare,
    equals,
    is_null,
)


class User:
    name: str
    age: int | None


MODEL = declare(User, implied=True)
AGE = compare("age", "$gt", 5)
NAME = equals("name", "Ann")


@pytest.mark.parametrize(
    ("where", "shape", "values"),
    [
        (NAME, ("$eq", "name"), ("Ann",)),
        (equals("age", None), ("null", "age"), ()),
        (is_null("age"), ("null", "age"), ()),
        (NAME & AGE, ("and", ("$eq", "name"), ("$gt", "age")), ("Ann", 5)),
        (NAME | AGE, ("or", ("$eq", "name"), ("$gt", "age")), ("Ann", 5)),
        (~NAME, ("not", ("$eq", "name")), ("Ann",)),
        ((NAME & AGE) & NAME, ("and", ("$eq", "name"), ("$gt", "age"), ("$eq", "name")), ("Ann", 5, "Ann")),
        (NAME & (AGE & NAME), ("and", ("$eq", "name"), ("$gt", "age"), ("$eq", "name")), ("Ann", 5, "Ann")),
        (
            NAME & (AGE | is_null("age")),
            ("and", ("$eq", "name"), ("or", ("$gt", "age"), ("null", "age"))),
            ("Ann", 5),
        ),
        (EVERYTHING & NAME, NAME.shape, NAME.values),
        (NAME & EVERYTHING, NAME.shape, NAME.values),
        (EVERYTHING | NAME, (), ()),
        (NAME | EVERYTHING, (), ()),
        (any_of([NAME, EVERYTHING, AGE]), (), ()),
        (~EVERYTHING, ("or",), ()),
        (~NOTHING, (), ()),
        (~~NAME, ("$eq", "name"), ("Ann",)),
        (NAME | NOTHING, ("or", ("$eq", "name")), ("Ann",)),
    ],
)
def test_conditions_combine(where: Where, shape: object, values: object) -> None:
    assert (where.shape, where.values) == (shape, values)


def statements(model: Model, value: str) -> list[Statement]:
    where = equals("name", value)
    return [
        Select(model, where, (Order("age", True),), 5, 6, ("name",)),
        Select(model, where, counting=True),
        Insert(model, ("name",), (value,)),
        InsertMany(model, ("name",), [(value,)]),
        Update(model, (Change("name"),), (value,), where, 2),
        Update(model, (Change("age", "$inc"),), (1,), where, returning=()),
        UpdateMany(model, ("id",), ("name",), [(1, value)], (Change("age"),), (1,), where),
        Delete(model, where, 2),
    ]


def test_statements_that_differ_by_values_alone_have_one_shape() -> None:
    for one, other in zip(statements(MODEL, "a"), statements(MODEL, "b"), strict=True):
        assert one.shape == other.shape
        assert hash(one.shape) == hash(other.shape)


def test_whatever_changes_the_text_changes_the_shape() -> None:
    different: list[Statement] = [
        *statements(MODEL, "a"),
        *statements(declare(User, implied=False), "a"),
        Select(MODEL),
        Select(MODEL, NAME),
        Select(MODEL, AGE),
        Select(MODEL, limit=1),
        Select(MODEL, offset=1),
        Select(MODEL, order=(Order("age"),)),
        Select(MODEL, fields=("age",)),
        Select(MODEL, counting=True),
        Select(MODEL, locking=True),
        Aggregate(MODEL, EVERYTHING, Pipeline((Skip(),), (1,))),
        Aggregate(MODEL, NAME, Pipeline((Skip(),), (1,))),
        Aggregate(MODEL, EVERYTHING, Pipeline((Limit(),), (1,))),
        Insert(MODEL, ("age",), (1,)),
        InsertMany(MODEL, ("name",), [], returning=True),
        InsertMany(MODEL, ("name",), [], ("a",)),
        UpsertMany(MODEL, ("name", "age"), [], (), ("name",), ("age",)),
        UpsertMany(MODEL, ("name",), [], (), ("name",), ("age",)),
        UpsertMany(MODEL, ("name", "age"), [], (1,), ("name",), ("age",)),
        UpsertMany(MODEL, ("name", "age"), [], (), ("age",), ("age",)),
        UpsertMany(MODEL, ("name", "age"), [], (), ("name",), ()),
        UpsertMany(MODEL, ("name", "age"), [], (), ("name",), (), ("age",)),
        Update(MODEL, (Change("name"),), ("a",), NAME),
        Update(MODEL, (Change("age"),), (1,), NAME),
        Update(MODEL, (Change("age", "$inc"),), (1,), NAME),
        Update(MODEL, (Change("age"),), (1,), NAME, returning=()),
        Update(MODEL, (Change("age"),), (1,), NAME, returning=("age",)),
        UpdateMany(MODEL, ("id",), ("name",), []),
        UpdateMany(MODEL, ("id",), ("age",), []),
        UpdateMany(MODEL, ("name",), ("age",), []),
        UpdateMany(MODEL, ("id",), ("age",), [], (Change("name"),), ("a",)),
        UpdateMany(MODEL, ("id",), ("age",), [], where=NAME),
        Delete(MODEL, NAME),
        Delete(MODEL, NAME, returning=False),
        Raw("SELECT 1", {}),
        Raw("SELECT 2", {}),
    ]
    shapes = [statement.shape for statement in different]
    assert len(set(shapes)) == len(shapes)


def test_values_come_in_the_order_of_the_text() -> None:
    where = NAME & AGE
    assert Select(MODEL, where, limit=7, offset=8).values == ("Ann", 5, 7, 8)
    assert Select(MODEL, where, offset=8).values == ("Ann", 5, 8)
    assert Update(MODEL, (Change("name"), Change("age")), ("Bob", 1), where).values == ("Bob", 1, "Ann", 5)
    assert Update(MODEL, (Change("age"),), (1,), where, 2).values == (1, "Ann", 5, 2)
    many = UpdateMany(MODEL, ("id",), ("name",), [], (Change("age"),), (1,), where)
    assert many.shared == (1, "Ann", 5)
    assert Aggregate(MODEL, where, Pipeline((Skip(),), (3,))).values == ("Ann", 5, 3)
    assert Delete(MODEL, where, 2).values == ("Ann", 5, 2)
    assert Delete(MODEL, where).values == ("Ann", 5)


def test_what_is_not_asked_for_is_not_done() -> None:
    pipeline = Pipeline((), ())
    assert Order("age") == Order("age", descending=False)
    assert Change("age") == Change("age", "$set")
    upsert = UpsertMany(MODEL, ("name",), [], (), ("name",), ())
    pairs: list[tuple[Statement, Statement]] = [
        (Select(MODEL), Select(MODEL, EVERYTHING, (), None, None, None, False, False, False)),
        (Aggregate(MODEL, NAME, pipeline), Aggregate(MODEL, NAME, pipeline, with_deleted=False)),
        (InsertMany(MODEL, (), []), InsertMany(MODEL, (), [], (), returning=False)),
        (upsert, UpsertMany(MODEL, ("name",), [], (), ("name",), (), (), EVERYTHING)),
        (Update(MODEL, (), (), NAME), Update(MODEL, (), (), NAME, limit=None, returning=None)),
        (
            UpdateMany(MODEL, ("id",), ("age",), []),
            UpdateMany(MODEL, ("id",), ("age",), [], (), (), EVERYTHING, batch_size=None),
        ),
        (Delete(MODEL, NAME), Delete(MODEL, NAME, limit=None, returning=True, for_good=False)),
    ]
    for brief, full in pairs:
        assert brief == full
        assert brief.shape == full.shape


def test_a_limit_of_none_is_not_one_of_zero() -> None:
    assert Select(MODEL, limit=0).values == (0,)
    assert Select(MODEL, limit=0).shape == Select(MODEL, limit=9).shape != Select(MODEL).shape


@pytest.mark.parametrize("where", [NAME, NAME & AGE, NAME | AGE, is_null("age"), EVERYTHING, NOTHING])
def test_what_is_turned_round_twice_is_what_it_was(where: Where) -> None:
    assert ~~where == where
    assert ~where != where
