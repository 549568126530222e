"""MongoDB's aggregation pipelines, read into stages."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from dataflow.errors import InvalidValue, UnknownName
from dataflow.filters.groups import read_group
from dataflow.filters.mongo import read_filter
from dataflow.filters.pipeline_names import (
    find_fields,
    parts_named,
    to_document,
    to_field_name,
    to_ordered,
    to_output_name,
)
from dataflow.model.schema import Model
from dataflow.stages import ID, Accumulator, Group, Limit, Match, Project, Skip, Sort, Stage, documents_of
from dataflow.statements import Order, Pipeline
from dataflow.types import GREATEST_INTEGER

__all__ = ["read_pipeline"]

MAX_STAGES = 50
MAX_VALUES = 10_000  # of all stages together, as they are one statement


class Read(NamedTuple):
    """What became of one stage of the document: usually one stage, and the values that it binds."""

    stages: tuple[Stage, ...]
    values: tuple[object, ...] = ()


def read_pipeline(model: Model, document: object, where: str) -> Pipeline:
    """Read a pipeline.

    :param model: whose rows go in.
    :param document: the pipeline, such as ``[{"$group": {"_id": "$city", "people": {"$sum": 1}}}]``.
    :param where: the place that messages name, such as ``"UserListNode aggregate"``.
    :raises UnknownName: for a stage, an accumulator or a field that does not exist.
    :raises InvalidValue: for whatever else cannot be read.
    """
    if not isinstance(document, list | tuple):
        raise InvalidValue(
            f"{where}: expected a list of stages such as [{{'$match': {{...}}}}], got {type(document).__name__}"
        )
    if len(document) > MAX_STAGES:
        raise InvalidValue(f"{where}: more than {MAX_STAGES} stages")
    stages: list[Stage] = []
    values: list[object] = []
    before: tuple[Stage, ...] = ()
    for number, item in enumerate(document, start=1):
        for stage in before:
            model = documents_of(stage, model)
        before, bound = _read_stage(model, item, f"{where}, stage {number}")
        stages += before
        values += bound
        if len(values) > MAX_VALUES:
            raise InvalidValue(f"{where}: more than {MAX_VALUES} values; one $in takes any number of values")
    return Pipeline(tuple(stages), tuple(values))


def _read_stage(model: Model, item: object, where: str) -> Read:
    if not isinstance(item, Mapping) or len(item) != 1:
        raise InvalidValue(f"{where}: a stage is a dict with one key, such as {{'$limit': 10}}")
    ((name, specification),) = item.items()
    read = STAGES.get(name) if isinstance(name, str) else None
    if read is None:
        raise UnknownName("stage", name, where, STAGES)
    return read(model, specification, f"{where} {name}")


def _read_match(model: Model, specification: object, where: str) -> Read:
    condition = read_filter(model, specification, where)
    return Read((Match(condition.shape),), condition.values)


def _read_group(model: Model, specification: object, where: str) -> Read:
    group, values = read_group(model, specification, where)
    return Read((group,), values)


def _read_sort(model: Model, specification: object, where: str) -> Read:
    order: dict[str, Order] = {}
    for name, direction in to_document(specification, where, "{'sold': -1}").items():
        if type(direction) is not int or direction not in (1, -1):
            raise InvalidValue(f"{where}: {name}: 1 means ascending, -1 descending")
        for field in find_fields(model, name, where):
            to_ordered(field, where, "order by")
            order[field.name] = Order(field.name, direction == -1)
    return Read((Sort(tuple(order.values())),))


def _read_skip(model: Model, specification: object, where: str) -> Read:
    return Read((Skip(),), (_number(specification, 0, where),))


def _read_limit(model: Model, specification: object, where: str) -> Read:
    return Read((Limit(),), (_number(specification, 1, where),))


def _number(number: object, smallest: int, where: str) -> int:
    if type(number) is not int:
        raise InvalidValue(f"{where}: expected int, got {type(number).__name__}")
    if not smallest <= number <= GREATEST_INTEGER:
        raise InvalidValue(f"{where}: must be {smallest} or greater, and fit into 64 bits")
    return number


def _read_count(model: Model, specification: object, where: str) -> Read:
    """As MongoDB defines it: a group of all, without its ``_id``."""
    name = to_output_name(specification, where)
    if name == ID:
        raise InvalidValue(f"{where}: {ID} is the name of what a group is grouped by; take another one")
    return Read((Group((), (Accumulator(name, "count"),)), Project(((name, name),))))


def _read_project(model: Model, specification: object, where: str) -> Read:
    document = to_document(specification, where, "{'name': 1, 'total': '$sum'}")
    switches = {name: _switch(name, value, where) for name, value in document.items()}
    others = {switch for name, switch in switches.items() if name != ID}
    if False in others and others != {False}:
        raise InvalidValue(f"{where}: either say what stays or what goes; only '{ID}': 0 may stand beside")
    if others == {False} or (not others and switches.get(ID) is False):
        kept = _excluded(model, switches, where)
    else:
        kept = _included(model, document, switches, where)
    if not kept:
        raise InvalidValue(f"{where}: no field is left")
    return Read((Project(tuple(kept.items())),))


def _switch(name: object, value: object, where: str) -> bool | None:
    """Whether a field stays; None where it is a field of another name."""
    if type(value) in (int, bool) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        return None
    raise InvalidValue(
        f"{where}: {name}: 1 keeps a field, 0 drops it, '$field' renames it; expressions are not supported"
    )


def _excluded(model: Model, names: Mapping[str, bool | None], where: str) -> dict[str, str]:
    dropped = {
        field.name for name, stays in names.items() if not stays for field in find_fields(model, name, where)
    }
    return {name: name for name in model.fields if name not in dropped}


def _included(
    model: Model, document: Mapping[str, object], switches: Mapping[str, bool | None], where: str
) -> dict[str, str]:
    kept: dict[str, str] = {}
    if ID not in switches:
        kept.update((field.name, field.name) for field in parts_named(model, ID))
    for name, switch in switches.items():
        if switch is False:
            find_fields(model, name, where)
        elif switch:
            kept.update((field.name, field.name) for field in find_fields(model, name, where))
        else:
            to_output_name(name, where)
            source = to_field_name(document[name], f"{where}: {name}")
            for field in find_fields(model, source, where):
                kept[name + field.name.removeprefix(source)] = field.name
    return kept


STAGES: Mapping[str, Callable[[Model, object, str], Read]] = {
    "$match": _read_match,
    "$group": _read_group,
    "$sort": _read_sort,
    "$skip": _read_skip,
    "$limit": _read_limit,
    "$project": _read_project,
    "$count": _read_count,
}
