"""The names in a pipeline, and what is known of the fields that they mean."""

from collections.abc import Mapping

from dataflow.errors import InvalidValue
from dataflow.model.schema import Model, ModelField
from dataflow.types import Kind, is_storable_text

__all__ = [
    "find_field",
    "find_fields",
    "parts_named",
    "to_document",
    "to_field_name",
    "to_ordered",
    "to_output_name",
]

MAX_FIELDS = 500


def to_document(specification: object, where: str, example: str) -> Mapping[str, object]:
    """A dict that says something, by names."""
    if not isinstance(specification, Mapping) or not specification:
        raise InvalidValue(f"{where}: expected a dict such as {example}")
    if len(specification) > MAX_FIELDS:
        raise InvalidValue(f"{where}: more than {MAX_FIELDS} fields")
    if not all(isinstance(name, str) for name in specification):
        raise InvalidValue(f"{where}: names are texts")
    return specification


def to_output_name(name: object, where: str) -> str:
    """A name that a result may have."""
    if (
        not isinstance(name, str)
        or not name
        or name.startswith("$")
        or "." in name
        or not is_storable_text(name)
    ):
        raise InvalidValue(
            f"{where}: a name is a text that is not empty, has no dot and does not begin with $"
        )
    return name


def to_field_name(value: object, where: str) -> str:
    """The field that ``"$name"`` refers to."""
    if isinstance(value, str) and value.startswith("$") and not value.startswith("$$") and len(value) > 1:
        return value[1:]
    if isinstance(value, Mapping):
        operators = ", ".join(str(name) for name in value)
        raise InvalidValue(f"{where}: expressions are not supported, only a field; found {operators}")
    raise InvalidValue(f"{where}: expected a field with a $ before it, such as '$price'")


def find_field(model: Model, name: str, where: str) -> ModelField:
    """The field of a name.

    :raises UnknownName: where there is none.
    """
    column = model.fields.get(name.partition(".")[0])
    if name not in model.fields and column is not None and column.type.kind is Kind.JSON:
        raise InvalidValue(f"{where}: {name}: a path into JSON is supported in $match only")
    return model.field(name)


def find_fields(model: Model, name: str, where: str) -> list[ModelField]:
    """The field of a name, or the parts of a document of this name."""
    return parts_named(model, name) or [find_field(model, name, where)]


def parts_named(model: Model, name: str) -> list[ModelField]:
    """The field of a name, the parts of a document of this name, or nothing."""
    if name in model.fields:
        return [model.fields[name]]
    return [field for path, field in model.fields.items() if path.startswith(f"{name}.")]


def to_ordered(field: ModelField, where: str, purpose: str) -> ModelField:
    """A field whose values can be told apart and put in order."""
    if field.type.kind is Kind.JSON:
        raise InvalidValue(f"{where}: {field.name} holds JSON, which there is no way to {purpose}")
    return field
