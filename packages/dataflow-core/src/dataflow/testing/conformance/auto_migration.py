"""Tables that make and extend themselves, and refuse what is no addition."""

import asyncio
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given

from dataflow import DataFlow, Field, ForeignKey, Index
from dataflow.capabilities import Capability
from dataflow.errors import DataFlowError, ForeignKeyViolation, ModelError, SchemaMismatch, UniqueViolation
from dataflow.testing.examples import FEW
from dataflow.testing.strategies.values import texts
from dataflow.testing.suite import requires

__all__ = ["AutoMigrationTests", "model"]


class Color(Enum):
    RED = "red"


def model(name: str, fields: dict[str, Any], values: dict[str, Any] | None = None, **options: Any) -> type:
    """A class as it would be written, from one module and with one name however often it is changed."""
    body: dict[str, Any] = {
        "__annotations__": fields,
        "__module__": __name__,
        "__dataflow__": {"timestamps": False, **options},
        **(values or {}),
    }
    return type(name, (), body)


def use(db: DataFlow, cls: type) -> None:
    """Define a model and let its table be made, whichever of the two complains."""
    db.model(cls)
    asyncio.run(db.start())


BASE: dict[str, Any] = {"name": str}

DEFAULTS: list[tuple[Any, Any]] = [
    (int, -5),
    (int, -(2**63)),
    (int, 2**63 - 1),
    (float, 0.1),
    (float, -1e300),
    (float, 5e-324),
    (bool, True),
    (str, ""),
    (str, 'it\'s "odd" \\ \n\t %s :x ? $1 -- /* */ ; größe 😀 `a` [b]'),
    (str, "NULL"),
    (str, "CURRENT_TIMESTAMP"),
    (bytes, b"\x00\xff'"),
    (bytes, b""),
    (Decimal, Decimal("-12345678901234567.0000000001")),
    (Decimal, Decimal("1E-20")),
    (datetime, datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC)),
    (date, date(1, 1, 1)),
    (time, time(23, 59, 59, 999_999)),
    (timedelta, timedelta(days=-1, microseconds=1)),
    (UUID, UUID(int=7)),
    (dict[str, Any], {"a": ["it's", {"b": None}], 'q"': 1.5}),
    (list[Any], [1, "x'", [True]]),
    (Color, Color.RED),
    (Literal["a'b", "c"], "a'b"),
]

NAMES = [
    "select",
    "order",
    "table name",
    'a"b',
    "it's",
    "a.b",
    "[a]",
    "`a`",
    "a;b--",
    "100%",
    "?",
    ":name",
    "größe",
    "Äpfel",
    "İstanbul",
    "straße",
    "STRASSE",
    "数据",
    "😀",
    "\u0301",
    " space ",
    "new\nline",
    "back\\slash",
    "x" * 63,
]

KEY = Field(primary_key=True)
REFUSALS: dict[str, tuple[str, type]] = {
    "new and required": (r"User\.age", model("User", {**BASE, "note": str | None, "age": int})),
    "another type": (r"User\.name", model("User", {"name": int, "note": str | None})),
    "null where it was not": (r"User\.name", model("User", {"name": str | None, "note": str | None})),
    "no null where it was": (r"User\.note", model("User", {**BASE, "note": str}, {"note": "x"})),
    "required and forgotten": (r"name must have a value", model("User", {"note": str | None})),
    "another key": (
        r"key \(id, name\)",
        model("User", {"id": int, "name": str, "note": str | None}, {"id": KEY, "name": KEY}),
    ),
    "a new foreign key": (
        r"User\.note",
        model("User", {**BASE, "note": Annotated[str | None, ForeignKey("User.name")]}),
    ),
}


