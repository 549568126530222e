"""Models: classes with type hints that become tables."""

from dataflow.model.declare import declare
from dataflow.model.field import MISSING, Field, FieldOptions, ForeignKey, Index, OnDelete, utcnow
from dataflow.model.schema import Model, ModelField

__all__ = [
    "MISSING",
    "Field",
    "FieldOptions",
    "ForeignKey",
    "Index",
    "Model",
    "ModelField",
    "OnDelete",
    "declare",
    "utcnow",
]
