"""From classes to models: fields, keys, defaults, timestamps, options and indexes."""

import gc
import weakref
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID, uuid4

import pytest

from dataflow.errors import InvalidValue, MissingPlugin, ModelError, UnknownName, UnknownOption
from dataflow.model.declare import declare
from dataflow.model.field import MISSING, Field, ForeignKey, Index, utcnow
from dataflow.model.schema import Model
from dataflow.types import ColumnType, Kind


class Status(Enum):
    NEW = "new"


def model(cls: type) -> Model:
    return declare(cls, implied=True)


def make(name: str, annotations: dict[str, Any], **body: object) -> type:
    return type(name, (), {"__annotations__": annotations, "__module__": __name__, **body})


def refused(annotations: dict[str, Any], **body: object) -> str:
    with pytest.raises(ModelError) as caught:
        model(make("Order", annotations, **body))
    assert str(caught.value).startswith("Order")
    return str(caught.value)


class Order:
    customer_id: Annotated[int, ForeignKey("Customer", on_delete="cascade")]
    total: Decimal
    status: Literal["pending", "paid", "failed"] = "pending"
    note: Annotated[str, Field(max_length=200, index=True)] | None = None
    placed_at: datetime = Field(default_factory=utcnow)
    counter: ClassVar[int] = 0
    __dataflow__: ClassVar = {"table": "all_orders", "indexes": [Index("status", "-placed_at")]}


def test_a_model_has_its_fields_in_order_between_the_key_and_the_timestamps() -> None:
    order = model(Order)
    declared = ["customer_id", "total", "status", "note", "placed_at"]
    assert list(order.fields) == ["id", *declared, "created_at", "updated_at"]
    assert (order.name, order.table, order.database) == ("Order", "all_orders", "primary")
    assert order.origin == (__name__, "Order")
    assert order.cls is Order
    assert [name for name, field in order.fields.items() if field.required] == ["customer_id", "total"]


def test_a_field_holds_all_that_was_said_about_it() -> None:
    order = model(Order)
    note = order.field("note")
    assert (note.type, note.nullable) == (ColumnType(Kind.TEXT, str, max_length=200), True)
    assert (note.default, note.default_factory, note.index, note.unique) == (None, None, True, False)
    assert order.field("customer_id").foreign_key == ForeignKey("Customer", on_delete="cascade")
    assert order.field("placed_at").default is MISSING
    assert order.field("placed_at").default_factory is utcnow
    assert order.field("status").default == "pending"


def test_a_field_coerces_under_the_name_of_its_model() -> None:
    assert model(Order).field("total").coerce(3) == Decimal(3)
    with pytest.raises(InvalidValue, match=r"^Order.note: the str has 201 characters"):
        model(Order).field("note").coerce("x" * 201)


def test_an_unknown_field_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"^Order has no field 'totl'; did you mean 'total'\?$"):
        model(Order).field("totl")


def test_models_are_frozen_hashable_by_identity_and_weakly_referenced() -> None:
    one, two = model(Order), model(Order)
    assert one != two
    assert len({one, two, one}) == 2
    with pytest.raises(FrozenInstanceError):
        one.table = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        one.fields["x"] = one.fields["id"]  # type: ignore[index]
    with pytest.raises(TypeError):
        one.options["x"] = 1  # type: ignore[index]
    reference = weakref.ref(two)
    del two
    gc.collect()
    assert reference() is None


def test_the_key_has_a_name_for_other_models() -> None:
    assert model(make("OrderItem", {"n": int})).id_name == "order_item_id"
    assert model(make("HTTPServer", {"n": int})).id_name == "http_server_id"


# Instances


def test_a_model_cannot_be_instantiated_and_says_which_node_to_use() -> None:
    class Product:
        price: float

        def __init__(self, price: float) -> None:
            raise AssertionError("not reached")

    model(Product)
    for arguments in ((), (1.5,)):
        with pytest.raises(
            TypeError, match=r"^Product is a schema, not an object: .* node ProductCreateNode"
        ):
            Product(*arguments)
    with pytest.raises(TypeError, match="ProductCreateNode"):
        Product(price=1.5)


