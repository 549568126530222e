"""What a model asks for that not every database can do."""

from collections.abc import Collection

from dataflow.capabilities import Capability
from dataflow.errors import ModelError
from dataflow.model.schema import Model

__all__ = ["check_demands"]

ACTIONS = ("cascade", "set_null")


def check_demands(model: Model, capabilities: Collection[Capability], database: str) -> None:
    """Refuse a model that asks for more than a database can do.

    :param database: its name, for messages.
    :raises ModelError: telling what to leave out.
    """
    if Capability.PARTIAL_INDEXES not in capabilities and any(index.where for index in model.indexes):
        raise ModelError(
            f"{model.name}: an index with where covers just some rows, and {database} has none such"
        )
    if Capability.REFERENTIAL_ACTIONS in capabilities:
        return
    for field in model.fields.values():
        key = field.foreign_key
        if key is not None and key.on_delete in ACTIONS:
            raise ModelError(
                f"{model.name}.{field.name}: {database} knows no on_delete={key.on_delete!r}; leave it out, and delete "
                "what refers to a row before the row"
            )
