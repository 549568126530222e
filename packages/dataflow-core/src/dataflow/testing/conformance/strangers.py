"""Strings of strangers: a value stays a value, and a name names something or is refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import pytest

from dataflow import DataFlow, Field, ForeignKey, Index
from dataflow.errors import DataFlowError

__all__ = ["INJECTIONS", "StrangerTests"]

INJECTIONS = [
    "'; DROP TABLE canary; --",
    '"; DROP TABLE canary; --',
    '"); DELETE FROM canary; --',
    "`; DROP TABLE canary; --",
    "]; DROP TABLE canary; --",
    "\\'; DROP TABLE canary; --",
    "1 OR 1=1",
    "' OR '1'='1",
    "x' UNION SELECT secret FROM canary --",
    "(SELECT secret FROM canary)",
    ":secret ?1 $x @y %s %(a)s {0.__class__}",
    "'+str(1/0)+'",
    "', **__import__('os')._exit(3), 'b': '",
    "line\n; DROP TABLE canary",
    "#{} /* -- */",
]

STRANGE_NAMES: dict[str, Callable[[DataFlow, str], object]] = {
    "parameter of create": lambda db, text: db.nodes.UserCreateNode(**{"name": "a", text: 1}),
    "parameter of read": lambda db, text: db.nodes.UserReadNode(**{text: 1}),
    "parameter of update": lambda db, text: db.nodes.UserUpdateNode(**{"id": 1, text: 1}),
    "parameter of delete": lambda db, text: db.nodes.UserDeleteNode(**{text: 1}),
    "parameter of list": lambda db, text: db.nodes.UserListNode(**{text: 1}),
    "parameter of bulk": lambda db, text: db.nodes.UserBulkCreateNode(**{"data": [{"name": "a"}], text: 1}),
    "field of a bulk row": lambda db, text: db.nodes.UserBulkCreateNode(data=[{"name": "a", text: 1}]),
    "field of updates": lambda db, text: db.nodes.UserUpdateNode(id=1, updates={text: 1}),
    "field of a filter": lambda db, text: db.nodes.UserListNode(filter={text: 1}),
    "operator of a filter": lambda db, text: db.nodes.UserListNode(filter={"name": {f"${text}": 1}}),
    "logical operator": lambda db, text: db.nodes.UserListNode(filter={f"${text}": []}),
    "field of conditions": lambda db, text: db.nodes.UserDeleteNode(conditions={text: 1}),
    "text of conditions": lambda db, text: db.nodes.UserDeleteNode(conditions=text),
    "end of conditions": lambda db, text: db.nodes.UserDeleteNode(conditions=f"id = :id {text}", id=1),
    "name in conditions": lambda db, text: db.nodes.UserDeleteNode(conditions=f"id = :{text}", id=1),
    "quoted field in conditions": lambda db, text: db.nodes.UserDeleteNode(
        conditions='"' + text.replace('"', '""') + '" = :id', id=1
    ),
    "order": lambda db, text: db.nodes.UserListNode(order_by=[text]),
    "descending order": lambda db, text: db.nodes.UserListNode(order_by=[f"-{text}"]),
    "field asked for": lambda db, text: db.nodes.UserListNode(fields=[text]),
    "limit": lambda db, text: db.nodes.UserListNode(limit=text),
    "offset": lambda db, text: db.nodes.UserListNode(offset=text),
    "size of a batch": lambda db, text: db.nodes.UserBulkCreateNode(data=[], batch_size=text),
    "parameter of SQL": lambda db, text: db.nodes.SQLNode(sql="SELECT :a AS a", **{"a": 1, text: 2}),
    "name in SQL": lambda db, text: db.nodes.SQLNode(sql="SELECT :a AS a", parameters={text: 2}),
    "node type": lambda db, text: getattr(db.nodes, f"User{text}"),
}


def make(name: str, fields: dict[str, Any], **options: Any) -> type:
    """A class that cannot be written as such, for the sake of its names."""
    body = {
        "__annotations__": fields,
        "__module__": __name__,
        "__dataflow__": {"timestamps": False, **options},
    }
    return type(name, (), body)


@contextmanager
def guarded(db: DataFlow) -> Iterator[None]:
    """A model whose nodes get strange strings, beside a table that nobody may touch."""
    db.model(make("Canary", {"secret": str}, table="canary"))
    db.model(make("User", {"name": str, "age": int | None}))
    db.run_sync(db.nodes.CanaryCreateNode(secret="alive"))
    db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": "first"}, {"name": "second"}]))
    yield
    canaries = db.run_sync(db.nodes.CanaryListNode(fields=["secret"]))["records"]
    assert canaries == [{"secret": "alive"}]
    users = db.run_sync(db.nodes.UserListNode(filter={"id": {"$lt": 3}}, order_by=["id"], fields=["id"]))
    assert users["records"] == [{"id": 1}, {"id": 2}]


class StrangerTests:
    """Nothing that a stranger types can become a part of a statement."""

    @pytest.mark.parametrize("text", INJECTIONS)
    def test_a_strange_value_is_stored_and_found_literally(self, db: DataFlow, text: str) -> None:
        with guarded(db):
            nodes, run = db.nodes, db.run_sync
            created = run(nodes.UserCreateNode(name=text))
            assert created["name"] == text
            run(nodes.UserBulkCreateNode(data=[{"name": text}, {"name": "x"}]))
            updated = run(nodes.UserUpdateNode(conditions="name = :n", n="x", updates={"name": text}))
            assert updated["name"] == text
            filters: list[dict[str, Any]] = [
                {"name": text},
                {"name": {"$in": [text]}},
                {"name": {"$gte": text, "$lte": text}},
                {"$nor": [{"name": {"$ne": text}}]},
            ]
            for filter in filters:
                assert run(nodes.UserListNode(filter=filter))["count"] == 3
            found = run(nodes.UserListNode(filter={"name": text}, order_by=["id"], limit=1))["records"]
            assert found[0]["id"] == created["id"]
            counted = run(nodes.SQLNode(sql="SELECT count(*) AS n FROM users WHERE name = :name", name=text))
            assert counted["records"] == [{"n": 3}]
            assert run(nodes.UserDeleteNode(id=created["id"], conditions={"name": text}))["deleted"] == 1

    @pytest.mark.parametrize("position", STRANGE_NAMES)
    def test_a_strange_name_is_refused(self, db: DataFlow, position: str) -> None:
        with guarded(db):
            for text in INJECTIONS:
                with pytest.raises(DataFlowError):
                    db.run_sync(STRANGE_NAMES[position](db, text))  # type: ignore[call-overload]
                assert db.run_sync(db.nodes.UserListNode())["count"] == 2, text

    @pytest.mark.parametrize("text", INJECTIONS)
    def test_strange_names_of_a_model_name_things_and_no_more(self, db: DataFlow, text: str) -> None:
        fields: dict[str, Any] = {
            "value": Annotated[str, Field(column=f"c{text}"[:60])],
            "up": Annotated[int | None, ForeignKey("Odd")],
        }
        cls = make(
            "Odd", fields, table=f"t{text}"[:60], indexes=[Index("-value", "id", name=f"i{text}"[:60])]
        )
        cls.value = text  # type: ignore[attr-defined]
        with guarded(db):
            db.model(cls)
            nodes, run = db.nodes, db.run_sync
            row = {"id": 1, "value": text, "up": None}
            assert run(nodes.OddCreateNode())["record"] == row
            more = run(nodes.OddBulkCreateNode(data=[{"up": 1}], return_rows=True))["result"]
            assert more == [{**row, "id": 2, "up": 1}]
            listed = run(nodes.OddListNode(filter={"value": {"$gte": text}}, order_by=["-value"], limit=1))
            assert listed["count"] == 1
            assert run(nodes.OddUpdateNode(conditions={"up": 1}, value="new"))["value"] == "new"
            assert [run(nodes.OddDeleteNode(id=id))["deleted"] for id in (2, 1)] == [1, 1]
            assert run(nodes.OddListNode(count_only=True))["count"] == 0

    @pytest.mark.parametrize("text", INJECTIONS)
    def test_a_strange_name_of_a_class_or_a_field_works_or_is_refused_clearly(
        self, db: DataFlow, text: str
    ) -> None:
        with guarded(db):
            for cls in (make(text, {"name": str}), make("Odd", {text: int | None, "name": str})):
                try:
                    db.model(cls)
                except DataFlowError:
                    continue
                create = getattr(db.nodes, f"{cls.__name__}CreateNode")
                assert db.run_sync(create(name=text))["name"] == text
                listed = getattr(db.nodes, f"{cls.__name__}ListNode")(filter={"name": text})
                assert db.run_sync(listed)["count"] == 1
