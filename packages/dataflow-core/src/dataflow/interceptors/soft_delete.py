"""Soft deletion: a deleted row stays, with the time of its deletion, and is seen by nobody who does not ask for it."""

from dataflow.interceptors.kinds import KNOWN_KINDS
from dataflow.model.features import DELETED_AT, deletion_field
from dataflow.model.field import utcnow
from dataflow.model.schema import Model
from dataflow.statements import (
    Aggregate,
    Change,
    Delete,
    Select,
    Statement,
    Update,
    UpdateMany,
    UpsertMany,
    is_null,
)

__all__ = ["SoftDelete"]

NOT_DELETED = is_null(DELETED_AT.name)


class SoftDelete:
    """Hides deleted rows, and makes a deletion the change of a row."""

    kinds = KNOWN_KINDS
    mandatory = True

    def concerns(self, model: Model | None) -> bool:
        return model is not None and deletion_field(model) is not None

    def rewrite(self, statement: Statement) -> Statement:
        match statement:
            case Select() | Aggregate() if not statement.with_deleted:
                return statement._replace(where=statement.where & NOT_DELETED)
            case Update() | UpdateMany() | UpsertMany():
                return statement._replace(where=statement.where & NOT_DELETED)
            case Delete() if not statement.for_good:
                return _mark(statement)
        return statement


def _mark(statement: Delete) -> Update:
    model = statement.model
    stamped = [field.name for field in model.fields.values() if field.maintained == "updated"]
    names = (DELETED_AT.name, *stamped)
    return Update(
        model,
        tuple(map(Change, names)),
        (utcnow(),) * len(names),
        statement.where & NOT_DELETED,
        statement.limit,
        tuple(field.name for field in model.key) if statement.returning else (),
    )
