"""What a model has to do with others: the rows that its own refer to, and the rows that refer to them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dataflow.model.naming import snake_case
from dataflow.model.schema import Model, ModelField

__all__ = ["Relation", "relations"]


class Relation(NamedTuple):
    """A way from the rows of a model to those of another.

    :param field: the field of the model itself.
    :param other: the model at the other end, and ``other_field`` the one there that has the same value.
    :param many: whether a row may have several at the other end.
    """

    name: str
    field: ModelField
    other: Model
    other_field: ModelField
    many: bool


class _Way(NamedTuple):
    """A relation whose name is not settled: the short one, unless it has another meaning, and the long one."""

    short: str
    long: str
    relation: Relation


def relations(model: Model, models: Mapping[str, Model]) -> Mapping[str, Relation]:
    """The relations of a model by name, those under their long name too that have a short one.

    The row that ``customer_id`` refers to is ``customer``, at length ``customer_id_customer``; the rows of the table
    ``orders`` that refer to a customer are ``orders``, at length ``orders_by_customer_id``. Where a short name is that
    of a field or of another relation as well, it means neither.

    :param models: those of the database, by name.
    """
    ways = [*_referred(model, models), *_referring(model, models.values())]
    named = Counter(way.short for way in ways)
    named.update(list(model.fields))
    known = {way.long: way.relation._replace(name=way.long) for way in ways if way.long not in model.fields}
    known.update({way.short: way.relation for way in ways if way.short and named[way.short] == 1})
    return known


def _referred(model: Model, models: Mapping[str, Model]) -> Iterator[_Way]:
    for field in model.fields.values():
        end = _end(field, models)
        if end is not None:
            short = _without_suffix(field.name, end[1].name)
            long = f"{field.name}_{snake_case(end[0].name)}"
            yield _Way(short, long, Relation(short, field, *end, many=False))


def _referring(model: Model, others: Iterable[Model]) -> Iterator[_Way]:
    for other in others:
        for field in other.fields.values():
            end = _end(field, {model.name: model})
            if end is not None:
                relation = Relation(other.table, end[1], other, field, many=True)
                yield _Way(other.table, f"{other.table}_by_{field.name}", relation)


def _end(field: ModelField, models: Mapping[str, Model]) -> tuple[Model, ModelField] | None:
    """The model and the field that a foreign key refers to; None where there is none, or nobody has defined it."""
    key = field.foreign_key
    model = None if key is None else models.get(key.model)
    if key is None or model is None:
        return None
    if key.field is not None:
        return (model, model.fields[key.field]) if key.field in model.fields else None
    return (model, model.key[0]) if len(model.key) == 1 else None


def _without_suffix(name: str, referred: str) -> str:
    """What a foreign key is about: ``customer`` of ``customer_id``; empty where its name does not tell.

    >>> [_without_suffix(name, "email") for name in ("customer_id", "CustomerId", "customer_email", "parent")]
    ['customer', 'Customer', 'customer', '']
    """
    for suffix in (f"_{referred}", "_id", "Id", "ID"):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return ""