def test_models_inherit_from_models() -> None:
    class Animal:
        name: str = "nobody"
        age: int

    class Dog(Animal):
        age: float  # type: ignore[assignment]
        breed: str

    animal, dog = model(Animal), model(Dog)
    assert list(dog.fields) == ["id", "name", "age", "breed", "created_at", "updated_at"]
    assert dog.field("age").type.kind is Kind.FLOAT
    assert dog.field("name").default == "nobody"
    assert (animal.table, dog.table) == ("animals", "dogs")
    with pytest.raises(TypeError, match="DogCreateNode"):
        Dog()
    with pytest.raises(TypeError, match="AnimalCreateNode"):
        Animal()
    assert list(model(Animal).fields) == list(animal.fields), "a class may be declared again"


def test_methods_and_plain_attributes_are_left_alone() -> None:
    class Product:
        price: float
        currency = "EUR"

        @property
        def label(self) -> str:
            return "x"

        @classmethod
        def cheapest(cls) -> str:
            return cls.currency

    assert list(model(Product).fields) == ["id", "price", "created_at", "updated_at"]
    assert Product.cheapest() == "EUR"


def test_a_field_may_be_named_like_an_attribute_of_every_class() -> None:
    fields = model(make("Order", {"mro": str, "items": int, "select": int, "größe": int})).fields
    assert fields["mro"].default is MISSING
    assert fields["größe"].required


def test_slots_are_no_defaults() -> None:
    class Point:
        __slots__ = ("x",)
        x: int

    assert model(Point).field("x").required


# Keys


def test_an_id_is_implied_and_generated() -> None:
    order = model(make("Order", {"n": int}))
    assert order.key == (order.fields["id"],)
    key = order.fields["id"]
    assert (key.type, key.nullable, key.generated, key.required) == (
        ColumnType(Kind.INTEGER, int),
        False,
        True,
        False,
    )


def test_a_field_named_id_is_the_key_by_itself() -> None:
    order = model(make("Order", {"n": int, "id": UUID}, id=Field(default_factory=uuid4)))
    assert list(order.fields) == ["n", "id", "created_at", "updated_at"]
    assert [field.name for field in order.key] == ["id"]
    assert (order.fields["id"].generated, order.fields["id"].required) == (False, False)


@pytest.mark.parametrize(
    "kind", [str, UUID, bytes, date, datetime, Decimal, Status, Literal["a"], bool, Literal[1]], ids=str
)
def test_a_key_that_the_database_cannot_number_is_required(kind: Any) -> None:
    key = model(make("Order", {"code": Annotated[kind, Field(primary_key=True)]})).key[0]
    assert (key.name, key.generated, key.required) == ("code", False, True)


def test_a_sole_int_key_of_any_name_is_generated() -> None:
    order = model(make("Order", {"number": int, "id": str}, number=Field(primary_key=True)))
    assert [field.name for field in order.key] == ["number"]
    assert order.fields["number"].generated
    assert order.fields["id"].required


def test_an_int_key_that_has_a_factory_or_a_foreign_key_is_not_generated() -> None:
    made = model(make("Order", {"id": int}, id=Field(default_factory=lambda: 1)))
    assert (made.key[0].generated, made.key[0].required) == (False, False)
    borrowed = model(make("Order", {"user_id": Annotated[int, ForeignKey("User"), Field(primary_key=True)]}))
    assert (borrowed.key[0].generated, borrowed.key[0].required) == (False, True)


def test_a_key_may_be_composite() -> None:
    order = model(
        make("Order", {"a": int, "n": int, "b": str}, a=Field(primary_key=True), b=Field(primary_key=True))
    )
    assert [field.name for field in order.key] == ["a", "b"]
    assert not any(field.generated for field in order.fields.values())
    assert order.fields["a"].required


