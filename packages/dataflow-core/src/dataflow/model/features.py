"""What the options ``soft_delete`` and ``versioned`` add to a model."""

from datetime import datetime

from dataflow.model.extension import ExtraField
from dataflow.model.schema import Model, ModelField

__all__ = ["DELETED_AT", "VERSION", "deletion_field", "version_field"]

DELETED_AT = ExtraField("deleted_at", datetime | None, None, "soft_delete")
VERSION = ExtraField("version", int, 1, "versioned")


def deletion_field(model: Model) -> ModelField | None:
    """The field that tells when a row was deleted; None where rows are deleted for good."""
    return model.fields[DELETED_AT.name] if model.options.get("soft_delete") else None


def version_field(model: Model) -> ModelField | None:
    """The field that counts the changes of a row, if the model has one."""
    return model.fields[VERSION.name] if model.options.get("versioned") else None