class AutoMigrationTests:
    """Models become tables; later versions of a model extend them."""

    @requires(Capability.PARTIAL_INDEXES)
    def test_a_partial_unique_index_acts_where_its_filter_holds(self, db: DataFlow) -> None:
        indexes = [Index("email", unique=True, where={"$or": [{"gone": False}, {"gone": None}]})]
        db.model(model("User", {"email": str, "gone": bool | None}, indexes=indexes))
        create = db.nodes.UserCreateNode
        for gone in (True, True, False):
            db.run_sync(create(email="a", gone=gone))
        for taken in (False, None):
            with pytest.raises(UniqueViolation):
                db.run_sync(create(email="a", gone=taken))

    @requires(Capability.PARTIAL_INDEXES)
    def test_an_index_may_have_a_filter_that_every_row_meets(self, db: DataFlow) -> None:
        db.model(model("User", {"email": str}, indexes=[Index("email", unique=True, where={"$and": [{}]})]))
        db.run_sync(db.nodes.UserCreateNode(email="a"))
        with pytest.raises(UniqueViolation):
            db.run_sync(db.nodes.UserCreateNode(email="a"))

    def test_a_unique_field_allows_several_nulls(self, db: DataFlow) -> None:
        db.model(model("User", {"email": str | None}, {"email": Field(unique=True)}))
        db.run_sync(db.nodes.UserBulkCreateNode(data=[{"email": None}, {"email": None}, {"email": ""}]))
        with pytest.raises(UniqueViolation):
            db.run_sync(db.nodes.UserCreateNode(email=""))

    @requires(Capability.REFERENTIAL_ACTIONS)
    @pytest.mark.parametrize(("on_delete", "left"), [("cascade", []), ("set_null", [None])])
    def test_the_action_of_a_foreign_key_acts(
        self, db: DataFlow, on_delete: Any, left: list[int | None]
    ) -> None:
        db.model(model("Parent", {"name": str}))
        db.model(
            model("Child", {"parent_id": Annotated[int | None, ForeignKey("Parent", on_delete=on_delete)]})
        )
        db.run_sync(db.nodes.ParentCreateNode(name="p"))
        db.run_sync(db.nodes.ChildCreateNode(parent_id=1))
        assert db.run_sync(db.nodes.ParentDeleteNode(id=1))["deleted"] == 1
        children = db.run_sync(db.nodes.ChildListNode())["records"]
        assert [child["parent_id"] for child in children] == left

    @pytest.mark.parametrize("on_delete", ["restrict", "no_action"])
    def test_a_row_that_is_referred_to_stays(self, db: DataFlow, on_delete: Any) -> None:
        db.model(model("Parent", {"name": str}))
        db.model(
            model("Child", {"parent_id": Annotated[int | None, ForeignKey("Parent", on_delete=on_delete)]})
        )
        db.run_sync(db.nodes.ParentCreateNode(name="p"))
        db.run_sync(db.nodes.ChildCreateNode(parent_id=1))
        with pytest.raises(ForeignKeyViolation):
            db.run_sync(db.nodes.ParentDeleteNode(id=1))
        assert db.run_sync(db.nodes.ParentListNode())["count"] == 1

    def test_a_foreign_key_may_name_a_unique_field_of_another_name(self, db: DataFlow) -> None:
        db.model(model("Country", {"code": Annotated[str, Field(unique=True, column="iso code")]}))
        db.model(model("City", {"country": Annotated[str, ForeignKey("Country.code")]}))
        db.run_sync(db.nodes.CountryCreateNode(code="de"))
        db.run_sync(db.nodes.CityCreateNode(country="de"))
        with pytest.raises(ForeignKeyViolation):
            db.run_sync(db.nodes.CityCreateNode(country="xx"))
        with pytest.raises(ForeignKeyViolation):
            db.run_sync(db.nodes.CountryDeleteNode(code="de"))

    def test_tables_may_refer_to_each_other_and_to_themselves(self, db: DataFlow) -> None:
        db.model(model("Egg", {"hen_id": Annotated[int | None, ForeignKey("Hen")]}))
        db.model(
            model(
                "Hen",
                {
                    "egg_id": Annotated[int | None, ForeignKey("Egg")],
                    "mother_id": Annotated[int | None, ForeignKey("Hen", on_delete="set_null")],
                },
            )
        )
        db.run_sync(db.nodes.EggCreateNode(hen_id=None))
        db.run_sync(db.nodes.HenCreateNode(egg_id=1))
        db.run_sync(db.nodes.HenCreateNode(egg_id=1, mother_id=1))
        db.run_sync(db.nodes.EggUpdateNode(id=1, hen_id=2))
        with pytest.raises(ForeignKeyViolation):
            db.run_sync(db.nodes.HenDeleteNode(id=2))
        db.run_sync(db.nodes.HenDeleteNode(id=1))
        assert db.run_sync(db.nodes.HenReadNode(id=2))["mother_id"] is None

    def test_a_foreign_key_of_another_type_than_its_target_is_refused(self, db: DataFlow) -> None:
        db.model(model("Customer", {"name": str}))
        db.model(model("Order", {"customer": Annotated[str, ForeignKey("Customer")]}))
        with pytest.raises(ModelError, match=r"Order\.customer"):
            db.run_sync(db.nodes.OrderListNode())

    def test_a_model_that_was_missing_can_be_defined_later(self, db: DataFlow) -> None:
        db.model(model("Order", {"customer_id": Annotated[int, ForeignKey("Customer")]}))
        with pytest.raises(ModelError, match="'Customer', which is not defined"):
            db.run_sync(db.nodes.OrderListNode())
        db.model(model("Customer", {"name": str}))
        db.run_sync(db.nodes.CustomerCreateNode(name="Ann"))
        assert db.run_sync(db.nodes.OrderCreateNode(customer_id=1))["found"] is True

    def test_models_defined_after_the_first_run_get_their_tables_at_the_next(self, db: DataFlow) -> None:
        db.model(model("User", {"name": str}))
        db.run_sync(db.nodes.UserCreateNode(name="a"))
        db.model(model("Note", {"user_id": Annotated[int, ForeignKey("User")]}))
        assert db.run_sync(db.nodes.NoteCreateNode(user_id=1))["id"] == 1

    def test_a_default_that_is_not_a_number_is_stored_or_refused(self, db: DataFlow) -> None:
        odd = model("User", {"rate": float}, {"rate": math.nan})
        if Capability.NAN in db.databases()["primary"].dialect.capabilities:
            use(db, odd)
            assert math.isnan(db.run_sync(db.nodes.UserCreateNode())["rate"])
        else:
            with pytest.raises(DataFlowError, match=r"User\.rate"):
                use(db, odd)

    def test_a_field_may_have_a_name_that_python_allows_and_sql_reserves(self, db: DataFlow) -> None:
        reserved = ["select", "from", "where", "group", "größe", "Select_", "数据", "rowid", "_"]
        db.model(model("Odd", dict.fromkeys(reserved, int)))
        row = {name: number for number, name in enumerate(reserved)}
        assert db.run_sync(db.nodes.OddCreateNode(**row))["record"] == {"id": 1, **row}
        assert db.run_sync(db.nodes.OddBulkCreateNode(data=[row], return_rows=True))["result"] == [
            {"id": 2, **row}
        ]
        assert (
            db.run_sync(db.nodes.OddReadNode(conditions='"select" = :x AND größe = :y', x=0, y=4))["found"]
            is True
        )

    def test_two_models_whose_tables_differ_by_case_alone_are_refused(self, db: DataFlow) -> None:
        db.model(model("User", BASE, table="People"))
        with pytest.raises(ModelError, match="table"):
            db.model(model("Person", BASE, table="people"))

    def test_what_is_new_is_added_and_what_is_there_stays(self, db: DataFlow) -> None:
        use(db, model("User", BASE))
        old = db.run_sync(db.nodes.UserCreateNode(name="old"))["id"]
        extended = {**BASE, "note": str | None, "role": Annotated[str, Field(index=True)]}
        db.model(model("User", extended, {"role": "guest"}, indexes=[Index("note", "-role")]))
        db.model(model("Order", {"user_id": Annotated[int, ForeignKey("User")]}))
        row = {"id": old, "name": "old", "note": None, "role": "guest"}
        assert db.run_sync(db.nodes.UserReadNode(id=old))["record"] == row
        assert db.run_sync(db.nodes.OrderCreateNode(user_id=old))["user_id"] == old

    @pytest.mark.parametrize(("kind", "default"), DEFAULTS, ids=map(str, range(len(DEFAULTS))))
    def test_the_default_of_a_new_column_fills_the_rows_that_are_there(
        self, db: DataFlow, kind: Any, default: object
    ) -> None:
        use(db, model("User", BASE))
        db.run_sync(db.nodes.UserCreateNode(name="old"))
        fields = {**BASE, "extra": kind, "maybe": kind | None}
        db.model(model("User", fields, {"extra": default, "maybe": default}))
        new = db.run_sync(db.nodes.UserCreateNode(name="new"))
        old = db.run_sync(db.nodes.UserReadNode(name="old"))
        for row in (old, new):
            assert row["extra"] == row["maybe"] == default
            assert type(row["extra"]) is type(row["maybe"]) is type(default)
        if not isinstance(default, dict | list):
            found = db.run_sync(db.nodes.UserListNode(filter={"extra": default, "maybe": {"$in": [default]}}))
            assert found["count"] == 2

    @requires(Capability.INFINITY)
    @pytest.mark.parametrize("default", [float("inf"), -float("inf")])
    def test_an_infinite_default_fills_the_rows_that_are_there(self, db: DataFlow, default: float) -> None:
        use(db, model("User", BASE))
        db.run_sync(db.nodes.UserCreateNode(name="old"))
        db.model(model("User", {**BASE, "extra": float}, {"extra": default}))
        assert db.run_sync(db.nodes.UserReadNode(name="old"))["extra"] == default

    @FEW
    @given(texts(max_size=12))
    def test_any_generated_text_can_be_the_default_of_a_new_column(self, db: DataFlow, text: str) -> None:
        number = len(db.list_models()) + 1
        name = f"Thing{number}"
        create, read = f"{name}CreateNode", f"{name}ReadNode"
        use(db, model(name, BASE))
        db.run_sync(getattr(db.nodes, create)(name="old"))
        db.model(model(name, {**BASE, "extra": str}, {"extra": text}))
        assert db.run_sync(getattr(db.nodes, read)(name="old"))["extra"] == text

    def test_a_new_unique_index_serves_rows_that_are_there(self, db: DataFlow) -> None:
        use(db, model("User", BASE))
        db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": "a"}, {"name": "b"}]))
        use(db, model("User", BASE, {"name": Field(unique=True)}))
        with pytest.raises(UniqueViolation):
            db.run_sync(db.nodes.UserCreateNode(name="a"))

    def test_a_new_unique_index_that_the_rows_contradict_is_refused(self, db: DataFlow) -> None:
        use(db, model("User", BASE))
        db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": "canary"}, {"name": "canary"}]))
        with pytest.raises((UniqueViolation, SchemaMismatch)) as caught:
            use(db, model("User", {**BASE, "note": str | None}, {"name": Field(unique=True)}))
        assert "canary" not in str(caught.value)
        db.model(model("User", BASE))
        assert db.run_sync(db.nodes.UserCreateNode(name="canary"))["name"] == "canary"

    @pytest.mark.parametrize("refusal", REFUSALS)
    def test_what_is_no_addition_is_refused_and_the_rows_stay(self, db: DataFlow, refusal: str) -> None:
        message, later = REFUSALS[refusal]
        first = model("User", {**BASE, "note": str | None}, {"name": Field(unique=True)})
        use(db, first)
        db.run_sync(db.nodes.UserCreateNode(name="canary"))
        db.model(later)
        for _ in range(2):
            with pytest.raises(SchemaMismatch, match=message) as caught:
                db.run_sync(db.nodes.UserListNode())
            assert "canary" not in str(caught.value)
        db.model(model("User", {**BASE, "note": str | None}, {"name": Field(unique=True)}))
        assert [row["name"] for row in db.run_sync(db.nodes.UserListNode())["records"]] == ["canary"]

    @pytest.mark.parametrize("name", NAMES)
    def test_a_name_that_needs_quotes_or_is_not_ascii_simply_works(self, db: DataFlow, name: str) -> None:
        indexes = [
            Index("value", name=f"i {name}"[:63] if len(name) < 60 else "i"),
            Index("-value", "id", unique=True),
        ]
        fields = {
            "value": Annotated[int, Field(column=name, index=True)],
            "up": Annotated[int | None, ForeignKey("Odd")],
        }
        nodes = db.nodes
        for number in (1, 2):
            db.model(model("Odd", fields, table=name, indexes=indexes))
            created = db.run_sync(nodes.OddCreateNode(value=number))
            row = {"id": created["id"], "value": number, "up": number - 1 or None}
            changed = db.run_sync(nodes.OddUpdateNode(conditions={"value": number}, up=row["up"]))
            assert changed["record"] == row
            filter = {"value": {"$in": [1, 2]}, "$not": {"value": None}}
            listed = db.run_sync(nodes.OddListNode(filter=filter, order_by=["-value"], fields=["value"]))
            assert listed["records"][0] == {"value": number}