def test_a_part_of_a_composite_key_may_have_a_default() -> None:
    part = Annotated[int, Field(primary_key=True)]
    assert model(make("Order", {"a": part, "b": part}, b=0)).fields["b"].default == 0


@pytest.mark.parametrize(
    ("annotations", "body", "said"),
    [
        ({"id": int | None}, {}, "Order.id: a key is never null"),
        ({"id": int | None}, {"id": None}, "Order.id: a key is never null"),
        ({"id": float}, {}, "Order.id: a float is no key"),
        ({"id": dict}, {}, "Order.id: a dict is no key"),
        ({"id": int}, {"id": 5}, "Order.id: with a default all rows had the same key"),
        ({"id": str}, {"id": "x"}, "Order.id: with a default all rows had the same key"),
        ({"id": int}, {"id": Field(primary_key=False)}, "Order.id is not the key"),
    ],
    ids=count(),
)
def test_impossible_keys_are_refused(annotations: dict[str, Any], body: dict[str, object], said: str) -> None:
    assert said in refused(annotations, **body)


def test_an_existing_schema_implies_nothing() -> None:
    order = declare(make("Order", {"n": int, "created_at": datetime}), implied=False)
    assert list(order.fields) == ["n", "created_at"]
    assert order.key == ()
    assert order.fields["created_at"].maintained is None
    assert order.fields["created_at"].required


def test_an_id_of_an_existing_schema_is_its_key_unless_it_says_no() -> None:
    assert declare(make("Order", {"id": int}), implied=False).key[0].name == "id"
    assert declare(make("Order", {"id": int}, id=Field(primary_key=False)), implied=False).key == ()


# Timestamps


def test_timestamps_are_maintained_and_not_required() -> None:
    fields = model(make("Order", {"n": int})).fields
    assert [fields[name].maintained for name in ("id", "n", "created_at", "updated_at")] == [
        *(None, None),
        *("created", "updated"),
    ]
    for name in ("created_at", "updated_at"):
        assert fields[name].type == ColumnType(Kind.DATETIME, datetime)
        assert not fields[name].nullable
        assert not fields[name].required


def test_timestamps_can_be_switched_off() -> None:
    body = {"__dataflow__": {"timestamps": False}}
    assert list(model(make("Order", {"n": int}, **body)).fields) == ["id", "n"]
    declared = model(make("Order", {"created_at": datetime}, **body)).fields["created_at"]
    assert (declared.maintained, declared.required) == (None, True)


def test_a_declared_timestamp_keeps_its_place_and_nullability() -> None:
    fields = model(make("Order", {"created_at": datetime | None, "n": int, "updated_at": date})).fields
    assert list(fields) == ["id", "created_at", "n", "updated_at"]
    assert (fields["created_at"].nullable, fields["created_at"].maintained) == (True, "created")
    assert (fields["updated_at"].maintained, fields["updated_at"].required) == (None, True)


def test_an_existing_schema_maintains_timestamps_when_asked_to() -> None:
    cls = make("Order", {"n": int}, __dataflow__={"timestamps": True})
    assert list(declare(cls, implied=False).fields) == ["n", "created_at", "updated_at"]


def test_a_timestamp_that_is_a_key_is_not_maintained() -> None:
    key = model(make("Order", {"created_at": datetime}, created_at=Field(primary_key=True))).key[0]
    assert (key.maintained, key.required) == (None, True)


# Defaults


def test_defaults_are_coerced_when_the_model_is_declared() -> None:
    body = {"total": 3, "on": "2024-01-02", "status": "new", "at": datetime(2024, 1, 2, tzinfo=UTC)}
    fields = model(
        make("Order", {"total": Decimal, "on": date, "status": Status, "at": datetime}, **body)
    ).fields
    assert isinstance(fields["total"].default, Decimal)
    assert fields["on"].default == date(2024, 1, 2)
    assert fields["status"].default is Status.NEW


