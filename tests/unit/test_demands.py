"""What not every database can do is refused when a model is defined, and changes of the schema come in an order."""

from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import pytest

from dataflow.capabilities import Capability
from dataflow.errors import ModelError
from dataflow.execution.schema_changes import in_order_of_references
from dataflow.model.declare import declare
from dataflow.model.demands import check_demands
from dataflow.model.field import ForeignKey, Index
from dataflow.model.schema import Model
from dataflow.statements import AddColumn, AddReference, CreateIndex, CreateTable, Reference, SchemaChange


def model(name: str, **fields: Any) -> Model:
    return declare(type(name, (), {"__annotations__": fields, "__module__": __name__}), implied=True)


def table(made: Model, **referred: str) -> CreateTable:
    references = {field: Reference(to, "id", "restrict") for field, to in referred.items()}
    return CreateTable(made, MappingProxyType(references))


def test_an_index_of_some_rows_is_refused_where_there_is_none() -> None:
    class User:
        email: str
        __dataflow__: ClassVar = {"indexes": [Index("email", unique=True, where={"email": "a"})]}

    user = declare(User, implied=True)
    check_demands(user, {Capability.PARTIAL_INDEXES}, "ants")
    with pytest.raises(ModelError, match=r"User: an index with where .* ants has none"):
        check_demands(user, set(), "ants")


@pytest.mark.parametrize("action", ["cascade", "set_null"])
def test_an_action_of_a_foreign_key_is_refused_where_there_is_none(action: Any) -> None:
    order = model("Order", user_id=Annotated[int | None, ForeignKey("User", on_delete=action)])
    check_demands(order, {Capability.REFERENTIAL_ACTIONS}, "ants")
    with pytest.raises(ModelError, match=rf"Order\.user_id: ants knows no on_delete='{action}'"):
        check_demands(order, set(), "ants")


def test_a_foreign_key_that_restricts_needs_no_capability() -> None:
    check_demands(model("Order", user_id=Annotated[int, ForeignKey("User")]), set(), "ants")


A, B, C = (model(name, x_id=int) for name in ("Alpha", "Beta", "Gamma"))


def shown(changes: list[SchemaChange]) -> list[str]:
    return [f"{type(change).__name__} {change.model.table}" for change in in_order_of_references(changes)]


def test_tables_come_after_those_that_they_refer_to() -> None:
    changes: list[SchemaChange] = [table(A, x_id="betas"), table(B, x_id="gammas"), table(C, x_id="gammas")]
    assert shown(changes) == ["CreateTable gammas", "CreateTable betas", "CreateTable alphas"]


def test_of_tables_that_refer_to_each_other_one_gets_its_foreign_key_later() -> None:
    changes: list[SchemaChange] = [table(A, x_id="betas"), table(B, x_id="alphas")]
    assert shown(changes) == ["CreateTable alphas", "CreateTable betas", "AddReference alphas"]
    first, second, later = in_order_of_references(changes)
    assert isinstance(first, CreateTable)
    assert isinstance(second, CreateTable)
    assert isinstance(later, AddReference)
    assert (list(first.references), list(second.references)) == ([], ["x_id"])


def test_a_table_that_exists_is_extended_before_others_refer_to_it() -> None:
    field, index = A.fields["x_id"], Index("x_id", name="i")
    reference = Reference("betas", "id", "restrict")
    changes: list[SchemaChange] = [table(B, x_id="alphas"), CreateIndex(B, index)]
    extension: list[SchemaChange] = [AddColumn(A, field, None), CreateIndex(A, index)]
    assert shown([*changes, *extension]) == [
        "AddColumn alphas", "CreateIndex alphas", "CreateTable betas", "CreateIndex betas",
    ]  # fmt: skip
    referring: list[SchemaChange] = [AddColumn(A, field, reference), CreateIndex(A, index)]
    assert shown([*changes, *referring]) == [
        "CreateTable betas", "CreateIndex betas", "AddColumn alphas", "CreateIndex alphas",
    ]  # fmt: skip
