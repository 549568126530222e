"""The indexes of a model: the declared ones and those of single fields, each with a name."""

from collections.abc import Iterable, Mapping
from zlib import crc32

from dataflow.errors import ModelError, nearest
from dataflow.model.field import Index
from dataflow.model.naming import check_identifier
from dataflow.model.schema import ModelField

__all__ = ["resolve_indexes"]

_LONGEST_NAME = 60  # in bytes; PostgreSQL cuts names after 63, silently


def resolve_indexes(
    model: str, table: str, declared: Iterable[Index], fields: Mapping[str, ModelField]
) -> tuple[Index, ...]:
    """Check the declared indexes, add those of single fields (``index``, ``unique``), and name them all.

    :raises ModelError: for an unknown field, or for two indexes of one name.
    """
    explicit = tuple(declared)
    for index in explicit:
        _check(index, model, fields)
    single = [index for index in _of_single_fields(fields.values()) if not _covered(index, explicit)]
    named: dict[str, Index] = {}
    for index in (*explicit, *single):
        name = index.name or _derived_name(index, table, fields)
        if named.setdefault(name.casefold(), index) is not index:
            raise ModelError(f"{model}: two indexes are named {name!r}; give one of them another name=...")
        named[name.casefold()] = index.named(name)
    return tuple(named.values())


def _check(index: Index, model: str, fields: Mapping[str, ModelField]) -> None:
    names = [name for name, _ in index.keys]
    if not names:
        raise ModelError(f"{model}: an Index needs at least one field")
    for name in names:
        if name not in fields:
            raise ModelError(f"{model}: an Index is over {name!r}, which is no field{nearest(name, fields)}")
    if len(set(names)) != len(names):
        raise ModelError(f"{model}: an Index has the same field twice")
    if index.name is not None:
        check_identifier(index.name, "the name of an index", model)


def _of_single_fields(fields: Iterable[ModelField]) -> Iterable[Index]:
    for field in fields:
        if field.index or field.unique:
            yield Index(field.name, unique=field.unique)


def _covered(index: Index, others: Iterable[Index]) -> bool:
    """Tell whether another index over the same field already does what this one would."""
    return any(
        other.keys == index.keys and other.where is None and (other.unique or not index.unique)
        for other in others
    )


def _derived_name(index: Index, table: str, fields: Mapping[str, ModelField]) -> str:
    columns = (f"{fields[name].column}{'_desc' if descending else ''}" for name, descending in index.keys)
    # Two underscores, as one occurs in names: the index over b_c of table a is not that over c of table a_b.
    name = "__".join(("uq" if index.unique else "ix", table, *columns))
    encoded = name.encode()
    if len(encoded) <= _LONGEST_NAME:
        return name
    digest = f"_{crc32(encoded):08x}"
    return encoded[: _LONGEST_NAME - len(digest)].decode(errors="ignore") + digest
