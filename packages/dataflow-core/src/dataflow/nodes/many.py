"""What nodes for many rows ask of their parameters."""

from collections.abc import Mapping, Sequence

from dataflow.errors import InvalidValue, MissingValue
from dataflow.filters.mongo import read_filter
from dataflow.model.schema import Model
from dataflow.statements import Where

__all__ = ["read_data", "read_flag", "required_filter"]


def read_data(parameters: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    """The rows that a node was given, as plain dicts: another mapping may make up what it lacks.

    :param name: the node's, for messages.
    :raises InvalidValue: where it is no list of dicts.
    """
    data = parameters["data"]
    if not isinstance(data, list | tuple):
        raise InvalidValue(f"{name} data: expected a list of dicts, got {type(data).__name__}")
    if set(map(type, data)) <= {dict}:
        return data
    for index, row in enumerate(data):
        if not isinstance(row, Mapping):
            raise InvalidValue(f"{name} data: row {index}: expected a dict, got {type(row).__name__}")
    return [{**row} for row in data]


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
