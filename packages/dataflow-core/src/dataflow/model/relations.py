"""What a model has to do with others: the rows that its own refer to, and the rows that refer to them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dataflow.model.naming import snake_case
from dataflow.model.schema import Model, ModelField

__all__ = ["Relation", "Relations", "relations"]


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


class Relations(NamedTuple):
    """The relations of a model.

    :param known: each by all of its names.
    :param ambiguous: what could mean several of them, and the names that tell these apart.
    """

    known: Mapping[str, Relation]
    ambiguous: Mapping[str, Sequence[str]]


class _Way(NamedTuple):
    """A relation whose name is not settled: the names that it may have, and of the last one nobody else has it."""

    names: tuple[str, ...]
    relation: Relation


def relations(model: Model, models: Mapping[str, Model]) -> Relations:
    """The relations of a model.

    The row that ``customer_id`` refers to is ``customer``, at length ``customer_id_customer``; the rows of the table
    ``orders`` that refer to a customer are ``orders``, at length ``orders_by_customer_id``. Where a name is that of a
    field or of another relation as well, it means neither; ``customer_id.Customer`` and ``Order.customer_id`` are sure.

    :param models: those of the database, by name.
    """
    ways = [*_referred(model, models), *_referring(model, models.values())]
    taken = Counter(name for way in ways for name in way.names)
    taken.update(list(model.fields))
    known: dict[str, Relation] = {}
    ambiguous: dict[str, list[str]] = {}
    for way in ways:
        sure = [name for name in way.names if taken[name] == 1]
        known.update((name, way.relation._replace(name=name)) for name in sure)
        for name in way.names:
            if taken[name] > 1:
                ambiguous.setdefault(name, []).extend(sure[:1])
    return Relations(known, ambiguous)


def _referred(model: Model, models: Mapping[str, Model]) -> Iterator[_Way]:
    for field in model.fields.values():
        end = _end(field, models)
        if end is not None:
            other, other_field = end
            short = _without_suffix(field.name, other_field.name)
            names = (short, f"{field.name}_{snake_case(other.name)}", f"{field.name}.{other.name}")
            yield _Way(_apart(names), Relation(short, field, other, other_field, many=False))


def _referring(model: Model, others: Iterable[Model]) -> Iterator[_Way]:
    for other in others:
        for field in other.fields.values():
            end = _end(field, {model.name: model})
            if end is not None:
                names = (other.table, f"{other.table}_by_{field.name}", f"{other.name}.{field.name}")
                yield _Way(_apart(names), Relation(other.table, end[1], other, field, many=True))


def _apart(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


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
