"""What nodes for many rows ask of their parameters."""

from collections.abc import Mapping, Sequence
from typing import cast

from dataflow.errors import InvalidValue, MissingValue
from dataflow.filters.mongo import read_filter
from dataflow.model.schema import Model
from dataflow.statements import Where

__all__ = ["as_dicts", "read_flag", "required_filter"]


def as_dicts(rows: Sequence[object], name: str, start: int = 0) -> Sequence[Mapping[str, object]]:
    """Rows as plain dicts: another mapping may make up what it lacks.

    :param name: the node's, for messages.
    :param start: the index of the first one in the input.
    :raises InvalidValue: where one is no mapping.
    """
    if set(map(type, rows)) <= {dict}:
        return cast("Sequence[Mapping[str, object]]", rows)
    dicts = []
    for index, row in enumerate(rows, start):
        if not isinstance(row, Mapping):
            raise InvalidValue(f"{name} data: row {index}: expected a dict, got {type(row).__name__}")
        dicts.append({**row})
    return dicts


def read_flag(parameters: Mapping[str, object], parameter: str, name: str, default: bool = False) -> bool:
    """A parameter that is True or False."""
    flag = parameters.get(parameter, default)
    if not isinstance(flag, bool):
        raise InvalidValue(f"{name} {parameter}: expected a bool, got {type(flag).__name__}")
    return flag


def required_filter(model: Model, parameters: Mapping[str, object], name: str) -> Where:
    """The filter of a node that would touch every row without one.

    :raises MissingValue: where there is none, or where it is empty and nobody has confirmed that.
    """
    document = parameters.get("filter")
    if document is None:
        raise MissingValue(f"{name} needs a filter, such as {{'field': value}}")
    where = read_filter(model, document, f"{name} filter")
    confirmed = read_flag(parameters, "confirmed", name)
    if not where.shape and not confirmed:
        raise MissingValue(f"{name}: the filter is empty and means every row; confirmed=True says so")
    return where