def test_a_mutable_default_is_copied_for_each_row() -> None:
    shared = {"tags": ["a"]}
    field = model(make("Order", {"meta": dict}, meta=shared)).fields["meta"]
    shared["tags"].append("b")
    assert field.default == {"tags": ["a"]}
    assert field.default_factory is not None
    one: Any = field.default_factory()
    two: Any = field.default_factory()
    assert one == two == {"tags": ["a"]}
    assert one is not two
    assert one["tags"] is not two["tags"]
    assert one is not field.default


@pytest.mark.parametrize(
    ("annotation", "default", "said"),
    [
        (int, "canary", "Order.x: the default: expected int, got str"),
        (int, True, "Order.x: the default: expected int, got bool"),
        (int, None, "Order.x: the default is None, so the type must allow it; write `| None`"),
        (int, Field(default=None), "the default is None"),
        (Literal["a"], "canary", "got another str"),
        (Annotated[str, Field(max_length=3)], "canary", "6 characters, 3 are allowed"),
        (dict, [], "expected dict, got list"),
        (datetime, datetime(2024, 1, 2), "naive_datetimes"),
        (int, Field(default=1, default_factory=int), "Order.x has a default and a default_factory"),
        (Annotated[int, Field(default_factory=int)], 1, "has a default and a default_factory"),
        (Annotated[int, Field(default=1)], 2, "Order.x: default is given twice"),
        (int, Field(default_factory=3), "default_factory must be callable"),  # type: ignore[arg-type]
        (int, ForeignKey("User"), "ForeignKey is no default; write x: Annotated[int, ForeignKey(...)]"),
        (int, Index("x"), "Index is no default"),
        (int, property(lambda self: 1), "expected int, got property"),
    ],
    ids=count(),
)
def test_impossible_defaults_are_refused(annotation: Any, default: object, said: str) -> None:
    message = refused({"x": annotation}, x=default)
    assert said in message
    assert "canary" not in message


def test_field_counts_on_both_sides_at_once() -> None:
    body = {"x": Field(default="a", unique=True)}
    field = model(
        make("Order", {"x": Annotated[str, Field(max_length=5), Field(index=True)]}, **body)
    ).fields["x"]
    assert (field.default, field.unique, field.index, field.type.max_length) == ("a", True, True, 5)


def test_foreign_metadata_is_ignored() -> None:
    assert model(make("Order", {"x": Annotated[int, "someone else's", 3, [4]]})).fields["x"].required


# What is refused of fields


@pytest.mark.parametrize(
    ("annotations", "body", "said"),
    [
        ({}, {}, "Order has no fields"),
        ({"x": complex}, {}, "Order.x: a column cannot have the type complex"),
        ({"a": int}, {"x": Field()}, "Order.x has no type"),
        ({"__x__": int}, {}, "Order.__x__: names with two underscores"),
        ({"name": str, "Name": str}, {}, "name and Name have one column"),
        ({"ID": str}, {}, "id and ID have one column"),
        ({"a": str, "b": str}, {"b": Field(column="A")}, "a and b have one column"),
        ({"straße": str, "STRASSE": str}, {}, "have one column"),
        ({"a": str}, {"a": Field(column="")}, "Order.a: the name of the column is empty"),
        ({"a": str}, {"a": Field(column="x\0")}, "Order.a: the name of the column holds a NUL"),
        ({"a" * 64: str}, {}, "longer than 63 bytes"),
        ({"a": str}, {"a": Field(column=3)}, "must be a str, not int"),  # type: ignore[arg-type]
        ({"a": int}, {"a": Field(max_length=3)}, "Order.a: max_length is for str and bytes"),
        ({"a": Status}, {"a": Field(max_length=3)}, "max_length is for str and bytes"),
        ({"a": str}, {"a": Field(max_length=0)}, "max_length must be an int, 1 or more"),
        ({"a": str}, {"a": Field(max_length=True)}, "max_length must be an int, 1 or more"),
        ({"a": Annotated[int, Field]}, {}, "Order.a: within Annotated only Field(...)"),
        ({"a": Annotated[int, ForeignKey]}, {}, "within Annotated only Field(...)"),
        ({"a": Annotated[int, Index("a")]}, {}, "within Annotated only Field(...)"),
        ({"a": Annotated[int, ForeignKey("A"), ForeignKey("B")]}, {}, "Order.a has two foreign keys"),
        ({"a": Annotated[int, ForeignKey("")]}, {}, "a ForeignKey names a model or its field"),
        ({"a": Annotated[int, ForeignKey("A.")]}, {}, "a ForeignKey names a model or its field"),
        ({"a": Annotated[int, ForeignKey("A.b.c")]}, {}, "a ForeignKey names a model or its field"),
        ({"a": Annotated[int, ForeignKey(Order)]}, {}, "a ForeignKey names a model"),  # type: ignore[arg-type]
        (
            {"a": Annotated[int, ForeignKey("A", on_delete="explode")]},  # type: ignore[arg-type]
            {},
            "on_delete must be one of restrict, cascade, set_null, no_action",
        ),
        ({"a": Annotated[int, ForeignKey("A", on_delete="set_null")]}, {}, "needs a field that may be null"),
    ],
    ids=count(),
)
def test_impossible_fields_are_refused(
    annotations: dict[str, Any], body: dict[str, object], said: str
) -> None:
    assert said in refused(annotations, **body)


