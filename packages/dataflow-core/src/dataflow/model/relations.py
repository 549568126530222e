"""What a model has to do with others: the rows that its own refer to, and the rows that refer to them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dataflow.model.naming import snake_case
from dataflow.model.schema import JointKey, Model

__all__ = ["Relation", "Relations", "relations"]


class Relation(NamedTuple):
    """A way from the rows of a model to those of another.

    :param fields: the names of the fields of the model itself; of a foreign key of several columns, several.
    :param other: the model at the other end, and ``other_fields`` those there that have the same values.
    :param many: whether a row may have several at the other end.
    """

    name: str
    fields: tuple[str, ...]
    other: Model
    other_fields: tuple[str, ...]
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
    What several fields refer to is called as its model is: ``shop_id`` and ``number`` of an order refer to ``order``,
    ``shop_id_number_order`` and ``shop_id.number.Order``.

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
    for key in _keys(model):
        other = models.get(key.model)
        referred = () if other is None else _ends(key, other)
        if other is not None and referred:
            fields, one = key.fields, snake_case(other.name)
            short = _without_suffix(fields[0], referred[0]) if len(fields) == 1 else one
            names = (short, f"{'_'.join(fields)}_{one}", f"{'.'.join(fields)}.{other.name}")
            yield _Way(_apart(names), Relation(short, fields, other, referred, many=False))


def _referring(model: Model, others: Iterable[Model]) -> Iterator[_Way]:
    for other in others:
        for key in _keys(other):
            referred = _ends(key, model) if key.model == model.name else ()
            if referred:
                fields = key.fields
                names = (
                    other.table,
                    f"{other.table}_by_{'_'.join(fields)}",
                    f"{other.name}.{'.'.join(fields)}",
                )
                yield _Way(_apart(names), Relation(other.table, referred, other, fields, many=True))


def _apart(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _keys(model: Model) -> Iterator[JointKey]:
    """The foreign keys of a model, those of one field in the same form: to a key they refer by no names."""
    for field in model.fields.values():
        key = field.foreign_key
        if key is not None:
            yield JointKey((field.name,), key.model, () if key.field is None else (key.field,))
    yield from model.joint_keys


def _ends(key: JointKey, other: Model) -> tuple[str, ...]:
    """The fields that a foreign key refers to; none where they are not there."""
    if not key.referred:
        return (other.key[0].name,) if len(other.key) == 1 else ()
    return key.referred if other.fields.keys() >= set(key.referred) else ()


def _without_suffix(name: str, referred: str) -> str:
    """What a foreign key is about: ``customer`` of ``customer_id``; empty where its name does not tell.

    >>> [_without_suffix(name, "email") for name in ("customer_id", "CustomerId", "customer_email", "parent")]
    ['customer', 'Customer', 'customer', '']
    """
    for suffix in (f"_{referred}", "_id", "Id", "ID"):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return ""
