"""What the operators of updates do to a row."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given

from dataflow import DataFlow, Field
from dataflow.errors import InvalidValue, OutOfRange, UnknownName, ValidationError
from dataflow.testing.examples import SOME
from dataflow.testing.oracle.changes import apply
from dataflow.testing.strategies.changes import documents, rows

__all__ = ["UpdateOperatorTests", "define_figures"]

Row = dict[str, Any]
GREATEST, SMALLEST = 2**63 - 1, -(2**63)


class Size(Enum):
    """A choice."""

    SMALL = 1
    LARGE = 2


def define_figures(db: DataFlow) -> tuple[int, int]:
    """The model of the generated rows; how many digits its decimals may have before the point, and after it."""

    @db.model
    class Figure:
        number: int | None = None
        count: int = 0
        ratio: float | None = None
        amount: Decimal | None = None
        duration: timedelta | None = None
        moment: datetime | None = None
        text: str | None = None

    return db.databases()["primary"].models["Figure"].fields["amount"].type.digits


def define_things(db: DataFlow) -> None:
    """A model with fields that have conditions of their own."""

    @db.model
    class Thing:
        name: str = Field(max_length=5, unique=True)
        state: Literal["new", "used"] = "new"
        level: Literal[1, 2, 3] = 1
        size: Size = Size.SMALL
        stock: int = 3
        tags: list[str] = Field(default_factory=lambda: ["x"])
        sold: bool = False
        note: str | None = None
        data: dict[str, Any] | None = None

    db.run_sync(db.nodes.ThingCreateNode(name="a", note="n", stock=10))


def thing(db: DataFlow) -> Row:
    """The only thing, without what DataFlow keeps itself."""
    record: Row = db.run_sync(db.nodes.ThingReadNode(id=1))["record"]
    return {name: value for name, value in record.items() if name not in ("id", "created_at", "updated_at")}


def refused(db: DataFlow, field: str, value: object, operator: str, operand: object) -> None:
    """Check that a result is refused, and that nothing was changed."""
    db.run_sync(db.nodes.FigureBulkCreateNode(data=[{"count": 1}, {field: value, "count": 1}]))
    update = {operator: {field: operand}, "count": 2}
    with pytest.raises(OutOfRange):
        db.run_sync(db.nodes.FigureUpdateNode(id=2, updates=update))
    with pytest.raises(OutOfRange):
        db.run_sync(db.nodes.FigureBulkUpdateNode(filter={}, update=update, confirmed=True))
    records = db.run_sync(db.nodes.FigureListNode(order_by=["id"]))["records"]
    assert [(record[field], record["count"]) for record in records] == [(None, 1), (value, 1)]


class UpdateOperatorTests:
    """``$set``, ``$inc``, ``$mul``, ``$min``, ``$max``, ``$unset`` with the UpdateNode."""

    def test_a_generated_update_does_what_python_does(self, db: DataFlow) -> None:
        digits = define_figures(db)

        @SOME
        @given(row=rows(digits), document=documents(digits))
        def check(row: Row, document: Row) -> None:
            id = db.run_sync(db.nodes.FigureCreateNode(**row))["id"]
            expected: Row | None = None
            try:
                expected = apply(document, row, digits)
            except OutOfRange:
                with pytest.raises(OutOfRange):
                    db.run_sync(db.nodes.FigureUpdateNode(id=id, updates=document))
            else:
                changed = db.run_sync(db.nodes.FigureUpdateNode(id=id, updates=document))["record"]
                assert {name: changed[name] for name in row} == expected
            stored = db.run_sync(db.nodes.FigureReadNode(id=id))["record"]
            assert {name: stored[name] for name in row} == (row if expected is None else expected)

        check()

    @pytest.mark.parametrize(
        ("document", "values"),
        [
            ({"$inc": {"stock": -4}}, {"stock": 6}),
            ({"$mul": {"stock": 3}, "$set": {"state": "used"}}, {"stock": 30, "state": "used"}),
            ({"$min": {"stock": 9, "name": "b"}}, {"stock": 9}),
            ({"$max": {"stock": 9, "name": "b"}}, {"name": "b"}),
            (
                {"$max": {"level": 2, "size": Size.LARGE, "sold": True}},
                {"level": 2, "size": Size.LARGE, "sold": True},
            ),
            ({"$unset": ["note"]}, {"note": None}),
            ({"$unset": {"note": "", "stock": ""}}, {"note": None, "stock": 3}),
            ({"$unset": ["tags", "sold"]}, {}),
            ({"$inc": {"stock": 1}, "note": "m"}, {"stock": 11, "note": "m"}),
            ({"$set": {"data": {"$inc": 1}}}, {"data": {"$inc": 1}}),
        ],
    )
    def test_operators_and_values_change_a_row_together(
        self, db: DataFlow, document: Mapping[str, Any], values: Mapping[str, Any]
    ) -> None:
        define_things(db)
        before = thing(db)
        db.run_sync(db.nodes.ThingUpdateNode(id=1, updates=document))
        assert thing(db) == {**before, **values}

    def test_a_value_may_stand_beside_the_document(self, db: DataFlow) -> None:
        define_things(db)
        changed = db.run_sync(db.nodes.ThingUpdateNode(id=1, note="m", updates={"$inc": {"stock": 1}}))
        assert (changed["note"], changed["stock"]) == ("m", 11)
        changed = db.run_sync(db.nodes.ThingUpdateNode(id=1, data={"$inc": 1}))
        assert (changed["data"], changed["stock"]) == ({"$inc": 1}, 11)

    @pytest.mark.parametrize(
        ("document", "error", "message"),
        [
            ({"$incr": {"stock": 1}}, UnknownName, r"did you mean '\$inc'"),
            ({"$inc": {"stok": 1}}, UnknownName, "did you mean 'stock'"),
            ({"$inc": {"name": 1}}, InvalidValue, "name is not"),
            ({"$inc": {"level": 1}}, InvalidValue, "without choices, which level is not"),
            ({"$mul": {"size": 2}}, InvalidValue, "without choices, which size is not"),
            ({"$inc": {"sold": True}}, InvalidValue, "sold is not"),
            ({"$max": {"tags": []}}, InvalidValue, "an order, which tags is not"),
            ({"$inc": {"stock": 1.5}}, InvalidValue, r"Thing\.stock: expected int"),
            ({"$inc": {"stock": None}}, InvalidValue, "needs a value"),
            ({"$min": {"note": None}}, InvalidValue, "needs a value"),
            ({"$max": {"name": "longer"}}, InvalidValue, r"Thing\.name"),
            ({"$max": {"level": 4}}, InvalidValue, r"Thing\.level"),
            ({"$unset": ["name"]}, InvalidValue, "no default"),
            ({"$unset": ["id"]}, InvalidValue, "is the key"),
            ({"$inc": {"id": 1}}, InvalidValue, "is the key"),
            ({"$unset": "note"}, InvalidValue, "expected a list of fields"),
            ({"$inc": 3}, InvalidValue, "expected a dict"),
            ({"$inc": {"stock": 1}, "$mul": {"stock": 2}}, InvalidValue, "changed twice"),
            ({"$set": {"stock": 1}, "stock": 2}, InvalidValue, "changed twice"),
            ({"$unset": ["note"], "note": "x"}, InvalidValue, "changed twice"),
            ({"stock": {"$inc": 1}}, InvalidValue, "the operator comes first"),
            ({7: 1}, ValidationError, "names are texts"),
            ({"$unset": [[]]}, ValidationError, "has no field"),
        ],
    )
    def test_an_update_that_makes_no_sense_is_refused(
        self, db: DataFlow, document: Mapping[Any, Any], error: type[Exception], message: str
    ) -> None:
        define_things(db)
        before = thing(db)
        with pytest.raises(error, match=message):
            db.run_sync(db.nodes.ThingUpdateNode(id=1, updates=document))
        with pytest.raises(error, match=message):
            db.run_sync(db.nodes.ThingBulkUpdateNode(filter={"id": 1}, update=document))
        assert thing(db) == before

    def test_a_field_beside_the_document_may_not_be_changed_in_it_too(self, db: DataFlow) -> None:
        define_things(db)
        with pytest.raises(InvalidValue, match="changed twice"):
            db.run_sync(db.nodes.ThingUpdateNode(id=1, stock=1, updates={"$inc": {"stock": 1}}))

    @pytest.mark.parametrize(
        ("field", "value", "operator", "operand"),
        [
            ("number", GREATEST, "$inc", 1),
            ("number", SMALLEST, "$inc", -1),
            ("number", SMALLEST, "$mul", -1),
            ("number", 2**32, "$mul", 2**31),
            ("ratio", 1.7e308, "$inc", 1.7e308),
            ("ratio", -1e200, "$mul", 1e200),
            ("duration", timedelta(microseconds=GREATEST), "$inc", timedelta(microseconds=1)),
        ],
    )
    def test_a_result_that_does_not_fit_is_an_error_and_changes_nothing(
        self, db: DataFlow, field: str, value: object, operator: str, operand: object
    ) -> None:
        define_figures(db)
        refused(db, field, value, operator, operand)

    def test_a_decimal_that_does_not_fit_is_an_error_and_changes_nothing(self, db: DataFlow) -> None:
        before, _ = define_figures(db)
        refused(db, "amount", Decimal(1).scaleb(before - 1), "$mul", Decimal(10))

    def test_a_decimal_of_too_many_places_is_an_error_and_changes_nothing(self, db: DataFlow) -> None:
        _, after = define_figures(db)
        refused(db, "amount", Decimal(1).scaleb(-after), "$mul", Decimal("0.1"))

    @pytest.mark.parametrize(
        ("value", "operator", "operand", "expected"),
        [
            (GREATEST - 1, "$inc", 1, GREATEST),
            (SMALLEST, "$mul", 1, SMALLEST),
            (2**53, "$inc", 1, 2**53 + 1),
            (GREATEST, "$min", SMALLEST, SMALLEST),
        ],
    )
    def test_integers_of_64_bits_stay_exact(
        self, db: DataFlow, value: int, operator: str, operand: int, expected: int
    ) -> None:
        define_figures(db)
        db.run_sync(db.nodes.FigureCreateNode(number=value))
        changed = db.run_sync(db.nodes.FigureUpdateNode(id=1, updates={operator: {"number": operand}}))
        assert (changed["number"], type(changed["number"])) == (expected, int)

    @pytest.mark.parametrize(
        ("value", "factor"),
        [
            (5e-324, 0.1),
            (-5e-324, 0.5),
            (5e-324, 0.6),
            (1e-200, -1e-200),
            (1e-200, 1e200),
            (0.75, 0.5),
            (-1.5, 1e300),
            (0.0, -3.0),
        ],
    )
    def test_a_product_of_floats_that_is_too_small_is_zero(
        self, db: DataFlow, value: float, factor: float
    ) -> None:
        define_figures(db)
        db.run_sync(db.nodes.FigureCreateNode(ratio=value))
        changed = db.run_sync(db.nodes.FigureUpdateNode(id=1, updates={"$mul": {"ratio": factor}}))["ratio"]
        assert changed == value * factor

    def test_the_time_of_the_change_is_kept_unless_it_is_given(self, db: DataFlow) -> None:
        define_figures(db)
        made = db.run_sync(db.nodes.FigureCreateNode())
        changed = db.run_sync(db.nodes.FigureUpdateNode(id=1, updates={"$inc": {"count": 1}}))
        assert changed["updated_at"] > made["updated_at"]
        given = datetime(2001, 2, 3, tzinfo=UTC)
        changed = db.run_sync(db.nodes.FigureUpdateNode(id=1, updates={"$min": {"updated_at": given}}))
        assert changed["updated_at"] == given