def test_a_nullable_foreign_key_may_be_set_to_null() -> None:
    hint = Annotated[int | None, ForeignKey("User.number", on_delete="set_null")]
    key = model(make("Order", {"user": hint})).fields["user"].foreign_key
    assert key is not None
    assert (key.model, key.field) == ("User", "number")


# Options


def test_options_are_read() -> None:
    options = {"table": "größe", "database": "analytics", "naive_datetimes": "utc", "multi_tenant": False}
    order = model(make("Order", {"at": datetime, "n": int}, __dataflow__=options))
    assert (order.table, order.database, dict(order.options)) == ("größe", "analytics", options)
    assert order.fields["at"].type.naive_datetimes
    assert order.fields["created_at"].type.naive_datetimes
    assert not order.fields["n"].type.naive_datetimes
    assert order.fields["at"].coerce(datetime(2024, 1, 2)) == datetime(2024, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": 3}, "'table' must be a str, not int"),
        ({"table": ""}, "is empty"),
        ({"table": "x" * 64}, "63 bytes"),
        ({"table": "a\0"}, "NUL"),
        ({"database": ""}, "'database' must name one"),
        ({"timestamps": 0}, "'timestamps' must be a bool, not int"),
        ({"naive_datetimes": "local"}, "'naive_datetimes' can only be \"utc\""),
        ({"naive_datetimes": True}, "must be a str, not bool"),
        ({"indexes": "n"}, "'indexes' must be a list or tuple, not str"),
        ({"indexes": ["n"]}, "'indexes' holds a str; write Index("),
        ({"soft_delete": "yes"}, "'soft_delete' must be a bool, not str"),
        ({"versioned": 1}, "'versioned' must be a bool, not int"),
        ({"audit_log": True}, "'audit_log' is not available in this version"),
        (["table"], "must be a dict of options, not list"),
    ],
    ids=count(),
)
def test_wrong_options_are_refused(options: object, said: str) -> None:
    assert said in refused({"n": int}, __dataflow__=options)


def test_an_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(UnknownOption, match=r"'tabel'; did you mean 'table'\?") as caught:
        model(make("Order", {"n": int}, __dataflow__={"tabel": "x"}))
    assert caught.value.__notes__ == ["in Order.__dataflow__"]


@pytest.mark.parametrize("options", [{"multi_tenant": True}, {"tenant_isolation": "strict"}], ids=str)
def test_an_option_whose_package_is_missing_names_the_command(options: dict[str, object]) -> None:
    with pytest.raises(MissingPlugin, match=r"^Order.__dataflow__: .* pip install dataflow-tenancy$"):
        model(make("Order", {"n": int}, __dataflow__=options))


