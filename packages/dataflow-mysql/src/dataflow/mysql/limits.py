"""What a model may not ask of MySQL: names and keys that are too long."""

from collections.abc import Iterator

from dataflow.errors import ModelError
from dataflow.model.field import Index
from dataflow.model.schema import Model, ModelField
from dataflow.mysql.names import KEY_BYTES, NAME_LENGTH, bytes_of
from dataflow.mysql.types import LONGEST_VARCHAR
from dataflow.types import ColumnType, Kind

__all__ = ["check_names", "check_sizes", "key_length"]

LAST_OF_BASIC_PLANE = "\uffff"
BYTES_OF_A_LETTER = 4
LENGTH_BYTES = 2


def check_names(model: Model) -> None:
    """Refuse the names that MySQL does not take.

    :raises ModelError: for the first one.
    """
    indexes = (index.name for index in model.indexes)
    for name in (model.table, *(field.column for field in model.fields.values()), *indexes):
        if name is None:
            continue
        if len(name) > NAME_LENGTH:
            raise ModelError(f"{model.name}: a name in MySQL has at most {NAME_LENGTH} characters: {name!r}")
        if name.endswith(" "):
            raise ModelError(f"{model.name}: a name in MySQL cannot end with a space: {name!r}")
        if max(name, default="") > LAST_OF_BASIC_PLANE:
            raise ModelError(f"{model.name}: a name in MySQL has no characters beyond U+FFFF: {name!r}")


def check_sizes(model: Model) -> None:
    """Refuse keys that are longer than MySQL takes them.

    :raises ModelError: telling which fields need a smaller ``max_length``.
    """
    for names in (*_full_keys(model), *map(_names, model.indexes)):
        types = [model.field(name).type for name in names]
        if any(type.kind is Kind.JSON for type in types):
            raise ModelError(f"{model.name}: MySQL has no index over JSON ({', '.join(names)})")
        if sum(map(bytes_of, types)) > KEY_BYTES:
            raise ModelError(
                f"{model.name}: a key in MySQL has at most {KEY_BYTES} bytes, four for each character; "
                f"give a smaller max_length to {', '.join(names)}"
            )


def key_length(model: Model, field: ModelField) -> int | None:
    """The greatest length of a text or of bytes; those in a key, in full, have one though nobody asked for it."""
    type = field.type
    if type.max_length is not None or type.choices:
        return type.max_length
    rooms = [_room(model, names, type) for names in _full_keys(model) if field.name in names]
    if field.foreign_key is not None:
        rooms.append(KEY_BYTES // _unit(type))
    return min(*rooms, LONGEST_VARCHAR) if rooms else None


def _room(model: Model, names: tuple[str, ...], type: ColumnType) -> int:
    """How long a text can be, where all of a key that have no length share what is left."""
    others = [model.field(name).type for name in names]
    open_ended = [other for other in others if _is_open_ended(other)]
    taken = sum(bytes_of(other) for other in others if not _is_open_ended(other))
    return max(1, (KEY_BYTES - taken) // len(open_ended) // _unit(type))


def _is_open_ended(type: ColumnType) -> bool:
    return type.kind in (Kind.TEXT, Kind.BINARY) and type.max_length is None and not type.choices


def _unit(type: ColumnType) -> int:
    return BYTES_OF_A_LETTER if type.kind is Kind.TEXT else 1


def _names(index: Index) -> tuple[str, ...]:
    return tuple(name for name, _ in index.keys)


def _full_keys(model: Model) -> Iterator[tuple[str, ...]]:
    """The fields of the keys that tell rows apart, which cannot be cut."""
    if model.key:
        yield tuple(field.name for field in model.key)
    for index in model.indexes:
        if index.unique:
            yield _names(index)
