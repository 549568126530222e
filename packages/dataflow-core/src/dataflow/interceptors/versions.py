"""Versions: each change of a row counts, so that whoever read it before can tell that it is another one by now."""

from dataflow.interceptors.kinds import KNOWN_KINDS
from dataflow.model.features import VERSION, version_field
from dataflow.model.schema import Model
from dataflow.statements import (
    Change,
    Statement,
    Update,
    UpdateMany,
    UpsertMany,
)

__all__ = ["Versions"]

ONE_MORE = Change(VERSION.name, "$inc")


class Versions:
    """Counts the changes of rows."""

    kinds = KNOWN_KINDS
    mandatory = True

    def concerns(self, model: Model | None) -> bool:
        return model is not None and version_field(model) is not None

    def rewrite(self, statement: Statement) -> Statement:
        if isinstance(statement, Update | UpdateMany):
            return statement._replace(changes=(*statement.changes, ONE_MORE), new=(*statement.new, 1))
        if isinstance(statement, UpsertMany):
            return statement._replace(counted=(*statement.counted, VERSION.name))
        return statement