def test_options_are_inherited_but_not_the_table_nor_the_names_of_indexes() -> None:
    class Base:
        n: int
        __dataflow__: ClassVar = {"table": "b", "timestamps": False, "indexes": [Index("n", name="by_n")]}

    class Child(Base):
        m: int
        __dataflow__: ClassVar = {"database": "other"}

    base, child = model(Base), model(Child)
    assert (child.table, child.database, list(child.fields)) == ("children", "other", ["id", "n", "m"])
    assert [index.name for index in base.indexes] == ["by_n"]
    assert [index.name for index in child.indexes] == ["ix__children__n"]


# Indexes


def names(annotations: dict[str, Any], *indexes: Index, table: str = "t", **body: object) -> list[str | None]:
    cls = make("Order", annotations, __dataflow__={"table": table, "indexes": indexes}, **body)
    return [index.name for index in model(cls).indexes]


def test_indexes_get_names_from_their_table_and_columns() -> None:
    body = {
        "a": Field(index=True, column="alpha"),
        "b": Field(unique=True),
        "c": Field(index=True, unique=True),
    }
    assert names({"a": int, "b": int, "c": int}, Index("a", "-b"), Index("-a"), **body) == [
        *("ix__t__alpha__b_desc", "ix__t__alpha_desc"),
        *("ix__t__alpha", "uq__t__b", "uq__t__c"),
    ]


def test_an_index_that_is_declared_twice_is_made_once() -> None:
    unique = model(
        make("Order", {"a": int}, a=Field(unique=True), __dataflow__={"indexes": [Index("a", unique=True)]})
    )
    assert [(index.name, index.unique) for index in unique.indexes] == [("uq__orders__a", True)]
    assert names({"a": int}, Index("a", unique=True), a=Field(index=True)) == ["uq__t__a"]
    assert names({"a": int}, Index("a"), a=Field(unique=True)) == ["ix__t__a", "uq__t__a"]
    partial = Index("a", unique=True, where={"b": 1}, name="p")
    assert names({"a": int, "b": int}, partial, a=Field(unique=True)) == ["p", "uq__t__a"]


def test_a_sole_key_needs_no_index_but_a_part_of_one_does() -> None:
    key = Annotated[int, Field(primary_key=True, unique=True, index=True)]
    assert names({"a": key}) == []
    assert names({"a": key, "b": Annotated[int, Field(primary_key=True)]}) == ["uq__t__a"]


def test_long_names_are_cut_but_stay_apart() -> None:
    field = "größe" * 9
    one, two = names({field: int, "b": int}, Index(field), Index(field, "b"), table="t" * 50)
    assert one is not None
    assert two is not None
    assert one != two
    assert len(one.encode()) <= 60
    assert len(two.encode()) <= 60
    assert one == names({field: int}, Index(field), table="t" * 50)[0], "names do not change"


@pytest.mark.parametrize(
    ("indexes", "said"),
    [
        ([Index("nme")], "'nme', which is no field; did you mean 'name'?"),
        ([Index("-nme")], "did you mean 'name'?"),
        ([Index()], "at least one field"),
        ([Index("name", "-name")], "the same field twice"),
        ([Index("name"), Index("name")], "two indexes are named 'ix__orders__name'"),
        ([Index("name", name="x"), Index("-name", name="X")], "two indexes are named 'X'"),
        ([Index("name", name="")], "the name of an index is empty"),
        ([Index("name", name="x" * 64)], "63 bytes"),
    ],
    ids=count(),
)
def test_impossible_indexes_are_refused(indexes: list[Index], said: str) -> None:
    assert said in refused({"name": str}, __dataflow__={"indexes": indexes})


def test_implied_fields_can_be_indexed() -> None:
    assert names({"a": int}, Index("-created_at", "id")) == ["ix__t__created_at_desc__id"]
