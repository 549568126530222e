"""What a node refuses, it refuses in every way in which it can be told: in a call, in a workflow, in a run."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.errors import DataFlowError, WorkflowBuildError

SECRET = "canary-71"


@pytest.fixture(scope="module")
def db() -> Iterator[DataFlow]:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class User:
            name: str
            age: int | None
            tags: list[str] | None
            __dataflow__: ClassVar = {"timestamps": False}

        @db.model
        class Draft:
            title: str
            note: str | None
            __dataflow__: ClassVar = {"timestamps": False, "soft_delete": True, "versioned": True}

        @db.model
        class Seat:
            row: int = Field(primary_key=True)
            number: int = Field(primary_key=True)
            guest: str | None
            __dataflow__: ClassVar = {"timestamps": False}

        yield db


def spent() -> Iterator[dict[str, Any]]:
    """A generator that has no rows any more."""
    rows = iter([{"name": "a"}])
    generator = (row for row in rows)
    list(generator)
    return generator


async def awaited(progress: object) -> None:
    """Tells nothing unless somebody awaits it."""


MANY: list[tuple[str, dict[str, Any]]] = [("Update", {"update": {"age": 1}}), ("Delete", {})]
"""The nodes for the rows that match a filter, with what each needs besides."""
EMPTY: list[dict[str, Any]] = [{"filter": {}}, {"filter": {"$or": [{}]}}, {"filter": {}, "confirmed": False}]

ROWS: list[tuple[list[Any], dict[str, Any], str]] = [
    ([{"id": 1, "name": "a"}, SECRET], {}, "row 1: expected a dict, got str"),
    ([{"id": 1, "name": "a"}, {"id": 2, "name": 5}], {}, "row 1: User.name: expected str, got int"),
    ([{"id": 1, "nme": SECRET}], {}, "no field 'nme'; did you mean 'name'"),
    ([], {"dat": []}, "no parameter 'dat'; did you mean 'data'"),
    ([], {"age": SECRET}, "User.age: expected int, got str"),
    ([], {"batch_size": 0}, "Node batch_size: expected an int of at least 1"),
    ([], {"batch_size": -5}, "batch_size: expected an int of at least 1"),
    ([], {"batch_size": True}, "batch_size: expected an int of at least 1"),
    ([], {"batch_size": "10"}, "batch_size: expected an int of at least 1"),
    ([], {"progress": 5}, "Node progress: expected a function of one argument, got int"),
    ([], {"progress": awaited}, "Node progress: the function is async, and nobody would await it"),
]

FILTERS: list[tuple[Any, str]] = [
    ([1], "expected a dict such as {'field': value}, got list"),
    ({"nam": 1}, "no field 'nam'; did you mean 'name'"),
    ({"name": 5}, "User.name: expected str, got int"),
    ({"name": {"$gtt": SECRET}}, "did you mean '$gt'"),
    ({"age": {"$gt": SECRET}}, "User.age: expected int, got str"),
    ({"tags": ["a"]}, "tags: $eq does not compare whole JSON documents"),
    ({5: 1}, "a name must be a str, got int"),
    ({"$nand": []}, "no operator '$nand'"),
]
CONDITIONS: list[tuple[Any, str]] = [
    (5, "conditions: expected a dict such as {'field': value}, got int"),
    *((document, message) for document, message in FILTERS if document != [1]),
    ("nam = :x", "no field 'nam'; did you mean 'name'"),
    ("name = 5", "the value of 'name' is bound by name"),
    ("tags = :tags", "does not compare whole JSON documents"),
]
SELECTORS: list[tuple[dict[str, Any], str]] = [
    *(
        (
            {"conditions": document, "tags": ["a"]}
            if document == "tags = :tags"
            else {"conditions": document},
            message,
        )
        for document, message in CONDITIONS
    ),
    ({"id": SECRET}, "User.id: expected int, got str"),
    ({"user_id": None}, "User.id must not be None"),
    ({"id": 1, "conditon": {}}, "no parameter 'conditon'; did you mean 'conditions'"),
    ({"conditions": "age > :age", "age": SECRET}, "User.age: expected int, got str"),
    ({"conditions": "age != :age", "age": SECRET}, "User.age: expected int, got str"),
    ({"conditions": "age > :age", "age": None}, "$gt needs a value"),
    ({"tags": ["a"]}, "does not compare whole JSON documents"),
]
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("UserCreateNode", {"name": "a", "agee": 1}, "no field 'agee'; did you mean 'age'"),
    ("UserCreateNode", {"name": 5}, "User.name: expected str, got int"),
    ("UserCreateNode", {"name": "a", "age": SECRET}, "User.age: expected int, got str"),
    *(("UserReadNode", *case) for case in SELECTORS),
    ("UserReadNode", {"id": 1, "age": 5}, "is given 'age' beside a selector"),
    *(("UserUpdateNode", {**parameters, "updates": {"age": 1}}, message) for parameters, message in SELECTORS),
    ("UserUpdateNode", {"id": 1, "updates": {"agee": 1}}, "no field 'agee'; did you mean 'age'"),
    ("UserUpdateNode", {"id": 1, "updates": {"age": SECRET}}, "User.age: expected int, got str"),
    ("UserUpdateNode", {"id": 1, "updates": [1]}, "UserUpdateNode updates: expected a dict"),
    ("UserUpdateNode", {"id": 1, "updates": {"$inc": 5}}, "$inc: expected a dict such as {'field': value}, got int"),
    ("UserUpdateNode", {"id": 1, "updates": {"$inc": ["age"]}}, "$inc: expected a dict such as"),
    ("UserUpdateNode", {"id": 1, "updates": {"$unset": 5}}, "$unset: expected a list of fields, got int"),
    ("UserUpdateNode", {"id": 1, "updates": {"$inc": {"name": "x"}}}, "$inc works on int, float, Decimal"),
    ("UserUpdateNode", {"id": 1, "updates": {"$mul": {"name": "x"}}}, "$mul works on int, float and Decimal"),
    ("UserUpdateNode", {"id": 1, "updates": {"$max": {"tags": []}}}, "$max works on values that have an order"),
    ("UserUpdateNode", {"id": 1, "updates": {"$inc": {"age": None}}}, "age: $inc needs a value; $unset takes one away"),
    ("UserUpdateNode", {"id": 1, "updates": {"$inc": {"id": 1}}}, "id is the key, which $inc does not change"),
    ("UserUpdateNode", {"id": 1, "updates": {"$unset": ["name"]}}, "name cannot be unset"),
    ("UserUpdateNode", {"id": 1, "updates": {"$incr": {"age": 1}}}, "no operator '$incr'; did you mean '$inc'"),
    ("UserUpdateNode", {"id": 1, "updates": {"age": {"$inc": 1}}}, "the operator comes first, as in {'$inc': {'age'"),
    ("UserUpdateNode", {"id": 1, "updates": {"age": {"years": 1}}}, "User.age: expected int, got dict"),
    (
        "UserUpdateNode",
        {"id": 1, "updates": {"name": "b", "$inc": {"age": 1}, "$set": {"age": 2}}},
        "age is changed twice",
    ),
    ("UserUpdateNode", {"id": 1, "updates": {"age": 2}, "age": 3}, "age is changed twice"),
    ("UserUpdateNode", {"id": 1, "updates": {"age": 1}, "required": 1}, "required: expected a bool, got int"),
    ("UserUpdateNode", {"id": 1, "updates": {"age": 1}, "version": 1}, "no parameter 'version'"),
    ("DraftUpdateNode", {"id": 1, "note": "x", "version": SECRET}, "Draft.version: expected int, got str"),
    ("DraftUpdateNode", {"id": 1, "updates": {"version": 2}}, "version counts by itself"),
    ("DraftUpdateNode", {"id": 1, "updates": {"$inc": {"version": 2}}}, "version counts by itself"),
    *(("UserDeleteNode", *case) for case in SELECTORS),
    ("UserDeleteNode", {"id": 1, "age": 5}, "is given 'age' beside a selector"),
    ("DraftDeleteNode", {"id": 1, "version": SECRET}, "Draft.version: expected int, got str"),
    ("DraftDeleteNode", {"conditions": {"title": "a"}, "version": SECRET}, "Draft.version: expected int, got str"),
    *(("UserListNode", {"filter": document}, message) for document, message in FILTERS),
    ("UserListNode", {"filters": {}}, "no parameter 'filters'; did you mean 'filter'"),
    ("UserListNode", {"age": SECRET}, "User.age: expected int, got str"),
    ("UserListNode", {"tags": ["a"]}, "UserListNode: tags: $eq does not compare whole JSON documents"),
    *(
        ("UserListNode", {name: value}, f"UserListNode {name}: {message}")
        for name in ("limit", "offset")
        for value, message in [
            (-1, "must be 0 or greater, and fit into 64 bits"),
            (2**63, "must be 0 or greater, and fit into 64 bits"),
            (True, "expected int, got bool"),
            ("5", "expected int, got str"),
            (1.0, "expected int, got float"),
        ]
    ),
    *(
        ("UserListNode", {name: value}, f"UserListNode {name}: expected a list of names such as")
        for name in ("order_by", "fields")
        for value in ("name", {"name": 1}, ["name", 5], [None])
    ),
    ("UserListNode", {"order_by": ["nme"]}, "no field 'nme'; did you mean 'name'"),
    ("UserListNode", {"order_by": ["-nme"]}, "no field 'nme'; did you mean 'name'"),
    ("UserListNode", {"order_by": ["tags"]}, "UserListNode order_by: tags holds JSON, which has no order"),
    ("UserListNode", {"fields": []}, "UserListNode fields: the list is empty"),
    ("UserListNode", {"fields": ["nme"]}, "no field 'nme'; did you mean 'name'"),
    ("UserListNode", {"count_only": 1}, "UserListNode count_only: expected bool, got int"),
    ("UserListNode", {"include_deleted": "yes"}, "UserListNode include_deleted: expected bool, got str"),
    ("UserListNode", {"include_deleted": True}, "User has no soft deletion"),
    ("UserListNode", {"aggregate": {"$match": {}}}, "UserListNode aggregate: expected a list of stages"),
    ("UserListNode", {"aggregate": [{"$limit": 0}]}, "UserListNode aggregate, stage 1 $limit: must be 1 or greater"),
    ("UserListNode", {"aggregate": [], "limit": 1}, "limit cannot stand beside aggregate; write $limit"),
    *(
        (f"UserBulk{kind}Node", {"data": data}, f"UserBulk{kind}Node data: {message}")
        for kind in ("Create", "Upsert")
        for data, message in [
            (5, "expected a list of dicts, got int; any iterable of dicts does"),
            ({"name": "x"}, "expected a list of dicts, got dict"),
            (SECRET, "expected a list of dicts, got str"),
            (b"canary-71", "expected a list of dicts, got bytes"),
            (spent(), "the generator was read before"),
        ]
    ),
    *(
        (f"UserBulk{kind}Node", {"data": data, **more}, message)
        for kind in ("Create", "Upsert")
        for data, more, message in ROWS
    ),
    ("UserBulkCreateNode", {"data": [], "on_error": "ignore"}, "on_error: expected 'abort' or 'continue'"),
    ("UserBulkCreateNode", {"data": [], "return_rows": 1}, "return_rows: expected a bool, got int"),
    ("UserBulkUpsertNode", {"data": [], "on_error": "continue"}, "no parameter 'on_error'"),
    *(
        ("UserBulkUpsertNode", {"data": [], name: value}, f"UserBulkUpsertNode {name}{message}")
        for name in ("match_fields", "update_fields")
        for value, message in [
            ("name", ": expected a list of names such as ['email']"),
            ([5], ": expected a list of names such as ['email']"),
            (["name", None], ": expected a list of names such as ['email']"),
            ({"name": 1}, ": expected a list of names such as ['email']"),
            (["nme"], " has no field 'nme'; did you mean 'name'"),
        ]
    ),
    ("UserBulkUpsertNode", {"data": [], "match_fields": []}, "match_fields: the list is empty"),
    ("UserBulkUpsertNode", {"data": [], "match_fields": ["tags"]}, "match_fields: tags holds JSON"),
    ("UserBulkUpsertNode", {"data": [], "update_fields": ["id"]}, "update_fields: id is part of match_fields"),
    (
        "UserBulkUpsertNode",
        {"data": [], "match_fields": ["name"], "update_fields": ["age", "id"]},
        "update_fields: id is part of the key",
    ),
    (
        "UserBulkUpsertNode",
        {"data": [], "match_fields": ["name"], "update_fields": ["age", "name"]},
        "update_fields: name is part of match_fields",
    ),
    ("DraftBulkUpsertNode", {"data": [], "update_fields": ["version"]}, "version counts the changes by itself"),
    *(
        (f"UserBulk{kind}Node", {"filter": document, **more}, message)
        for kind, more in MANY
        for document, message in [
            *FILTERS,
        ]
    ),
    *(
        (f"UserBulk{kind}Node", {"filter": {"id": 1}, **more, "confirmed": value}, f"Node confirmed: {told}")
        for kind, more in MANY
        for value, told in [("yes", "expected a bool, got str"), (None, "expected a bool, got NoneType")]
    ),
    ("UserBulkUpdateNode", {"filter": {"id": 1}, "update": {"agee": 1}}, "no field 'agee'; did you mean 'age'"),
    ("UserBulkUpdateNode", {"filter": {"id": 1}, "update": [1]}, "UserBulkUpdateNode update: expected a dict"),
    ("UserBulkUpdateNode", {"filter": {"id": 1}, "updates": {}}, "no parameter 'updates'; did you mean 'update'"),
    ("UserBulkUpdateNode", {"filter": {"id": 1}, "update": {"id": 2}}, "id is the key, which no two rows share"),
    ("UserBulkUpdateNode", {"filter": {"age": 1}, "id": 2}, "id is the key, which no two rows share"),
    ("UserBulkUpdateNode", {"filter": {"age": 1}, "user_id": 2}, "user_id is the key, which no two rows share"),
    ("UserBulkUpdateNode", {"filter": {"age": 1}, "age": SECRET}, "User.age: expected int, got str"),
    ("DraftBulkUpdateNode", {"filter": {"id": 1}, "update": {"version": 2}}, "version counts by itself"),
    ("DraftBulkUpdateNode", {"filter": {"id": 1}, "version": 2}, "version counts by itself"),
    ("UserBulkUpdateNode", {"data": [], "filter": {}}, "takes either data or filter, not both"),
    ("UserBulkUpdateNode", {"data": [], "update": {}}, "takes either data or update, not both"),
    ("UserBulkUpdateNode", {"data": [], "confirmed": 1}, "UserBulkUpdateNode confirmed: expected a bool, got int"),
    ("UserBulkUpdateNode", {"data": {"id": 1}}, "UserBulkUpdateNode data: expected a list of dicts, got dict"),
    ("UserBulkUpdateNode", {"data": [{"id": 1, "age": 2}, SECRET]}, "data: row 1: expected a dict, got str"),
    ("UserBulkUpdateNode", {"data": [{"id": 1, "agee": 2}]}, "no field 'agee'; did you mean 'age'"),
    ("UserBulkUpdateNode", {"data": [{"id": 1, "age": SECRET}]}, "User.age: expected int, got str"),
    ("UserBulkUpdateNode", {"data": [{"id": 1, "age": 1}], "age": SECRET}, "User.age: expected int, got str"),
    ("UserBulkDeleteNode", {"filter": {"id": 1}, "soft_delete": True}, "User has no soft deletion"),
    ("UserBulkDeleteNode", {"filter": {"id": 1}, "soft_delete": None}, "soft_delete: expected a bool, got NoneType"),
    ("UserBulkDeleteNode", {"filter": {"id": 1}, "confirm": True}, "no parameter 'confirm'; did you mean 'confirmed'"),
    ("SQLNode", {"sql": 5}, "SQLNode sql: expected str, got int"),
    ("SQLNode", {"sql": "SELECT 1; SELECT 2"}, "one statement per node"),
    ("SQLNode", {"sql": "SELECT :a", "a": 1, "b": SECRET}, "no parameter 'b'"),
    ("SQLNode", {"sql": "SELECT :a", "parameters": {"a": 1, "b": SECRET}}, "no parameter 'b'"),
    ("SQLNode", {"sql": "SELECT :a", "parameters": [1]}, "SQLNode parameters: expected a dict of names and values"),
    ("SQLNode", {"sql": "SELECT :a", "a": object()}, ":a cannot be a object"),
]  # fmt: skip

LACKING: list[tuple[str, dict[str, Any], str]] = [
    ("UserCreateNode", {"age": 1}, "UserCreateNode needs a value for 'name'"),
    ("UserReadNode", {}, "UserReadNode needs to know which row: give id or user_id, or conditions"),
    ("UserUpdateNode", {"updates": {"age": 1}}, "UserUpdateNode needs to know which row: give id or user_id"),
    ("UserDeleteNode", {}, "UserDeleteNode needs to know which row: give id or user_id, or conditions"),
    ("SeatReadNode", {}, "SeatReadNode needs to know which row: give number or row, or conditions"),
    ("UserBulkCreateNode", {}, "UserBulkCreateNode needs data, a list of rows"),
    ("UserBulkUpsertNode", {}, "UserBulkUpsertNode needs data, a list of rows"),
    ("UserBulkUpdateNode", {"update": {"age": 1}}, "UserBulkUpdateNode needs a filter"),
    ("UserBulkUpdateNode", {"filter": {"id": 1}}, "UserBulkUpdateNode has nothing to change; give update"),
    ("UserBulkDeleteNode", {}, "UserBulkDeleteNode needs a filter, such as {'field': value}"),
    ("UserBulkDeleteNode", {"confirmed": True}, "UserBulkDeleteNode needs a filter, such as {'field': value}"),
    *(
        (f"UserBulk{kind}Node", {**more, **empty}, "the filter is empty and means every row; confirmed=True")
        for kind, more in MANY
        for empty in EMPTY
    ),
    *(
        (f"User{kind}Node", {"conditions": "", **more}, "conditions: the text is empty; write a comparison")
        for kind, more in (("Read", {}), ("Update", {"updates": {"age": 1}}), ("Delete", {}))
    ),
    ("SQLNode", {}, "SQLNode needs sql, a statement with :names for its values"),
]  # fmt: skip

ONLY_IN_A_CALL: list[tuple[str, dict[str, Any], str]] = [
    ("UserUpdateNode", {"id": 1}, "UserUpdateNode has nothing to change; give updates"),
    ("UserReadNode", {"conditions": {}}, "UserReadNode needs to know which row: give id or user_id, or conditions"),
    ("UserReadNode", {"conditions": "age = :years"}, "UserReadNode: :years of the conditions has no value"),
    ("UserBulkCreateNode", {"data": [{"name": "a"}, {}]}, "row 1: UserBulkCreateNode needs a value for 'name'"),
    ("UserBulkCreateNode", {"data": None}, "UserBulkCreateNode needs data, a list of rows"),
    ("UserBulkUpdateNode", {"data": [{"id": 1, "age": 1}, {"age": 1}]}, "row 1: UserBulkUpdateNode needs the key 'id'"),
    ("UserBulkUpdateNode", {"data": [{"id": 1}]}, "row 0: UserBulkUpdateNode has nothing to change"),
    (
        "UserBulkUpdateNode",
        {"data": [{"id": 1, "user_id": 2, "age": 1}]},
        "row 0: UserBulkUpdateNode is given 'id' and 'user_id'; keep one",
    ),
    (
        "DraftBulkUpdateNode",
        {"data": [{"id": 1, "note": "a", "version": 1}, {"id": 1, "note": "b", "version": 1}]},
        "DraftBulkUpdateNode: two rows have one key",
    ),
    ("UserBulkUpdateNode", {"filter": {"id": 1}, "update": {}}, "UserBulkUpdateNode has nothing to change"),
    ("UserBulkUpdateNode", {"filter": None, "update": {"age": 1}}, "UserBulkUpdateNode needs a filter"),
    ("UserBulkUpsertNode", {"data": [{"name": "a"}]}, "row 0: UserBulkUpsertNode needs a value for 'id' in each row"),
    ("UserBulkDeleteNode", {"filter": None}, "UserBulkDeleteNode needs a filter"),
    ("SQLNode", {"sql": "SELECT :a"}, "SQLNode: the parameter :a has no value"),
]  # fmt: skip


def called(db: DataFlow, node: str, parameters: Mapping[str, Any]) -> object:
    return db.run_sync(getattr(db.nodes, node)(**parameters))


def built(db: DataFlow, node: str, parameters: Mapping[str, Any]) -> object:
    workflow = WorkflowBuilder(db)
    workflow.add_node(node, "x", parameters)
    return workflow.build()


def executed(db: DataFlow, node: str, parameters: Mapping[str, Any]) -> object:
    """The parameters come with the run."""
    workflow = WorkflowBuilder(db)
    workflow.add_node(node, "x")
    return LocalRuntime().execute(workflow.build(), {"x": parameters})


def identified(cases: list[tuple[str, dict[str, Any], str]]) -> list[Any]:
    return [pytest.param(*case, id=f"{number}-{case[0]}") for number, case in enumerate(cases)]


@pytest.mark.parametrize("way", [called, built, executed])
@pytest.mark.parametrize(("node", "parameters", "message"), identified(WRONG))
def test_what_is_wrong_is_refused_however_it_is_told(
    db: DataFlow, node: str, parameters: dict[str, Any], message: str, way: Any
) -> None:
    with pytest.raises(WorkflowBuildError if way is built else DataFlowError) as caught:
        way(db, node, parameters)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(("node", "parameters", "message"), identified(LACKING + ONLY_IN_A_CALL))
def test_what_is_lacking_is_named(db: DataFlow, node: str, parameters: dict[str, Any], message: str) -> None:
    for way in (called, executed):
        with pytest.raises(DataFlowError) as caught:
            way(db, node, parameters)
        assert message in str(caught.value)


@pytest.mark.parametrize(("node", "parameters", "message"), identified(LACKING))
def test_a_workflow_tells_what_a_run_has_to_bring(
    db: DataFlow, node: str, parameters: dict[str, Any], message: str
) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node(node, "x", parameters)
    assert workflow.build().lacking == ("x",)


COMES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("UserCreateNode", {"age": 1}, ["name"]),
    ("UserReadNode", {}, ["id"]),
    ("UserReadNode", {}, ["conditions"]),
    ("UserUpdateNode", {"updates": {"age": 1}}, ["user_id"]),
    ("UserDeleteNode", {}, ["age"]),
    ("UserBulkCreateNode", {}, ["data"]),
    ("UserBulkUpsertNode", {"match_fields": ["name"]}, ["data"]),
    ("UserBulkUpdateNode", {"update": {"age": 1}}, ["filter"]),
    ("UserBulkUpdateNode", {"filter": {"id": 1}}, ["update"]),
    ("UserBulkUpdateNode", {"filter": {"id": 1}}, ["age"]),
    ("UserBulkUpdateNode", {"filter": {}, "update": {"age": 1}}, ["confirmed"]),
    ("UserBulkUpdateNode", {}, ["data"]),
    ("UserBulkUpdateNode", {"age": 5}, ["data"]),
    ("UserBulkDeleteNode", {}, ["filter"]),
    ("UserBulkDeleteNode", {"filter": {}}, ["confirmed"]),
    ("UserBulkDeleteNode", {}, ["filter", "confirmed"]),
    ("SQLNode", {}, ["sql"]),
    ("SQLNode", {"sql": "SELECT :a"}, ["a"]),
]


@pytest.mark.parametrize(("node", "parameters", "names"), COMES)
def test_what_a_connection_brings_is_not_lacking(
    db: DataFlow, node: str, parameters: dict[str, Any], names: list[str]
) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node(lambda: {}, "source")
    workflow.add_node(node, "x", parameters)
    for name in names:
        workflow.add_connection("source", name, "x", name)
    assert workflow.build().lacking == ()


@pytest.mark.parametrize(
    ("node", "parameters", "name"),
    [
        ("UserCreateNode", {}, "age"),
        ("UserUpdateNode", {"updates": {"age": 1}}, "required"),
        ("DraftDeleteNode", {}, "version"),
        ("UserBulkCreateNode", {}, "age"),
        ("UserBulkUpdateNode", {}, "confirmed"),
        ("UserBulkUpdateNode", {"update": {"age": 1}}, "confirmed"),
        ("UserBulkUpdateNode", {"filter": {"id": 1}}, "confirmed"),
        ("UserBulkDeleteNode", {}, "confirmed"),
        ("UserBulkUpsertNode", {}, "age"),
        ("SQLNode", {}, "parameters"),
    ],
)
def test_what_a_connection_does_not_bring_is_still_lacking(
    db: DataFlow, node: str, parameters: dict[str, Any], name: str
) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node(lambda: {}, "source")
    workflow.add_node(node, "x", parameters)
    workflow.add_connection("source", name, "x", name)
    assert workflow.build().lacking == ("x",)


@pytest.mark.parametrize(
    ("node", "parameters", "name", "message"),
    [
        ("UserCreateNode", {"name": 5}, "age", "User.name: expected str, got int"),
        ("UserReadNode", {"name": 5}, "age", "User.name: expected str, got int"),
        ("UserReadNode", {"conditions": "name = :a AND age > :b", "a": 5}, "b", "User.name: expected str"),
        ("UserUpdateNode", {"id": SECRET}, "age", "User.id: expected int, got str"),
        ("UserUpdateNode", {"conditions": {"nme": 1}}, "age", "did you mean 'name'"),
        ("UserUpdateNode", {"id": 1, "updates": {"agee": 1}}, "name", "did you mean 'age'"),
        ("UserUpdateNode", {"id": 1, "age": SECRET}, "name", "User.age: expected int, got str"),
        ("UserUpdateNode", {"id": 1, "required": 1}, "age", "required: expected a bool, got int"),
        ("DraftUpdateNode", {"id": 1, "version": SECRET}, "title", "Draft.version: expected int, got str"),
        ("DraftUpdateNode", {"id": 1, "updates": {"version": 2}}, "title", "version counts by itself"),
        ("UserDeleteNode", {"conditions": "name = :a AND age > :b", "a": 5}, "b", "User.name: expected str"),
        ("DraftDeleteNode", {"version": SECRET}, "id", "Draft.version: expected int, got str"),
        ("UserBulkUpdateNode", {"update": {"agee": 1}}, "filter", "did you mean 'age'"),
        ("UserBulkUpdateNode", {"update": {"id": 1}}, "filter", "id is the key, which no two rows share"),
        ("UserBulkUpdateNode", {"update": {}, "id": 1}, "filter", "id is the key, which no two rows share"),
        ("DraftBulkUpdateNode", {"update": {"version": 1}}, "filter", "version counts by itself"),
        ("UserBulkUpdateNode", {"filter": {"nme": 1}}, "update", "did you mean 'name'"),
        ("UserBulkUpdateNode", {"filter": {"nme": 1}, "confirmed": True}, "update", "did you mean 'name'"),
        ("UserBulkUpdateNode", {"age": SECRET}, "data", "User.age: expected int, got str"),
        ("UserBulkUpdateNode", {"agee": 1}, "data", "did you mean 'age'"),
        ("UserBulkUpdateNode", {"data": [{"id": 1, "agee": 1}]}, "name", "did you mean 'age'"),
        ("UserBulkUpdateNode", {"data": [{"id": SECRET}]}, "name", "User.id: expected int, got str"),
        ("UserBulkUpdateNode", {"data": {"id": 1}}, "name", "data: expected a list of dicts, got dict"),
        ("UserBulkUpdateNode", {"data": [5]}, "name", "row 0: expected a dict, got int"),
        ("UserBulkUpdateNode", {"filter": {"id": 1}}, "data", "takes either data or filter, not both"),
        ("UserBulkUpdateNode", {"update": {"age": 1}}, "data", "takes either data or update, not both"),
        ("UserBulkUpdateNode", {"confirmed": 1}, "data", "confirmed: expected a bool, got int"),
        ("UserBulkDeleteNode", {"soft_delete": True}, "filter", "User has no soft deletion"),
        ("UserBulkDeleteNode", {"soft_delete": 1}, "filter", "soft_delete: expected a bool, got int"),
        ("UserBulkDeleteNode", {"confirmed": 1}, "filter", "confirmed: expected a bool, got int"),
        ("DraftBulkDeleteNode", {"filter": {"titel": 1}}, "soft_delete", "did you mean 'title'"),
        (
            "DraftBulkDeleteNode",
            {"filter": {"titel": 1}, "confirmed": True},
            "soft_delete",
            "did you mean 'title'",
        ),
        ("UserBulkCreateNode", {"age": SECRET}, "data", "User.age: expected int, got str"),
        ("UserBulkCreateNode", {"agee": 1}, "data", "did you mean 'age'"),
        ("UserBulkCreateNode", {"data": SECRET}, "age", "data: expected a list of dicts, got str"),
        ("UserBulkCreateNode", {"data": spent()}, "age", "has no rows any more"),
        ("UserBulkCreateNode", {"data": [{"name": "a"}, 5]}, "age", "row 1: expected a dict, got int"),
        ("UserBulkCreateNode", {"data": [{"name": 5}]}, "age", "row 0: User.name: expected str, got int"),
        ("UserBulkCreateNode", {"data": [{"nme": "a"}]}, "age", "did you mean 'name'"),
        ("UserBulkCreateNode", {"batch_size": 0}, "data", "batch_size: expected an int of at least 1"),
        ("UserBulkCreateNode", {"progress": 5}, "data", "progress: expected a function"),
        ("UserBulkCreateNode", {"on_error": "skip"}, "data", "on_error: expected 'abort' or 'continue'"),
        ("UserBulkCreateNode", {"return_rows": 1}, "data", "return_rows: expected a bool, got int"),
        ("UserBulkUpsertNode", {"match_fields": ["nme"]}, "data", "did you mean 'name'"),
        ("UserBulkUpsertNode", {"update_fields": ["id"]}, "data", "id is part of match_fields"),
        (
            "UserBulkUpsertNode",
            {"match_fields": ["name"], "update_fields": ["id"]},
            "data",
            "id is part of the key",
        ),
        ("UserBulkUpsertNode", {"batch_size": 0}, "data", "batch_size: expected an int of at least 1"),
        ("UserBulkUpsertNode", {"data": [{"name": 5}]}, "age", "row 0: User.name: expected str, got int"),
        ("UserListNode", {"limit": -1}, "filter", "limit: must be 0 or greater"),
        ("UserListNode", {"age": SECRET}, "filter", "User.age: expected int, got str"),
        ("UserListNode", {"filter": {"nme": 1}}, "limit", "did you mean 'name'"),
        ("UserListNode", {"order_by": ["nme"]}, "filter", "did you mean 'name'"),
        ("UserListNode", {"aggregate": [{"$lim": 1}]}, "filter", "did you mean '$limit'"),
        ("SQLNode", {"sql": "SELECT :a", "parameters": {"b": 1}}, "a", "no parameter 'b'"),
        ("SQLNode", {"sql": "SELECT :a", "parameters": 5}, "a", "parameters: expected a dict"),
        ("SQLNode", {"sql": "SELECT :a, :b", "b": object()}, "a", "SQLNode: :b cannot be a object"),
        ("SQLNode", {"sql": "COMMIT"}, "parameters", "COMMIT is not allowed"),
        ("SQLNode", {"sql": 5}, "parameters", "sql: expected str, got int"),
    ],
)
def test_what_is_known_is_checked_though_more_will_come(
    db: DataFlow, node: str, parameters: dict[str, Any], name: str, message: str
) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node(lambda: {}, "source")
    workflow.add_node(node, "x", parameters)
    workflow.add_connection("source", name, "x", name)
    with pytest.raises(WorkflowBuildError) as caught:
        workflow.build()
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("UserCreateNode", "agee"),
        ("UserReadNode", "conditon"),
        ("UserUpdateNode", "update"),
        ("UserDeleteNode", "idd"),
        ("UserListNode", "filters"),
        ("UserBulkCreateNode", "dat"),
        ("UserBulkUpdateNode", "updates"),
        ("UserBulkDeleteNode", "filters"),
        ("UserBulkUpsertNode", "on_error"),
    ],
)
def test_an_input_that_a_node_does_not_have_is_refused_at_build(db: DataFlow, node: str, name: str) -> None:
    workflow = WorkflowBuilder(db)
    workflow.add_node(lambda: {}, "source")
    workflow.add_node(node, "x")
    workflow.add_connection("source", "value", "x", name)
    with pytest.raises(WorkflowBuildError, match=f"'{name}'"):
        workflow.build()


# What a caller may give as a list may be a tuple as well, and any mapping stands for a dict.
@pytest.mark.parametrize(
    ("node", "parameters"),
    [
        ("UserListNode", {"order_by": ("name",), "fields": ("id", "name")}),
        ("UserListNode", {"aggregate": ({"$limit": 1},)}),
        ("UserListNode", {"filter": {"age": {"$in": (1, 2)}, "id": {"$between": (1, 2)}, "$or": ({"id": 1},)}}),
        ("UserListNode", {"filter": {"age": {"$in": {1, 2}}, "id": {"$nin": frozenset([1])}}}),
        ("UserUpdateNode", {"id": 1, "updates": {"$unset": ("age",)}}),
        ("UserBulkCreateNode", {"data": ({"name": "a"},)}),
        ("UserBulkUpdateNode", {"data": ({"id": 1, "name": "a"},)}),
        ("UserBulkUpsertNode", {"data": ({"name": "a"},), "match_fields": ("name",), "update_fields": ("age",)}),
    ],
)  # fmt: skip
def test_a_tuple_is_as_good_as_a_list(db: DataFlow, node: str, parameters: dict[str, Any]) -> None:
    assert built(db, node, parameters) is not None
